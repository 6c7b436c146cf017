"""Events say what was decided and judged, and never for whom."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource

from gateway.domain.release import Reason
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.telemetry.events import EventKind, EventMaker, parse_events
from gateway.telemetry.instruments import EVENT_EVALUATION, EVENT_FLAG
from gateway.telemetry.otlp import open_scope

ASSIGNED = Outcome(unix_ms=5, route="support", release="v8", arm="concise", reason=Reason.NO_USER)
SAID = Feedback("f", "notes", None, "ana@example.com is unhappy", "so rude", 7, 8, "support", "v8", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", set()), (" evaluation ,", {EventKind.EVALUATION}), ("feature_flag,evaluation", set(EventKind))],
)
def test_words_are_parsed(text: str, expected: set[EventKind]) -> None:
    """SLUICE_EVENTS is a list with commas."""
    assert parse_events(text) == expected


def test_unknown_word_is_refused() -> None:
    """A word that is no event raises."""
    with pytest.raises(ValueError, match="flags"):
        parse_events("flags")


@pytest.mark.parametrize(
    ("kinds", "expected"), [("", (False, False)), ("feature_flag", (True, False)), ("evaluation", (False, True))]
)
def test_only_what_was_asked_for(kinds: str, expected: tuple[bool, bool]) -> None:
    """Each kind is made only where somebody asked for it."""
    maker = EventMaker(parse_events(kinds))
    assert (maker.wants(ASSIGNED), maker.wants(SAID)) == expected


def test_unassigned_is_no_event() -> None:
    """A request that no route took was assigned nothing."""
    assert not EventMaker(frozenset(EventKind)).wants(Outcome(status=404))


def test_default_has_no_context() -> None:
    """Without a user there is no context id, and the reason is `default`."""
    record = EventMaker(frozenset(EventKind)).record_of(ASSIGNED, Resource({}), open_scope("1")).log_record
    attributes = dict(record.attributes or {})
    assert (record.event_name, record.timestamp) == (EVENT_FLAG, 5_000_000)
    assert attributes["feature_flag.result.reason"] == "default"
    assert "feature_flag.context.id" not in attributes


def test_text_stays_here() -> None:
    """What a person wrote is in no event."""
    record = EventMaker(frozenset(EventKind)).record_of(SAID, Resource({}), open_scope("1")).log_record
    assert record.event_name == EVENT_EVALUATION
    assert dict(record.attributes or {}) == {
        "gen_ai.evaluation.name": "notes",
        "sluice.route": "support",
        "sluice.release": "v8",
    }
