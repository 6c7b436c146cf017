"""Promises of gateway.stats.outage."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gateway.stats.outage import is_total_outage, recent_rate, run_length


class Asked(NamedTuple):
    """A request that counts."""

    unit_hash: int
    is_failed: bool


def asked(*failed: bool, first: int = 0) -> list[Asked]:
    """Give requests, each of another user."""
    return [Asked(first + number, is_failed) for number, is_failed in enumerate(failed)]


WELL = asked(*[False] * 20, first=900)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.01, 0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("requests", [0, 1_000, 1_000_000])
def test_is_the_least_length_that_is_rare_enough(rate: float, requests: int) -> None:
    """Runs of that length are expected less than alpha/10 times, shorter ones not; and five is the least."""
    m = run_length(rate, requests_expected=requests, alpha=0.004)
    assert m >= 5
    assert rate**m * requests < 0.0004
    assert m == 5 or rate ** (m - 1) * requests >= 0.0004


def test_at_equality_one_more() -> None:
    """A run that is expected exactly alpha/10 times is not yet long enough."""
    assert run_length(0.1, requests_expected=1_000, alpha=0.1) == 6


def test_outage() -> None:
    """A run of enough users, with the baseline well, is an outage."""
    assert is_total_outage(asked(False, *[True] * 6), WELL, users=6)
    assert not is_total_outage(asked(False, *[True] * 5), WELL, users=6)


def test_a_success_breaks_the_run() -> None:
    """Failures before the last success do not count."""
    assert not is_total_outage(asked(*[True] * 9, False, *[True] * 4), WELL, users=5)


def test_one_user_is_one() -> None:
    """Fifty failures of one user are a run of one user, and do not break one."""
    storm = [Asked(1, True)] * 50
    assert not is_total_outage(storm, WELL, users=5)
    assert is_total_outage([*asked(*[True] * 4, first=2), *storm], WELL, users=5)


@pytest.mark.parametrize(("n_failed", "is_outage"), [(9, True), (10, False), (20, False)])
def test_outage_of_both(n_failed: int, is_outage: bool) -> None:
    """When half of the baseline's last twenty failed too, it is not the candidate's outage."""
    baseline = asked(*[False] * (20 - n_failed), *[True] * n_failed)
    assert is_total_outage(asked(*[True] * 9), baseline, users=9) is is_outage


def test_no_baseline_is_no_outage() -> None:
    """With fewer than five of the baseline's requests known nothing is said."""
    assert not is_total_outage(asked(*[True] * 9), WELL[:4], users=9)


@pytest.mark.parametrize(("rate", "requests", "alpha"), [(1.0, 5, 0.1), (-0.1, 5, 0.1), (0.1, -1, 0.1), (0.1, 5, 1.0)])
def test_refuses(rate: float, requests: int, alpha: float) -> None:
    """What is no rate, count or alpha is refused."""
    with pytest.raises(ValueError, match="no run"):
        run_length(rate, requests_expected=requests, alpha=alpha)


def test_a_bad_hour_of_both_needs_longer_runs() -> None:
    """When the baseline fails a third of the time, a run must be of more than a dozen users; when well, of eight."""
    lengths = [run_length(recent_rate(failed, 20), requests_expected=10**6, alpha=0.004) for failed in (0, 6, 12)]
    assert lengths == [8, 19, 42]
    assert 0 < recent_rate(0, 5) < recent_rate(5, 5) < 1
