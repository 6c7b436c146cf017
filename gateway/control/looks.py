"""
Looks: when a stage's gates are asked, and what they said last.

Evidence is read beside the controller's loop, never in it: a store that hangs holds up no trip. What comes back for
a stage that was left in the meantime is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.control.moves import gates_of
from gateway.control.ports import FactSource
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.rules import Health, Rules
from gateway.gates.verdict import GateVerdict, Verdict
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 3_600.0
"""Gates may be read as often as one likes; feedback does not come faster than this."""

TRIES_AGAIN_AFTER_S = 60.0
"""A store that was away is asked again after a minute."""

GIVES_UP_AFTER_S = 300.0
"""Evidence that takes longer is not waited for."""

DOUBTED = "srm"
"""While users are not divided as they should be, nothing that was compared counts."""

_ASKED_IN = frozenset({RolloutPhase.PROGRESSING, RolloutPhase.AWAITING_APPROVAL, RolloutPhase.HOLDING})
_LOOKED_AT_IN = _ASKED_IN | {RolloutPhase.COMPLETE}


@dataclass(frozen=True, slots=True)
class Look:
    """
    What one look brought.

    Attributes:
        verdicts: One per gate; None when the evidence could not be read.
        health: What is wrong with the comparison itself.
    """

    verdicts: tuple[GateVerdict, ...] | None
    health: tuple[Health, ...] = ()


_Place = tuple[str, int, int, int]
_NOWHERE: _Place = ("", -1, -1, -1)


@dataclass(slots=True)
class _Pending:
    place: _Place
    is_asked: bool
    task: asyncio.Task[Look]
    since_s: float


class Looks:
    """Asks gates, release by release, one look at a time each."""

    def __init__(self, rules: Rules, source: FactSource, clock: Clock) -> None:
        self._rules = rules
        self._source = source
        self._clock = clock
        self._tasks = TaskGroup()
        self._pending: dict[str, _Pending] = {}
        self._next_s: dict[str, tuple[_Place, bool, float]] = {}
        self._said: dict[str, tuple[GateVerdict, ...]] = {}

    def __repr__(self) -> str:
        """Give how many looks are under way."""
        return f"<Looks: {len(self._pending)} under way>"

    def verdicts(self, release: str) -> tuple[GateVerdict, ...]:
        """Give what the gates of a release said last; empty where they were not asked yet."""
        return self._said.get(release, ())

    def forget(self, release: str) -> None:
        """Know nothing of a release any more."""
        self._said.pop(release, None)
        self._next_s.pop(release, None)

    def begin(self, rollout: Rollout) -> None:
        """Have the gates asked, if it is time."""
        release = rollout.plan.release
        if release in self._pending or not self._is_due(rollout):
            return
        task = self._tasks.spawn(self._look(rollout))
        self._pending[release] = _Pending(_place(rollout), _is_asked(rollout), task, self._clock.now_s())

    def take(self, rollout: Rollout) -> Look | None:
        """Give what a look brought that has ended since the last call; None where none has, or it came too late."""
        release, now_s = rollout.plan.release, self._clock.now_s()
        pending = self._pending.get(release)
        if pending is None:
            return None
        if not pending.task.done():
            if now_s - pending.since_s < GIVES_UP_AFTER_S:
                return None
            pending.task.cancel()
            look = Look(None)
        else:
            look = Look(None) if pending.task.cancelled() or pending.task.exception() else pending.task.result()
        del self._pending[release]
        if pending.place != _place(rollout):
            return None
        if look.verdicts is not None:
            self._said[release] = look.verdicts
        again_s = LOOKS_EVERY_S if look.verdicts is not None else TRIES_AGAIN_AFTER_S
        self._next_s[release] = (pending.place, pending.is_asked, pending.since_s + again_s)
        return look

    def again(self, release: str) -> None:
        """Look again soon: what was seen could not be acted on."""
        place, is_asked, _ = self._next_s.get(release, (_NOWHERE, False, 0.0))
        self._next_s[release] = (place, is_asked, self._clock.now_s() + TRIES_AGAIN_AFTER_S)

    async def settle(self) -> None:
        """Wait for the looks under way: for simulations, whose clock does not run by itself."""
        await asyncio.gather(*(pending.task for pending in self._pending.values()), return_exceptions=True)

    async def close(self) -> None:
        """End what is under way."""
        self._pending.clear()
        await self._tasks.close()

    def _is_due(self, rollout: Rollout) -> bool:
        if rollout.phase not in _LOOKED_AT_IN:
            return False
        place, was_asked, next_s = self._next_s.get(rollout.plan.release, (_NOWHERE, False, 0.0))
        if place == _place(rollout) and (was_asked or not _is_asked(rollout)):
            return self._clock.now_s() >= next_s
        # Before its gates are asked a stage is looked at too: people want to see how far it is, and whether users come.
        return _is_asked(rollout) or rollout.dwelt_s + rollout.held_s >= LOOKS_EVERY_S

    async def _look(self, rollout: Rollout) -> Look:
        evidence = await self._source.evidence(rollout)
        if evidence is None:
            return Look(None)
        plan, stage = rollout.plan, rollout.stage
        health = tuple(self._rules.check(evidence))
        verdicts = self._rules.decide(plan, stage, evidence, trips_seen=bool(rollout.heard))
        return Look(_doubted(verdicts, health), health)


def _doubted(verdicts: Sequence[GateVerdict], health: Sequence[Health]) -> tuple[GateVerdict, ...]:
    """Give verdicts that say nothing while the comparison itself is broken: neither pass nor fail can be believed."""
    broken = next((one for one in health if one.kind == DOUBTED), None)
    if broken is None:
        return tuple(verdicts)
    return tuple(
        GateVerdict(one.gate, Verdict.INSUFFICIENT, broken.sentence, {"doubted": str(one.verdict), **one.evidence})
        for one in verdicts
    )


def _is_asked(rollout: Rollout) -> bool:
    """Tell whether it is time for the gates to answer."""
    stage = rollout.at
    is_over = rollout.dwelt_s >= stage.min_duration_s
    return rollout.phase in _ASKED_IN and is_over and bool(gates_of(stage))


def _place(rollout: Rollout) -> _Place:
    """Give what is another one once a look is no longer about this stage."""
    return rollout.plan.content, rollout.stage, rollout.epoch, rollout.entered_unix_ms
