"""Errors and safety: which rule speaks, and on what numbers."""

import dataclasses
from math import exp, inf

import pytest

from gateway.domain.rollout import Action, Signal
from gateway.gates.facts import ArmFacts, Incident, Judged
from gateway.gates.failing import FailingRules, Found, Rates, times
from gateway.stats.eprocess import log_e
from tests.gates.crowd import ERRORS, MINUTE_MS, SAFETY, comparison

ALPHA = 0.004


def arm(requests: int, failing: int, *, first: int) -> ArmFacts:
    """Give requests of which the last ones failed and the very last did not, each of another user."""
    incidents = [Incident(0, first + at) for at in range(failing)]
    judged = [Judged(first + at, at < failing, at < failing) for at in range(failing + 1)]
    return ArmFacts(requests, incidents, incidents, judged[-50:])


def judged(
    signal: Signal, *, ours: tuple[int, int], theirs: tuple[int, int], share: float = 0.05, at_ms: int = MINUTE_MS
) -> Found | None:
    """Judge (requests, failing users) of both arms, a minute old."""
    rules = FailingRules(signal, comparison(signal), since_ms=0)
    candidate, baseline = arm(*ours, first=0), arm(*theirs, first=10**6)
    rules.include(at_ms, epoch=0, share=share, candidate=candidate, baseline=baseline)
    return rules.judge(at_ms, signal, ALPHA)


@pytest.mark.parametrize("signal", [ERRORS, SAFETY])
def test_evidence_and_ratio(signal: Signal) -> None:
    """Enough evidence, a ratio beyond two and three failing users act, and the e-value can be computed again."""
    found = judged(signal, ours=(500, 20), theirs=(9_500, 95))
    assert found is not None
    assert (found.rule, found.action) == ("e_process", Action.ROLLBACK)
    assert found.evidence["e_value"] == pytest.approx(0.5 * exp(log_e(20, 0.05, 95, 0.95)))
    assert found.evidence["ratio"] == pytest.approx(4.0)


def test_evidence_without_ratio() -> None:
    """Sure to be worse, but not twice as bad: nothing acts."""
    assert judged(ERRORS, ours=(5_000, 90), theirs=(95_000, 950)) is None


def test_ratio_without_evidence() -> None:
    """Three times as bad on a handful of users is no evidence."""
    assert judged(ERRORS, ours=(100, 3), theirs=(1_900, 19)) is None


def test_floor_of_errors() -> None:
    """A baseline without failures counts as 0.2 %: four users of a hundred thousand requests are not many."""
    ours, theirs = (10_000, 12), (190_000, 0)
    assert judged(ERRORS, ours=ours, theirs=theirs) is None
    assert judged(SAFETY, ours=ours, theirs=theirs) is not None


def test_failing_users_needed() -> None:
    """As many distinct failing users as the signal asks for, whatever the e-value says."""
    signal = dataclasses.replace(ERRORS, min_failing_users=30)
    assert judged(signal, ours=(500, 20), theirs=(9_500, 95)) is None


def test_alarm_pauses_at_once() -> None:
    """For a change of guardrails the fast alarm pauses at first sight; for others a minute later, and once an hour."""
    signal = dataclasses.replace(ERRORS, min_failing_users=9)
    for is_guardrail, wanted in ((True, "fast_alarm"), (False, None)):
        rules = FailingRules(signal, comparison(signal, is_guardrail_change=is_guardrail), since_ms=0)
        failing = [Incident(0, at) for at in range(12)] * 8
        candidate = ArmFacts(500, failing, [], [Judged(99, is_failed=False)])
        rules.include(0, epoch=0, share=0.5, candidate=candidate, baseline=arm(500, 5, first=10**6))
        found = rules.judge(0, signal, ALPHA)
        assert (found.rule if found else None) == wanted
        later = rules.judge(MINUTE_MS, signal, ALPHA)
        assert (later is None) is is_guardrail
        assert rules.judge(2 * MINUTE_MS, signal, ALPHA) is None


def test_alarm_never_rolls_back() -> None:
    """The fast alarm pauses, whatever the file asks for."""
    signal = dataclasses.replace(ERRORS, min_failing_users=9)
    rules = FailingRules(signal, comparison(signal, is_guardrail_change=True), since_ms=0)
    failing = [Incident(0, at) for at in range(12)] * 8
    candidate = ArmFacts(500, failing, [], [Judged(99, is_failed=False)])
    rules.include(0, epoch=0, share=0.5, candidate=candidate, baseline=arm(500, 5, first=10**6))
    found = rules.judge(0, signal, ALPHA)
    assert found is not None
    assert found.action is Action.PAUSE


def test_window_or_start() -> None:
    """Where the window is too short to hold three failing users, the start that fired is what is measured."""
    signal = dataclasses.replace(ERRORS, window_s=60.0)
    rules, found = FailingRules(signal, comparison(signal), since_ms=0), None
    for minute in range(120):
        candidate, baseline = arm(30, 1, first=minute * 100), arm(570, 6, first=10**6 + minute * 100)
        rules.include(minute * MINUTE_MS, epoch=0, share=0.05, candidate=candidate, baseline=baseline)
        found = found or rules.judge(minute * MINUTE_MS, signal, ALPHA)
    assert rules.rates(signal).failing < 3
    assert found is not None
    assert found.evidence["candidate_failing_users"] == found.evidence["start_candidate_failing_users"] > 10


@pytest.mark.parametrize(
    ("rates", "ratio"),
    [
        (Rates("", 4, 100, 2, 100, 0.0), 2.0),
        (Rates("", 4, 100, 0, 100, 0.01), 4.0),
        (Rates("", 4, 100, 0, 100, 0.0), inf),
        (Rates("", 0, 100, 0, 100, 0.0), None),
        (Rates("", 4, 100, 0, 0, 0.01), None),
        (Rates("", 0, 0, 2, 100, 0.01), None),
    ],
)
def test_ratio(rates: Rates, ratio: float | None) -> None:
    """No requests are no ratio; no failures over no failures neither."""
    assert rates.ratio == (pytest.approx(ratio) if ratio is not None else None)


def test_sentence() -> None:
    """What is said names both arms' counts and the ratio."""
    found = judged(ERRORS, ours=(500, 20), theirs=(9_500, 95))
    assert found is not None
    assert "20 users had failed requests in 500 requests; on the baseline 95 in 9500" in found.sentence
    assert "The rate is 4 × the baseline's; 2 × is the most allowed" in found.sentence
    assert times(None) == "no ratio"


def test_late_feedback_restarts_nothing() -> None:
    """Feedback about the epoch before comes for hours; the frozen baseline goes on counting all the same."""
    rules = FailingRules(ERRORS, comparison(ERRORS), since_ms=0)
    rules.include(1, epoch=1, share=0.5, candidate=arm(5_000, 10, first=0), baseline=arm(5_000, 10, first=10**6))
    for at_ms in range(MINUTE_MS, 60 * MINUTE_MS, MINUTE_MS):
        rules.include(at_ms, epoch=1, share=0.5, candidate=ArmFacts(), baseline=None)
        candidate = ArmFacts(100, [Incident(0, at_ms + n) for n in range(10)], [], [Judged(1, is_failed=False)])
        rules.include(at_ms, epoch=2, share=1.0, candidate=candidate, baseline=None)
    found = rules.judge(60 * MINUTE_MS, ERRORS, ALPHA)
    assert found is not None and found.rule == "frozen_baseline"
