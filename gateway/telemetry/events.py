"""
Log events for those who asked: `SLUICE_EVENTS=feature_flag,evaluation`.

One event per assigned request says which arm it got and why, one per piece of feedback what was
said. They carry a hash of the user, never the user, and no text that anybody wrote. At full traffic
that is a lot of records: the queue is bounded, and what it loses is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from gateway.domain.release import Reason
from gateway.telemetry import instruments as names
from gateway.telemetry.conventions import FLAG_REASONS

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

_NS_PER_MS = 1_000_000
_SAMPLED = 1

FLAG_PROVIDER = "sluice"
"""`feature_flag.provider.name`."""


class EventKind(StrEnum):
    """What can be asked for; the value is the word in SLUICE_EVENTS."""

    FEATURE_FLAG = "feature_flag"
    EVALUATION = "evaluation"


class Place(Protocol):
    """Where a record stands in its trace; `record.trace` is the real one."""

    @property
    def trace_id(self) -> str:
        """Give 32 hex digits."""
        ...

    @property
    def span_id(self) -> str:
        """Give 16 hex digits."""
        ...


class AssignedOutcome(Protocol):
    """What of an outcome goes into its event; `record.outcome` is the real one."""

    @property
    def config_version(self) -> int:
        """Give the table's version."""
        ...

    @property
    def unix_ms(self) -> int:
        """Give when."""
        ...

    @property
    def route(self) -> str | None:
        """Give the route."""
        ...

    @property
    def release(self) -> str | None:
        """Give the release."""
        ...

    @property
    def arm(self) -> str | None:
        """Give the arm."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Give why."""
        ...

    @property
    def unit_hash(self) -> int:
        """Give whom, hashed; 0 for nobody."""
        ...

    @property
    def trace(self) -> Place | None:
        """Give the trace; None when it is not sampled."""
        ...


@runtime_checkable
class JudgedFeedback(Protocol):
    """What of feedback goes into its event; `record.feedback` is the real one."""

    @property
    def metric(self) -> str:
        """Give the metric."""
        ...

    @property
    def value(self) -> float | None:
        """Give the value; None of text."""
        ...

    @property
    def at_unix_ms(self) -> int:
        """Give when it was said."""
        ...

    @property
    def route(self) -> str:
        """Give the route."""
        ...

    @property
    def release(self) -> str:
        """Give the release."""
        ...

    @property
    def arm(self) -> str | None:
        """Give the arm at exposure; None where the store looks it up."""
        ...


class EventMaker:
    """
    Makes event records of outcomes and feedback.

    Attributes:
        kinds: What was asked for.
    """

    def __init__(
        self,
        kinds: frozenset[EventKind],
        *,
        config_hash: Callable[[int], str] = str,
        judge: Callable[[Any], str] = lambda _: "",
    ) -> None:
        """
        Make an event maker.

        Args:
            kinds: What was asked for.
            config_hash: Gives the hash of a table's version.
            judge: Gives what feedback says in one word.
        """
        self.kinds = kinds
        self._config_hash = config_hash
        self._judge = judge
        self._wants_flags = EventKind.FEATURE_FLAG in kinds
        self._wants_evaluations = EventKind.EVALUATION in kinds

    def wants(self, value: AssignedOutcome | JudgedFeedback) -> bool:
        """Say whether this one becomes an event."""
        if hasattr(value, "metric"):
            return self._wants_evaluations
        return self._wants_flags and value.arm is not None

    def record_of(
        self, value: AssignedOutcome | JudgedFeedback, resource: Resource, scope: InstrumentationScope
    ) -> ReadableLogRecord:
        """Give the SDK's log record; called on the lane's thread."""
        if isinstance(value, JudgedFeedback):
            return _record(names.EVENT_EVALUATION, value.at_unix_ms, self._evaluation(value), None, resource, scope)
        return _record(names.EVENT_FLAG, value.unix_ms, self._flag(value), value.trace, resource, scope)

    def _flag(self, outcome: AssignedOutcome) -> dict[str, Any]:
        attributes = {
            "feature_flag.key": outcome.release,
            "feature_flag.result.variant": outcome.arm,
            "feature_flag.result.reason": FLAG_REASONS[outcome.reason] if outcome.reason is not None else "unknown",
            "feature_flag.provider.name": FLAG_PROVIDER,
            "feature_flag.set.id": outcome.route,
            "feature_flag.version": self._config_hash(outcome.config_version),
        }
        if outcome.unit_hash:
            attributes["feature_flag.context.id"] = f"{outcome.unit_hash:016x}"
        return attributes

    def _evaluation(self, feedback: JudgedFeedback) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "gen_ai.evaluation.name": feedback.metric,
            names.ROUTE: feedback.route,
            names.RELEASE: feedback.release,
        }
        if feedback.value is not None:
            attributes["gen_ai.evaluation.score.value"] = float(feedback.value)
        if label := self._judge(feedback):
            attributes["gen_ai.evaluation.score.label"] = label
        if feedback.arm is not None:
            attributes[names.ARM] = feedback.arm
        return attributes


def parse_events(text: str) -> frozenset[EventKind]:
    """
    Give what `feature_flag,evaluation` asks for.

    Raises:
        ValueError: A word is neither.

    >>> sorted(parse_events("evaluation, feature_flag"))
    [<EventKind.EVALUATION: 'evaluation'>, <EventKind.FEATURE_FLAG: 'feature_flag'>]
    """
    return frozenset(EventKind(word.strip()) for word in text.split(",") if word.strip())


def _record(
    name: str,
    unix_ms: int,
    attributes: dict[str, Any],
    place: Place | None,
    resource: Resource,
    scope: InstrumentationScope,
) -> ReadableLogRecord:
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    context = None
    if place is not None:
        at = SpanContext(
            int(place.trace_id, 16), int(place.span_id, 16), is_remote=False, trace_flags=TraceFlags(_SAMPLED)
        )
        context = set_span_in_context(NonRecordingSpan(at))
    record = LogRecord(
        timestamp=unix_ms * _NS_PER_MS,
        observed_timestamp=unix_ms * _NS_PER_MS,
        context=context,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        attributes=attributes,
        event_name=name,
    )
    return ReadableLogRecord(record, resource, scope)
