"""One line in the log for a request that failed and was not its client's doing; no more than one a second of a kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.domain.outcome import Fault
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.telemetry.logs import Storm

log = logging.getLogger(__name__)

_OURS = frozenset({Fault.PROVIDER, Fault.GATEWAY})
_SEPARATOR = "\x1f"


class FailureLog:
    """
    Tells the log of failed requests, from the process where outcomes are folded.

    A kind is a route and a code: a provider that is down for one route is one line a second, which says how
    many were left out, and does not hide another route's failures. Neither models nor users nor segments are
    said: clients make them up.
    """

    def __init__(self, clock: Clock, *, interval_s: float = 1.0) -> None:
        self._storm = Storm(clock, interval_s=interval_s)

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Write a line for each request that failed, was not the client's fault, and whose kind has its turn."""
        for outcome in outcomes:
            if outcome.fault in _OURS or outcome.status >= 500:
                self._note(outcome)

    def note_feedback(self, feedback: Feedback) -> None:
        """Leave it: what people say is no failure."""

    def _note(self, outcome: Outcome) -> None:
        code = outcome.error_code or f"status_{outcome.status}"
        suppressed = self._storm.admit(f"{outcome.route or ''}{_SEPARATOR}{code}")
        if suppressed is None:
            return
        level = logging.WARNING if outcome.fault is Fault.PROVIDER else logging.ERROR
        log.log(level, "request failed", extra=_facts_of(outcome, code) | _left_out(suppressed))

    def tell_rest(self) -> None:
        """Say how many were left out of storms that have ended; to be called about once a second."""
        for kind, suppressed in self._storm.overdue().items():
            route, _, code = kind.partition(_SEPARATOR)
            log.warning(
                "more requests failed like those before",
                extra={"route": route or "-", "code": code} | _left_out(suppressed),
            )


def _facts_of(outcome: Outcome, code: str) -> dict[str, object]:
    facts: dict[str, object] = {
        "request_id": outcome.request_id or "-",
        "route": outcome.route or "-",
        "code": code,
        "status": outcome.status,
        "fault": outcome.fault.value,
        "arm": outcome.arm,
        "served": outcome.served,
        "provider": outcome.provider,
        "attempts": outcome.attempts,
        "duration_ms": round(outcome.duration_ms, 1),
        "trace_id": None if outcome.trace is None else outcome.trace.trace_id,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _left_out(suppressed: int) -> dict[str, object]:
    return {"suppressed": suppressed} if suppressed else {}
