"""Facts add up to the metrics that are documented, and no client can make them grow without end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.clock import SettableClock
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api
from gateway.record.batch import Batch
from gateway.record.feedback import Feedback
from gateway.record.fold import MAX_CATEGORIES, MAX_ROWS, Fold, status_class_of, verdict_of
from gateway.record.outcome import Outcome
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Buckets
from gateway.telemetry.instruments import Instrument
from tests.fakes.tables import provider, route, table, variant

PLACE = ("support", "v8", "concise", "concise")
CALL = ("chat", "sim", "m-1", "m-1-2026", *PLACE)


class Tap:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def note(self, outcomes: Sequence[Outcome]) -> None:
        self.heard += outcomes

    def note_feedback(self, feedback: Feedback) -> None:
        self.heard.append(feedback)


class Ledger:
    """A fold, and what it added up to."""

    def __init__(self, in_use: RoutingTable | None) -> None:
        self.clock = SettableClock(unix_ms=1)
        self.accumulator = Accumulator(self.clock, max_series=100)
        self.tap = Tap()
        self.fold = Fold(self.accumulator, table=lambda: in_use, taps=[self.tap])

    def take(self, *outcomes: Outcome) -> None:
        """Fold them as one batch."""
        self.fold.fold(Batch(0, 1, 1, list(outcomes)))

    def values(self, instrument: Instrument) -> dict[tuple[str, ...], Any]:
        """Give an instrument's series."""
        snapshot = self.accumulator.snapshot()
        return {p.key: p.value for m in snapshot.metrics if m.instrument is instrument for p in m.points}


@pytest.fixture(name="ledger")
def _ledger() -> Ledger:
    said = [Metric("thumbs", MetricKind.BINARY), Metric("score", MetricKind.SCORE, range=(0, 1), good=0.7)]
    return Ledger(table([provider(9)], [route([variant("current"), variant("concise")])], metrics=said))


def outcome(**changes: Any) -> Outcome:
    """Give a request that went well, with changes."""
    fields: dict[str, Any] = {
        "api": Api.CHAT, "route": "support", "release": "v8", "arm": "concise", "served": "concise",
        "reason": Reason.BUCKET, "provider": "sim", "model_requested": "support", "model_sent": "m-1",
        "model_served": "m-1-2026", "status": 200, "attempts": 1, "duration_ms": 900.0, "unit_hash": 5,
    }  # fmt: skip
    return Outcome(**(fields | changes))


def test_request_is_counted_once(ledger: Ledger) -> None:
    """One request, one attempt, one duration; no error, no fallback, no token that nobody counted."""
    ledger.take(outcome(), outcome())
    key = (*PLACE, "chat", "support", "bucket", "2xx", "none")
    assert ledger.values(metrics.REQUESTS) == {key: 2}
    assert ledger.values(metrics.ATTEMPTS) == {("support", "v8", "concise", "sim"): 2}
    assert ledger.values(metrics.OPERATION_DURATION)[(*CALL, "")].total == 1.8
    nothing = (metrics.ERRORS, metrics.FALLBACKS, metrics.TOKENS, metrics.UNPRICED, metrics.TIME_TO_FIRST_CHUNK)
    assert [ledger.values(each) for each in nothing] == [{}] * 5


def test_stream_times(ledger: Ledger) -> None:
    """Per token is what follows the first, divided by the tokens that follow it."""
    ledger.take(outcome(is_stream=True, ttft_ms=100.0, output_tokens=41, input_tokens=7))
    assert ledger.values(metrics.TIME_TO_FIRST_CHUNK)[CALL].total == 0.1
    assert ledger.values(metrics.TIME_PER_OUTPUT_CHUNK)[CALL].total == pytest.approx(0.02)


@pytest.mark.parametrize("tokens", [None, 0, 1])
def test_one_token_has_no_pace(ledger: Ledger, tokens: int | None) -> None:
    """With less than two tokens there is nothing between them."""
    ledger.take(outcome(is_stream=True, ttft_ms=100.0, output_tokens=tokens))
    assert ledger.values(metrics.TIME_PER_OUTPUT_CHUNK) == {}


def test_tokens_and_cost(ledger: Ledger) -> None:
    """Tokens are counted by type, and money beside them."""
    ledger.take(outcome(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=2, cost_usd=0.25))
    counted = {key[4:]: value for key, value in ledger.values(metrics.TOKENS).items()}
    assert counted == {
        ("input", "false"): 10, ("output", "false"): 5, ("cached", "false"): 4, ("reasoning", "false"): 2,
    }  # fmt: skip
    assert ledger.values(metrics.COST_USD) == {(*PLACE, "false"): 0.25}
    sizes: dict[tuple[str, ...], Buckets] = ledger.values(metrics.TOKEN_USAGE)
    assert {key[-1]: value.total for key, value in sizes.items()} == {"input": 10, "output": 5}


def test_estimates_stand_apart(ledger: Ledger) -> None:
    """What was estimated is marked, and not in the convention's histogram."""
    ledger.take(outcome(input_tokens=10, output_tokens=5, is_estimated=True, cost_usd=1.0))
    assert {key[5] for key in ledger.values(metrics.TOKENS)} == {"true"}
    assert ledger.values(metrics.COST_USD) == {(*PLACE, "true"): 1.0}
    assert ledger.values(metrics.TOKEN_USAGE) == {}


def test_unpriced_is_counted(ledger: Ledger) -> None:
    """Tokens without a price are a gap that somebody should see."""
    ledger.take(outcome(input_tokens=10, output_tokens=5))
    assert ledger.values(metrics.UNPRICED) == {PLACE: 1}


