"""Promises of gateway.stats.outage."""

from __future__ import annotations

import pytest

from gateway.stats.outage import recent_rate, run_length


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
