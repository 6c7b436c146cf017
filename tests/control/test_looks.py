"""Looks: when gates are asked, and what is made of a store that is slow, away or odd."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.looks import GIVES_UP_AFTER_S, LOOKS_EVERY_S, TRIES_AGAIN_AFTER_S, Looks
from gateway.control.machine import begin
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import DAY_S, ScriptedHealth, ScriptedRules, ScriptedSource, plan_of, verdict_of

READY = replace(begin(plan_of(), unix_ms=1, epoch=3)[0], dwelt_s=DAY_S)


class Room:
    """Looks with a source, rules and a clock of ours."""

    def __init__(self) -> None:
        self.source, self.clock = ScriptedSource(), SettableClock()
        self.rules = ScriptedRules(verdicts=[verdict_of(Verdict.PASS)])
        self.looks = Looks(self.rules, self.source, self.clock)

    async def asked(self, rollout: Rollout = READY, *, after_s: float = 0.0) -> object:
        """Give what a look after so many seconds brings: verdicts, None for nothing, or 'no look'."""
        self.clock.advance(after_s)
        self.looks.begin(rollout)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        look = self.looks.take(rollout)
        return "no look" if look is None else look.verdicts


@pytest.fixture
def room() -> Room:
    """Give a room."""
    return Room()


async def test_at_once_then_hourly(room: Room) -> None:
    """Gates are asked when the least time is over, and every hour from then on."""
    assert await room.asked() == tuple(room.rules.verdicts)
    assert await room.asked(after_s=LOOKS_EVERY_S - 1) == "no look"
    assert await room.asked(after_s=1) == tuple(room.rules.verdicts)
    assert room.looks.verdicts("support") == tuple(room.rules.verdicts)


async def test_seen_before_its_time(room: Room) -> None:
    """People see how far a stage is from its first hour on; when its time has come it is asked at once."""
    assert await room.asked(replace(READY, dwelt_s=60.0)) == "no look"
    assert await room.asked(replace(READY, dwelt_s=LOOKS_EVERY_S)) == tuple(room.rules.verdicts)
    assert await room.asked(replace(READY, dwelt_s=DAY_S), after_s=1) == tuple(room.rules.verdicts)


@pytest.mark.parametrize("phase", [RolloutPhase.PAUSED, RolloutPhase.ROLLED_BACK, RolloutPhase.FINISHED])
async def test_not_asked_in(room: Room, phase: RolloutPhase) -> None:
    """Who waits for a person, or is over, is not asked."""
    assert await room.asked(replace(READY, phase=phase)) == "no look" and room.source.n_asked == 0


@pytest.mark.parametrize("what", ["is_away", "is_broken"])
async def test_store_is_asked_again_soon(room: Room, what: str) -> None:
    """A store that is away or odd says nothing, and is asked again after a minute, not an hour."""
    setattr(room.source, what, True)
    assert await room.asked() is None
    setattr(room.source, what, False)
    assert await room.asked(after_s=TRIES_AGAIN_AFTER_S - 1) == "no look"
    assert await room.asked(after_s=1) == tuple(room.rules.verdicts)


async def test_hanging_store_is_given_up(room: Room) -> None:
    """One that never answers holds nobody: after some minutes it is as if it were away."""
    room.source.there.clear()
    assert await room.asked() == "no look"
    assert await room.asked(after_s=GIVES_UP_AFTER_S) is None
    await room.looks.close()


async def test_late_answer_is_thrown_away(room: Room) -> None:
    """What was read for a stage that was left meanwhile is of no use."""
    room.source.there.clear()
    assert await room.asked() == "no look"
    room.source.there.set()
    await room.looks.settle()
    assert room.looks.take(replace(READY, stage=1, epoch=4)) is None
    assert room.looks.verdicts("support") == ()


@pytest.mark.parametrize(("kind", "verdict"), [("srm", Verdict.INSUFFICIENT), ("no_traffic", Verdict.PASS)])
async def test_broken_comparison(room: Room, kind: str, verdict: Verdict) -> None:
    """While users are missing from an arm nothing that was compared counts, for or against."""
    room.rules.health = [ScriptedHealth(kind)]
    await room.asked()
    assert [said.verdict for said in room.looks.verdicts("support")] == [verdict]


async def test_again_soon(room: Room) -> None:
    """What could not be acted on is looked at again in a minute; what is forgotten, at once."""
    await room.asked()
    room.looks.again("support")
    assert await room.asked(after_s=TRIES_AGAIN_AFTER_S) != "no look"
    room.looks.forget("support")
    assert room.looks.verdicts("support") == () and await room.asked() != "no look"