def test_saved_failure_counts(ledger: Ledger) -> None:
    """A fallback's answer is a 200 for the client and an error of the arm."""
    ledger.take(outcome(served="current", fault=Fault.PROVIDER, error_code="upstream_500", attempts=2))
    place = ("support", "v8", "concise", "current")
    assert ledger.values(metrics.FALLBACKS) == {place: 1}
    assert ledger.values(metrics.ERRORS) == {(*place, "provider", "upstream_500"): 1}
    assert list(ledger.values(metrics.ATTEMPTS).values()) == [2]


def test_refused_request_was_no_call(ledger: Ledger) -> None:
    """A request that reached no provider is counted, and has no duration of a call."""
    ledger.take(outcome(served=None, provider=None, attempts=0, status=413, fault=Fault.CLIENT))
    assert list(ledger.values(metrics.ERRORS)) == [("support", "v8", "concise", "", "client", "413")]
    assert ledger.values(metrics.OPERATION_DURATION) == {}


def test_missing_users_are_seen(ledger: Ledger) -> None:
    """Requests that got the baseline for want of a user are counted by route."""
    ledger.take(outcome(reason=Reason.NO_USER, unit_hash=0), outcome())
    assert ledger.values(metrics.REQUESTS_WITHOUT_USER) == {("support",): 1}


def test_safety_and_format(ledger: Ledger) -> None:
    """What was stopped, what kept to its schema and what ended early, each in its place."""
    ledger.take(
        outcome(safety=Safety.REFUSED), outcome(is_valid_format=True), outcome(is_valid_format=False, is_truncated=True)
    )
    assert ledger.values(metrics.SAFETY_INCIDENTS) == {(*PLACE, "refused", ""): 1}
    assert (ledger.values(metrics.FORMAT_CHECKS), ledger.values(metrics.FORMAT_FAILURES)) == ({PLACE: 2}, {PLACE: 1})
    assert ledger.values(metrics.TRUNCATED) == {PLACE: 1}


def test_client_models_are_bounded(ledger: Ledger) -> None:
    """A client may send any model: those that the file does not name are one."""
    for number in range(500):
        model = f"made-up-{number}"
        ledger.take(
            outcome(route=None, release=None, arm=None, model_requested=model, model_served=model, model_sent=None)
        )
    ledger.take(outcome(route=None, release=None, arm=None, model_requested="m-1", model_sent=None))
    assert sorted(key[5] for key in ledger.values(metrics.REQUESTS)) == ["m-1", "other"]
    models = {key[2:4] for key in ledger.values(metrics.OPERATION_DURATION)}
    assert models == {("other", "other"), ("m-1", "m-1-2026")}


def test_provider_words_are_bounded(ledger: Ledger) -> None:
    """A provider may make up categories: after so many they are one."""
    for number in range(MAX_CATEGORIES + 20):
        ledger.take(outcome(safety=Safety.FLAGGED, safety_category=f"bad-{number}"))
    counted = ledger.values(metrics.SAFETY_INCIDENTS)
    assert len(counted) == MAX_CATEGORIES + 1 and counted[(*PLACE, "flagged", "other")] == 20


def test_rows_are_bounded(ledger: Ledger) -> None:
    """However many kinds of request there are, memory stays, and every one is counted."""
    for number in range(MAX_ROWS + 100):
        ledger.take(outcome(route=None, model_requested=f"m{number}"))
    assert sum(ledger.values(metrics.REQUESTS).values()) == MAX_ROWS + 100
    assert len(ledger.fold) <= MAX_ROWS + 1


def test_forgotten_series_begin_anew(ledger: Ledger) -> None:
    """Once series were forgotten, no row goes on counting into what nobody reads."""
    for number in range(60):
        ledger.take(outcome(arm=f"arm-{number}"))
    for _ in range(2):
        ledger.accumulator.forget_idle()
        ledger.clock.advance(25 * 3600)
    ledger.accumulator.forget_idle()
    ledger.take(outcome(arm="arm-1"))
    assert list(ledger.values(metrics.REQUESTS).values()) == [1]


def feedback(metric: str, value: float | None, **changes: Any) -> Feedback:
    """Give one piece of feedback."""
    return Feedback("f", metric, value, None, None, 1, 1, "support", "v8", 5, arm="concise", **changes)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (feedback("thumbs", 1.0), "good"),
        (feedback("thumbs", 0.0), "bad"),
        (feedback("score", 0.7), "good"),
        (feedback("score", 0.69), "bad"),
        (feedback("score", 1.0, is_late=True), "late"),
        (feedback("notes", None), "neutral"),
        (feedback("gone", 1.0), "neutral"),
    ],
)
def test_feedback_has_a_verdict(ledger: Ledger, said: Feedback, verdict: str) -> None:
    """Feedback is counted by arm, metric and what it says."""
    ledger.fold.note_feedback(said)
    assert ledger.values(metrics.FEEDBACK) == {("support", "v8", "concise", said.metric, verdict): 1}
    assert ledger.tap.heard == [said]


def test_without_table_nothing_is_good() -> None:
    """Before there is a table nobody knows what is good."""
    assert verdict_of(feedback("thumbs", 1.0), None) == "neutral"


def test_tap_hears_all(ledger: Ledger) -> None:
    """Whoever taps gets the outcomes themselves."""
    one = outcome()
    ledger.take(one)
    assert ledger.tap.heard == [one]


def test_statuses_have_classes() -> None:
    """A client that left is none of the classes, and no status is no class."""
    assert status_class_of(499, is_client_gone=True) == "gone"
    assert (status_class_of(201, is_client_gone=False), status_class_of(0, is_client_gone=False)) == ("2xx", "")
