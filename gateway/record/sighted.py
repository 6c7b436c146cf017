"""
Facts for trips, gathered as they arrive: before they are stored, and also while the store is away.

Only releases that somebody watches cost anything; of those, a request costs a look and a count, and one that fails
is kept singly until the controller asks, every second. What nobody asks for is bounded: counts go on, single
incidents and samples beyond the bounds are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import NamedTuple

from gateway.domain.metric import Metric
from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.gates.facts import RECENT, ArmFacts, Cost, Incident, Judged, Rating, Timing
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome

MAX_INCIDENTS = 20_000
"""Single failures of one arm between two questions: twenty seconds of outage at a thousand requests a second."""

MAX_SAMPLED = 5_000
"""Durations, costs and ratings likewise, each."""

_NONE, _PROVIDER = Fault.NONE, Fault.PROVIDER
_SAFE = Safety.NONE
_BUCKET = Reason.BUCKET
_new_tuple = tuple.__new__

ArmOf = Callable[[str, int], tuple[int, str] | None]
"""Release and unit hash to epoch and arm now; None where the unit is not compared."""


class Sight(NamedTuple):
    """
    What happened in one epoch of a release since the last question.

    Attributes:
        epoch: Which.
        since_unix_ms: Time of its first request.
        until_unix_ms: Of its last.
        arms: By arm name.
    """

    epoch: int
    since_unix_ms: int
    until_unix_ms: int
    arms: dict[str, ArmFacts]


class _Stretch:
    """One epoch's facts while they gather."""

    __slots__ = ("arms", "since_unix_ms", "until_unix_ms")

    def __init__(self, unix_ms: int) -> None:
        self.arms: dict[str, ArmFacts] = {}
        self.since_unix_ms = self.until_unix_ms = unix_ms

    def arm(self, name: str, at_unix_ms: Sequence[int]) -> ArmFacts:
        """Give the facts of an arm, and note when something happened, once or more often."""
        self.until_unix_ms = max(self.until_unix_ms, *at_unix_ms)
        self.since_unix_ms = min(self.since_unix_ms, *at_unix_ms)
        facts = self.arms.get(name)
        if facts is None:
            facts = self.arms[name] = ArmFacts()
        return facts


