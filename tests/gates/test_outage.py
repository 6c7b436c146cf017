"""The absolute rule: a run of failures of many users."""

import pytest

from gateway.gates.facts import ArmFacts, Incident, Judged
from gateway.gates.outage import OutageRun


def arm(*failed: bool, first: int = 0, user: int | None = None) -> ArmFacts:
    """Give requests in order, each of another user unless one is named."""
    judged = [Judged(first + at if user is None else user, one, one) for at, one in enumerate(failed)]
    incidents = [Incident(0, one.unit_hash) for one in judged if one.is_failed]
    return ArmFacts(len(judged), incidents, incidents, judged)


def found(run: OutageRun, rate: float = 0.002) -> bool:
    """Tell whether it is an outage."""
    return run.found(rate=rate, requests_expected=1_000_000, alpha=0.004) is not None


@pytest.mark.parametrize("is_safety", [False, True])
def test_run_of_users(is_safety: bool) -> None:
    """Eight users in a row, the baseline well, is an outage; seven are not."""
    run = OutageRun(is_safety=is_safety)
    run.note(arm(*[True] * 7), arm(*[False] * 50), share=0.05)
    assert not found(run)
    run.note(arm(True, first=7), None, share=0.05)
    assert found(run)


def test_success_breaks() -> None:
    """One answered request ends the run."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 20, False, *[True] * 4), arm(*[False] * 50), share=0.05)
    assert run.n_users == 4


def test_one_user_is_one() -> None:
    """A user who fails a hundred times is one of the run."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 50, user=7), arm(*[False] * 50), share=0.05)
    assert run.n_users == 1


def test_baseline_failing_too() -> None:
    """When half of the baseline's last requests failed as well, it is nobody's fault in particular."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 50), arm(*[True, False] * 25), share=0.05)
    assert not found(run)


def test_small_baseline_lags() -> None:
    """A holdback's requests from before the run do not count: it is waited for those of its time."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 50), arm(*[False] * 20), share=0.98)
    assert not found(run)
    for at in range(1, 12):
        run.note(arm(*[True] * 50, first=at * 50), None, share=0.98)
    assert found(run)


def test_without_baseline() -> None:
    """With nobody left to compare with the run alone decides."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 5), None, share=1.0)
    assert found(run)


def test_no_baseline_known() -> None:
    """A baseline that should be there and is not known is missing data, and missing data trips nothing."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 50), None, share=0.05)
    assert not found(run)


@pytest.mark.parametrize(("rate", "is_outage"), [(0.002, True), (0.3, False), (0.7, False), (1.0, False)])
def test_usual_rate(rate: float, is_outage: bool) -> None:
    """Where failures are usual a longer run is needed, and from a half on no run is enough."""
    run = OutageRun(is_safety=False)
    run.note(arm(*[True] * 10), arm(*[False] * 50), share=0.05)
    assert found(run, rate) is is_outage


def test_unlisted_requests() -> None:
    """Requests that are counted and not listed break the run unless they all failed."""
    whole, partly = OutageRun(is_safety=False), OutageRun(is_safety=False)
    failing = arm(*[True] * 80)
    whole.note(ArmFacts(80, failing.failures, [], failing.recent[-50:]), None, share=0.05)
    partly.note(ArmFacts(90, failing.failures, [], failing.recent[-50:]), None, share=0.05)
    assert (whole.n_users, partly.n_users) == (80, 50)


def test_outage_dumped() -> None:
    """What was dumped goes on the same."""
    run, again = OutageRun(is_safety=False), OutageRun(is_safety=False)
    run.note(arm(*[True] * 7), arm(*[False] * 50), share=0.05)
    again.load(run.dump())
    again.note(arm(True, first=7), None, share=0.05)
    assert found(again)
