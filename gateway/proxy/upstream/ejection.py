"""
A provider's ejection from one variant's traffic: its three states and every way between them.

Theory of operation
===================
CLOSED lets every request through and counts failures in a row. OPEN lets none through and rests. HALF_OPEN has let one
through, the probe, and waits for what becomes of it. Rests double from one to the next, up to a bound, and begin anew
after a long health.

It is kept per variant, not per provider: a candidate whose every request breaks at the provider must not take the
baseline's provider away. And only where there is somebody else to ask: whoever is the last is asked whatever this says,
and when he answers, that counts. It blames nobody: a request that went elsewhere because of it counts against its arm
as one that was tried and failed.

This file does not know what a request is, does not read a clock and raises nothing: the caller brings the event and the
time, and acts on the answer.
"""

from __future__ import annotations

from enum import Enum

AFTER = 5
"""Failures in a row: no answer, or one that says 5xx. A 429 is none: the provider works, and says when to come back."""

REST_S = 30.0
MAX_REST_S = 300.0
"""The tenth minute of an outage costs one slow request in five minutes; an end is noticed as soon."""

PROBE_WITHIN_S = 60.0
"""A probe whose client left tells nothing; after so long another is sent."""

FORGIVEN_AFTER_S = 600.0
"""After so long a health a rest is the first again."""


class State(Enum):
    """Whether requests get through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(Enum):
    """What happens to it."""

    FAILED_OFTEN = "failed_often"
    RESTED = "rested"
    PROBE_FAILED = "probe_failed"
    ANSWERED = "answered"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.FAILED_OFTEN): State.OPEN,
    (State.OPEN, Event.RESTED): State.HALF_OPEN,
    (State.OPEN, Event.ANSWERED): State.CLOSED,  # Asked all the same, for nobody else was left.
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    (State.HALF_OPEN, Event.ANSWERED): State.CLOSED,
}


def step(state: State, event: Event) -> State:
    """
    Give the state after `event`; pairs missing from TRANSITIONS leave it alone.

    >>> step(State.OPEN, Event.PROBE_FAILED)
    <State.OPEN: 'open'>
    """
    return TRANSITIONS.get((state, event), state)


class Ejection:
    """
    One variant's view of its provider, in one worker. All times are of the worker's monotonic clock.

    Attributes:
        state: See above.
        is_quiet: Nothing has failed lately: there is nothing to ask and nothing to note.
    """

    __slots__ = ("_closed_at_s", "_n_failed", "_n_rests", "_opened_at_s", "_until_s", "is_quiet", "state")

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.is_quiet = True
        self._n_failed = 0
        self._n_rests = 0
        self._opened_at_s = self._until_s = self._closed_at_s = 0.0

    def __repr__(self) -> str:
        """Give the state and the count."""
        return f"<Ejection {self.state.value}: {self._n_failed} failed in a row, {self._n_rests} rests>"

    def rest_left_s(self, now_s: float) -> float:
        """Give how long requests go elsewhere from now on, at least; 0 where they do not."""
        return 0.0 if self.state is State.CLOSED else max(0.0, self._until_s - now_s)

    def admits(self, now_s: float) -> bool:
        """Say whether a request may go there now; after a rest the one that is let through is the probe."""
        if self.state is State.CLOSED:
            return True
        if now_s < self._until_s:
            return False
        self.state = step(self.state, Event.RESTED)
        self._until_s = now_s + PROBE_WITHIN_S
        return True

    def note_answer(self, now_s: float, *, sent_s: float) -> None:
        """Take note of an answer to a request sent at `sent_s`; one sent before the ejection says nothing new."""
        if self.state is not State.CLOSED:
            if sent_s < self._opened_at_s:
                return
            self.state = step(self.state, Event.ANSWERED)
            self._closed_at_s = now_s
        self._n_failed = 0
        self.is_quiet = True

    def note_failure(self, now_s: float) -> None:
        """Take note of a failure."""
        self.is_quiet = False
        self._n_failed += 1
        if self.state is State.HALF_OPEN:
            self._open(Event.PROBE_FAILED, now_s)
        elif self.state is State.CLOSED and self._n_failed >= AFTER:
            if now_s - self._closed_at_s > FORGIVEN_AFTER_S:
                self._n_rests = 0
            self._open(Event.FAILED_OFTEN, now_s)

    def _open(self, event: Event, now_s: float) -> None:
        self.state = step(self.state, event)
        self._opened_at_s = now_s
        self._until_s = now_s + min(REST_S * 2**self._n_rests, MAX_REST_S)
        self._n_rests += 1