class Sighted:
    """
    Gathers facts of the releases that are watched. Belongs to the control process's loop.

    Attributes:
        left_out: Incidents and samples beyond the bounds, since the start.
    """

    def __init__(self, *, arm_of: ArmOf = lambda release, unit_hash: None) -> None:
        """With `arm_of` feedback by user, which names no arm, is about the arm its user has now."""
        self.left_out = 0
        self._arm_of = arm_of
        self._watched: dict[str, dict[int, _Stretch]] = {}
        self._metrics: dict[str, dict[str, Metric]] = {}

    def watch(self, releases: Iterable[tuple[str, dict[str, Metric]]]) -> None:
        """Watch exactly these releases, and their metrics, from now on."""
        metrics = dict(releases)
        self._watched = {release: self._watched.get(release, {}) for release in metrics}
        self._metrics = metrics

    def take(self, release: str) -> list[Sight]:
        """Give what happened since the last call, by epoch, and forget it."""
        stretches = self._watched.get(release)
        if not stretches:
            return []
        self._watched[release] = {}
        return [
            Sight(epoch, stretch.since_unix_ms, stretch.until_unix_ms, stretch.arms)
            for epoch, stretch in sorted(stretches.items())
        ]

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes."""
        watched = self._watched
        alike: dict[tuple[str | None, int, str | None], list[Outcome]] = {}
        for outcome in outcomes:
            release = outcome.release
            if release in watched and outcome.reason is _BUCKET and outcome.attempts and outcome.unit_hash:
                fault = outcome.fault
                # The client's own failures, ours, and clients that left count against nobody.
                if fault is _PROVIDER or (fault is _NONE and not outcome.is_client_gone):
                    key = (release, outcome.epoch, outcome.arm)
                    if key in alike:
                        alike[key].append(outcome)
                    else:
                        alike[key] = [outcome]
        for (release, epoch, arm), of_arm in alike.items():
            if release is not None and arm is not None:
                stretch = self._stretch(watched[release], epoch, of_arm[0].unix_ms)
                self._note(stretch.arm(arm, [outcome.unix_ms for outcome in of_arm]), of_arm)

    def note_feedback(self, feedback: Feedback) -> None:
        """Take one piece of feedback."""
        metric = self._metrics.get(feedback.release, {}).get(feedback.metric)
        if metric is None or feedback.value is None or feedback.is_late:
            return
        is_good = metric.is_good(feedback.value)
        exposed = self._exposure_of(feedback)
        if is_good is None or exposed is None:
            return
        epoch, arm = exposed
        exposed_unix_ms = feedback.exposed_unix_ms
        if exposed_unix_ms is None:
            exposed_unix_ms = feedback.at_unix_ms
        stretch = self._stretch(self._watched[feedback.release], epoch, feedback.received_unix_ms)
        facts = stretch.arm(arm, [feedback.received_unix_ms])
        if self._has_room(facts.ratings, MAX_SAMPLED):
            facts.ratings.append(
                Rating(feedback.metric, feedback.unit_hash, is_good, exposed_unix_ms, feedback.received_unix_ms)
            )

    def _exposure_of(self, feedback: Feedback) -> tuple[int, str] | None:
        if not feedback.unit_hash:
            return None
        if feedback.arm is not None and feedback.epoch is not None:
            return feedback.epoch, feedback.arm
        return self._arm_of(feedback.release, feedback.unit_hash)

    def _note(self, facts: ArmFacts, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes of one arm: by the column, for this is done for every request of a watched release."""
        facts.requests += len(outcomes)
        recent = facts.recent
        recent += [
            Judged(outcome.unit_hash, outcome.fault is _PROVIDER, outcome.safety is not _SAFE)
            for outcome in outcomes[-RECENT:]
        ]
        if len(recent) > 2 * RECENT:
            del recent[:-RECENT]
        answered = []
        for outcome in outcomes:
            if outcome.fault is not _PROVIDER:
                answered.append(outcome)
            elif self._has_room(facts.failures, MAX_INCIDENTS):
                facts.failures.append(Incident(outcome.unix_ms, outcome.unit_hash))
            if outcome.safety is not _SAFE and self._has_room(facts.unsafe, MAX_INCIDENTS):
                facts.unsafe.append(Incident(outcome.unix_ms, outcome.unit_hash))
        self._sample(facts, answered)

    def _sample(self, facts: ArmFacts, answered: Sequence[Outcome]) -> None:
        """Keep durations and costs, as many as there is room for."""
        timings = [
            (outcome.unit_hash, outcome.is_stream, ms)
            for outcome in answered
            if (ms := outcome.ttft_ms if outcome.is_stream else outcome.duration_ms) is not None
        ]
        costs = [(outcome.unit_hash, usd) for outcome in answered if (usd := outcome.cost_usd) is not None]
        room_t, room_c = MAX_SAMPLED - len(facts.timings), MAX_SAMPLED - len(facts.costs)
        self.left_out += max(0, len(timings) - room_t) + max(0, len(costs) - room_c)
        # A named tuple's own constructor costs four times a tuple's.
        facts.timings += map(_new_tuple, repeat(Timing), timings[:room_t])
        facts.costs += map(_new_tuple, repeat(Cost), costs[:room_c])

    def _has_room(self, kept: Sequence[object], bound: int) -> bool:
        if len(kept) < bound:
            return True
        self.left_out += 1
        return False

    def _stretch(self, stretches: dict[int, _Stretch], epoch: int, unix_ms: int) -> _Stretch:
        stretch = stretches.get(epoch)
        if stretch is None:
            stretch = stretches[epoch] = _Stretch(unix_ms)
        return stretch
