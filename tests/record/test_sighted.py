"""What the controller is told of each request, and what it is not."""

from typing import Any

import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.gates.facts import RECENT, Cost, Incident, Judged, Rating, Timing
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.record.sighted import MAX_SAMPLED, Sighted

THUMBS = Metric("thumbs", MetricKind.BINARY, role="satisfaction")


def outcome_of(**changes: Any) -> Outcome:
    """Give a request of user 7 that the candidate answered."""
    plain = {"unix_ms": 1_000, "release": "support", "epoch": 3, "arm": "new", "unit_hash": 7}
    return Outcome(**{**plain, "reason": Reason.BUCKET, "attempts": 1, "duration_ms": 80.0, **changes})


def feedback_of(**changes: Any) -> Feedback:
    """Give a thumb of user 7."""
    plain = {"id": "f", "metric": "thumbs", "value": 0.0, "text": None, "comment": None, "at_unix_ms": 5_000}
    where = {"received_unix_ms": 6_000, "route": "support", "release": "support", "unit_hash": 7}
    exposure = {"epoch": 3, "arm": "new", "exposed_unix_ms": 1_000}
    return Feedback(**{**plain, **where, **exposure, **changes})


@pytest.fixture
def sighted() -> Sighted:
    """Give what watches one release."""
    watching = Sighted(arm_of=lambda release, unit_hash: (4, "old") if unit_hash == 7 else None)
    watching.watch([("support", {"thumbs": THUMBS})])
    return watching


def test_answered(sighted: Sighted) -> None:
    """An answered request counts, with its duration and its cost."""
    sighted.note([outcome_of(cost_usd=0.5)])
    (sight,) = sighted.take("support")
    facts = sight.arms["new"]
    assert (sight.epoch, facts.requests, facts.failures, facts.unsafe) == (3, 1, [], [])
    assert (facts.timings, facts.costs) == ([Timing(7, False, 80.0)], [Cost(7, 0.5)])


def test_failed(sighted: Sighted) -> None:
    """A provider's failure is kept singly: who and when; its duration says nothing about speed."""
    sighted.note([outcome_of(fault=Fault.PROVIDER, unix_ms=2_000), outcome_of(unit_hash=8)])
    facts = sighted.take("support")[0].arms["new"]
    assert (facts.requests, facts.failures) == (2, [Incident(2_000, 7)])
    assert facts.recent == [Judged(7, True), Judged(8, False)]
    assert [timing.unit_hash for timing in facts.timings] == [8]


@pytest.mark.parametrize("safety", [one for one in Safety if one is not Safety.NONE])
def test_unsafe(sighted: Sighted, safety: Safety) -> None:
    """Every safety class is an incident, and no failure."""
    sighted.note([outcome_of(safety=safety)])
    facts = sighted.take("support")[0].arms["new"]
    assert (facts.unsafe, facts.failures) == ([Incident(1_000, 7)], [])


def test_stream_is_timed_to_first_token(sighted: Sighted) -> None:
    """A stream's time is the one to its first token; one that has none is not timed."""
    sighted.note([outcome_of(is_stream=True, ttft_ms=12.0), outcome_of(is_stream=True)])
    assert sighted.take("support")[0].arms["new"].timings == [Timing(7, True, 12.0)]


@pytest.mark.parametrize(
    "changes",
    [
        {"fault": Fault.CLIENT},
        {"fault": Fault.GATEWAY},
        {"is_client_gone": True},
        {"attempts": 0},
        {"reason": Reason.INTERNAL},
        {"reason": Reason.REST},
        {"reason": Reason.BREAKER_OPEN},
        {"unit_hash": 0},
        {"release": "other"},
        {"release": None},
    ],
)
def test_counts_against_nobody(sighted: Sighted, changes: dict[str, Any]) -> None:
    """What the client or we did, and who is not compared, is not told."""
    sighted.note([outcome_of(**changes)])
    assert sighted.take("support") == []


def test_provider_failure_of_a_client_that_left(sighted: Sighted) -> None:
    """A client that gave up on a failing provider does not hide the failure."""
    sighted.note([outcome_of(fault=Fault.PROVIDER, is_client_gone=True)])
    assert len(sighted.take("support")[0].arms["new"].failures) == 1


def test_taken_once(sighted: Sighted) -> None:
    """What was taken is gone, and epochs come one by one, oldest first."""
    sighted.note([outcome_of(epoch=5, unix_ms=9), outcome_of(epoch=4, unix_ms=3), outcome_of(epoch=4, unix_ms=8)])
    first, second = sighted.take("support")
    assert (first.epoch, first.since_unix_ms, first.until_unix_ms, second.epoch) == (4, 3, 8, 5)
    assert sighted.take("support") == []


def test_last_ones_in_order(sighted: Sighted) -> None:
    """However much comes, the last requests are known in order, and no more than needed."""
    sighted.note([outcome_of(unit_hash=n) for n in range(1, 1_000)])
    recent = sighted.take("support")[0].arms["new"].recent
    assert [judged.unit_hash for judged in recent[-RECENT:]] == list(range(1_000 - RECENT, 1_000))
    assert len(recent) <= 2 * RECENT


def test_bounded(sighted: Sighted) -> None:
    """What nobody asks for does not grow without end; requests are counted all the same."""
    sighted.note([outcome_of()] * (MAX_SAMPLED + 10))
    facts = sighted.take("support")[0].arms["new"]
    assert (facts.requests, len(facts.timings), sighted.left_out) == (MAX_SAMPLED + 10, MAX_SAMPLED, 10)


def test_rating(sighted: Sighted) -> None:
    """Feedback is told by the arm and epoch of its exposure."""
    sighted.note_feedback(feedback_of())
    (sight,) = sighted.take("support")
    assert (sight.epoch, sight.arms["new"].ratings) == (3, [Rating("thumbs", 7, False, 1_000, 6_000)])


def test_rating_by_user(sighted: Sighted) -> None:
    """Feedback that names no arm is about the arm its user has now; of a user who has none it is not told."""
    nowhere: dict[str, Any] = {"epoch": None, "arm": None, "exposed_unix_ms": None}
    sighted.note_feedback(feedback_of(**nowhere, value=1.0))
    sighted.note_feedback(feedback_of(**nowhere, unit_hash=8))
    (sight,) = sighted.take("support")
    assert (sight.epoch, sight.arms["old"].ratings) == (4, [Rating("thumbs", 7, True, 5_000, 6_000)])


@pytest.mark.parametrize("changes", [{"metric": "other"}, {"value": None}, {"is_late": True}, {"release": "other"}])
def test_no_rating(sighted: Sighted, changes: dict[str, Any]) -> None:
    """Late words, text and metrics nobody watches are not told."""
    sighted.note_feedback(feedback_of(**changes))
    assert sighted.take("support") == []


def test_watching_others(sighted: Sighted) -> None:
    """A release no longer watched is forgotten; one that stays keeps what was not asked for yet."""
    sighted.note([outcome_of()])
    sighted.watch([("support", {}), ("other", {})])
    assert len(sighted.take("support")) == 1
    sighted.watch([])
    sighted.note([outcome_of()])
    assert sighted.take("support") == []
