"""
The tail: finished requests as they come, without what was asked or answered and without who asked.

Nobody listening, it costs one comparison per batch. It never waits: what a listener cannot take is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self

from gateway.admin.live_operations import TooManyListenersError
from gateway.clock import Clock
from gateway.domain.outcome import Fault, Safety
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome

Json = dict[str, Any]

MAX_LISTENERS = 20
MAX_PER_S = 20
"""More than anybody reads; the rest are told as a number."""

_QUEUED = 100
_SHORT = 12


class Tail:
    """Hears of every fact (a `record.fold.FactTap`) and tells whoever listens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: set[Listener] = set()

    @property
    def n_listeners(self) -> int:
        """Give how many listen."""
        return len(self._listeners)

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Tell listeners of outcomes."""
        if not self._listeners:
            return
        for listener in self._listeners:
            listener.note(outcomes)

    def note_feedback(self, feedback: Feedback) -> None:
        """Leave it: it is no request."""

    def listen(self, route: str | None) -> Listener:
        """
        Give a listener, to be closed or iterated to its end.

        Raises:
            TooManyListenersError: MAX_LISTENERS listen already.
        """
        if len(self._listeners) >= MAX_LISTENERS:
            msg = f"{MAX_LISTENERS} listen already"
            raise TooManyListenersError(msg)
        listener = Listener(route, self._clock, self._listeners.discard)
        self._listeners.add(listener)
        return listener


class Listener:
    """One who listens: gets at most MAX_PER_S requests each second, and how many were left out."""

    def __init__(self, route: str | None, clock: Clock, forget: Callable[[Listener], None]) -> None:
        self._route = route
        self._clock = clock
        self._forget = forget
        self._queue: asyncio.Queue[Json] = asyncio.Queue(_QUEUED)
        self._second = 0
        self._n_in_second = 0
        self._n_skipped = 0

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Take what is of the route, as long as there is room."""
        second = int(self._clock.now_s())
        if second != self._second:
            self._second, self._n_in_second = second, 0
        for outcome in outcomes:
            if self._route is not None and outcome.route != self._route:
                continue
            if self._n_in_second >= MAX_PER_S or self._queue.full():
                self._n_skipped += 1
                continue
            self._n_in_second += 1
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        told = request_view(outcome)
        if self._n_skipped:
            told["skipped"], self._n_skipped = self._n_skipped, 0
        self._queue.put_nowait(told)

    def take_skipped(self) -> int:
        """Give how many were left out since somebody was told, and begin anew."""
        n_skipped, self._n_skipped = self._n_skipped, 0
        return n_skipped

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> Json:
        """Give the next request; wait for it."""
        try:
            return await asyncio.wait_for(self._queue.get(), 1.0 if self._n_skipped else None)
        except TimeoutError:
            return {"skipped": self.take_skipped()}

    async def aclose(self) -> None:
        """Listen no more."""
        self._forget(self)


def request_view(outcome: Outcome) -> Json:
    """Give a finished request as anybody who may look may see it."""
    ttft_ms = outcome.ttft_ms
    return {
        "at_unix_ms": outcome.unix_ms,
        "request_id_short": outcome.request_id[-_SHORT:] or None,
        "route": outcome.route,
        "arm": outcome.arm,
        "reason": None if outcome.reason is None else outcome.reason.value,
        "status": outcome.status,
        "blame": None if outcome.fault is Fault.NONE else outcome.fault.value,
        "error": outcome.error_code,
        "safety": None if outcome.safety is Safety.NONE else outcome.safety.value,
        "ttft_ms": None if ttft_ms is None else round(ttft_ms, 1),
        "duration_ms": round(outcome.duration_ms, 1),
        "tokens_in": outcome.input_tokens,
        "tokens_out": outcome.output_tokens,
        "cost_usd": outcome.cost_usd,
        "is_stream": outcome.is_stream,
        "skipped": 0,
    }
