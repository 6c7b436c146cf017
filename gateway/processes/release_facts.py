"""
What the controller is told: facts as they come, and evidence read from the store by a child.

The child is there because reading takes as long as there are users: a second of it in the control process would hold
up a rollback by that second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import msgspec

from gateway.clock import Clock
from gateway.control.rollout import Rollout
from gateway.domain.rollout import GateName, RolloutPlan, StageKind
from gateway.gates.course import Course, Turn
from gateway.gates.evidence import Evidence
from gateway.gates.facts import Facts
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.sighted import Sighted

log = logging.getLogger(__name__)

EVIDENCE_WITHIN_S = 120.0
"""For a child that reads the store; a look that takes longer is given up, and the next one is an hour later."""

TURN_WITHIN_S = 600.0
"""Of ten million users a course reads every one."""

WeightsOf = Callable[[str, int], Mapping[str, int] | None]
"""Release and epoch to the buckets each arm is compared by; None where nobody knows the epoch."""

IsCompared = Callable[[str, int, str, int], bool]
"""Release, epoch, arm and unit hash: whether the unit's own bucket gave it that arm, as one of those compared."""

Ask = Callable[[EvidenceQuery], Awaitable[Evidence | None]]

AskTurn = Callable[["CourseQuestion"], Awaitable[Turn | None]]


async def nobody_knows(question: CourseQuestion) -> Turn | None:
    """Give no turn: for whoever steers no courses."""
    return None


class ReleaseFacts:
    """
    Implements `control.ports.FactSource`.

    Attributes:
        unknown: Stretches of facts that no epoch is known of, since the start: left out.
    """

    def __init__(
        self,
        sighted: Sighted,
        *,
        weights_of: WeightsOf,
        ask: Ask,
        clock: Clock,
        is_compared: IsCompared = lambda release, epoch, arm, unit_hash: True,
        ask_turn: AskTurn = nobody_knows,
    ) -> None:
        self._is_compared = is_compared
        self.unknown = 0
        self._clock = clock
        self._sighted = sighted
        self._weights_of = weights_of
        self._ask = ask
        self._ask_turn = ask_turn

    @property
    def left_out(self) -> dict[str, int]:
        """Give how much no watch was told since the start, by why: for operators."""
        return {"beyond_bounds": self._sighted.left_out, "of_unknown_epochs": self.unknown}

    def facts(self, release: str) -> Sequence[Facts]:
        """Give what happened in a release since the last call, oldest first."""
        told = []
        for sight in self._sighted.take(release):
            weights = self._weights_of(release, sight.epoch)
            if weights is None:
                self.unknown += 1
                continue
            for arm, facts in sight.arms.items():
                # A request id does not say why its user had that arm: internal users say much, and are not analysed.
                facts.ratings = [
                    one for one in facts.ratings if self._is_compared(release, sight.epoch, arm, one.unit_hash)
                ]
            told.append(Facts(release, sight.epoch, weights, sight.since_unix_ms, sight.until_unix_ms, sight.arms))
        return told

    async def evidence(self, rollout: Rollout) -> Evidence | None:
        """Give what gates look at; None while it cannot be read."""
        evidence = await self._ask(query_of(rollout, self._clock.unix_ms()))
        return None if evidence is None else replace(evidence, stage_s=rollout.dwelt_s)

    async def turn(self, course: Course, closed: Sequence[str]) -> Turn | None:
        """Give what follows from a course's users; None while they cannot be read."""
        return await self._ask_turn(CourseQuestion(course, tuple(closed), self._clock.unix_ms()))


def query_of(rollout: Rollout, unix_ms: int) -> EvidenceQuery:
    """Give what has to be read for a rollout's gates."""
    plan = rollout.plan
    return EvidenceQuery(
        release=plan.release,
        baseline=plan.baseline,
        candidate=plan.candidate,
        epochs=tuple((mark.epoch, mark.weight, mark.control) for mark in rollout.epochs),
        stage_epochs=_stage_epochs_of(rollout),
        metrics=tuple(plan.metrics[name] for name in _metrics_of(plan) if name in plan.metrics),
        segments=plan.segments if any(GateName.SEGMENTS in stage.gates for stage in plan.stages) else (),
        since_unix_ms=rollout.started_unix_ms,
        until_unix_ms=unix_ms,
        shadow_route=plan.route if rollout.at.kind is StageKind.SHADOW else "",
        shadow_since_unix_ms=rollout.entered_unix_ms,
    )


def _stage_epochs_of(rollout: Rollout) -> tuple[int, ...]:
    """
    Give the epochs of the stage it is in: from the one that began when it was entered; without one, the last.

    Told by their order, not by their times: after a wall clock was set back the stage before would seem to be later.
    """
    marks = rollout.epochs
    begun = [at for at, mark in enumerate(marks) if mark.since_unix_ms == rollout.entered_unix_ms]
    return tuple(mark.epoch for mark in marks[begun[-1] :]) if begun else (rollout.epoch,)


def _metrics_of(plan: RolloutPlan) -> list[str]:
    named = [*plan.quality_metrics, *([plan.primary_metric] if plan.primary_metric is not None else [])]
    return list(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class CourseQuestion:
    """
    What a look at a course's users wants to know.

    Attributes:
        course: As it stands.
        closed: Arms that a breaker keeps.
        unix_ms: Now.
    """

    course: Course
    closed: tuple[str, ...]
    unix_ms: int


Q = TypeVar("Q")
A = TypeVar("A")


class StoreChild(Generic[Q, A]):
    """Has a child read the store, one at a time."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], answer: type[A], *, within_s: float) -> None:
        """
        Make it; nothing is started yet.

        Args:
            argv: The command that reads a question from its input and writes an answer, both as JSON.
            environ: Its environment.
            answer: The type of its answers.
            within_s: An answer that takes longer is given up.
        """
        self._argv = tuple(argv)
        self._environ = dict(environ)
        self._answer = answer
        self._within_s = within_s
        self._turn = asyncio.Lock()

    async def ask(self, question: Q) -> A | None:
        """Give what the child made of what it read; None, with a line in the log, when it could not."""
        async with self._turn:
            try:
                return await asyncio.wait_for(self._ask(question), self._within_s)
            except (OSError, TimeoutError, msgspec.DecodeError, msgspec.ValidationError) as error:
                log.warning("the store could not be read", extra={"by": self._argv[-1], "cause": str(error)})
                return None

    async def _ask(self, question: Q) -> A | None:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *self._argv, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environ
        )
        try:
            answer, said = await child.communicate(msgspec.json.encode(question))
        finally:
            with suppress(ProcessLookupError):
                child.kill()
        if child.returncode != 0:
            cause = said.decode(errors="replace").strip()[-500:]
            log.warning("the store could not be read", extra={"by": self._argv[-1], "cause": cause})
            return None
        return msgspec.json.decode(answer, type=self._answer)
