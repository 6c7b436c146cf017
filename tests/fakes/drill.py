"""
A script language for the control plane: what happens is written with >>, what must follow with <<.

    drill >> trips("error_rate") << weight(0) << phase("rolled_back")
    drill >> after(days=2) >> restarted() << weight(0)

Where the two part, the whole conversation is shown. A drill that ends without having been asked anything fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.clock import SettableClock
from gateway.control.controller import Answered, Controller
from gateway.control.journal import Entry
from gateway.control.rollout import Command, CommandKind
from gateway.domain.rollout import Action, GateName, Plan, RolloutPlan
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import (
    MortalKeeper,
    Published,
    ScriptedRules,
    ScriptedSource,
    latch_by,
    plan_of,
    trip_of,
    verdict_of,
)

NOON_UNIX_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Happens:
    """Something that happens."""

    text: str
    work: Callable[[Drill], Awaitable[None]]


@dataclass(frozen=True)
class Expected:
    """Something that must be so."""

    text: str
    read: Callable[[Drill], Any]
    wanted: Any


class Drill:
    """
    One controller in a world that does what the script says.

    Attributes:
        rules: What watches and gates say.
        source: What happened.
        keeper: The disk, which outlives restarts.
        published: The workers.
        clock: The time.
        alerts: What people were told.
        answers: What commands came to.
        plans: What the file has.
    """

    def __init__(self, *plans: Plan) -> None:
        self.log: list[str] = []
        self.rules, self.source = ScriptedRules(), ScriptedSource()
        self.keeper, self.published = MortalKeeper(self.log), Published(self.log)
        self.clock = SettableClock(unix_ms=NOON_UNIX_MS)
        self.alerts: list[Entry] = []
        self.answers: list[Answered] = []
        self.plans = {plan.release: plan for plan in plans or (plan_of(),)}
        self._said: list[str] = []
        self._is_asked = False
        self._runner = asyncio.Runner()
        self.controller = self._made()
        self._runner.run(self.admit())

    def __rshift__(self, happens: Happens) -> Drill:
        """Let something happen."""
        self._said.append(f">> {happens.text}")
        self._is_asked = False
        self._runner.run(self._work(happens))
        return self

    def __lshift__(self, expected: Expected) -> Drill:
        """Demand something; raises AssertionError with the whole conversation."""
        found = expected.read(self)
        self._is_asked = True
        line = f"<< {expected.text}"
        if found != expected.wanted:
            told = "\n".join([*self._said, f"{line}  <-- but it is {found!r}"])
            raise AssertionError(f"here they part:\n{told}")
        self._said.append(line)
        return self

    async def _work(self, happens: Happens) -> None:
        await happens.work(self)

    def finish(self) -> None:
        """End it; raises AssertionError when nothing was asked after the last thing that happened."""
        self._runner.close()
        if not self._is_asked:
            told = "\n".join(self._said)
            raise AssertionError(f"nobody asked how it ended:\n{told}")

    async def admit(self) -> None:
        """Read the file, and publish it."""
        self.controller.admit(self.plans, config_version=1, config_hash="c0ffee")
        await self.published.restand(self.controller.standings())

    async def tick(self, n: int = 1) -> None:
        """Let so many ticks go by, none of which takes time."""
        for _ in range(n):
            await self.controller.tick()
            await self.controller.settle()

    async def restart(self) -> None:
        """Have another process take over what this one kept."""
        self.keeper.dies_at = 0
        self.controller = self._made()
        await self.admit()

    async def restart_refused(self) -> None:
        """Have another process take over whose file is refused: it has nothing but what was kept."""
        self.controller = self._made()
        await self.tick()

    async def ask(self, command: Command, release: str = "support") -> None:
        """Have a person ask something."""
        self.answers.append(await self.controller.command(release, command))

    def _made(self) -> Controller:
        return Controller(
            source=self.source,
            keeper=self.keeper,
            publish=self.published,
            clock=self.clock,
            alert=self._heard,
            rules=self.rules,
        )

    def _heard(self, entry: Entry) -> None:
        self.log.append("alert")
        self.alerts.append(entry)


def trips(signal: str, action: Action = Action.ROLLBACK, **kwargs: Any) -> Happens:
    """A signal acts, once."""

    async def work(drill: Drill) -> None:
        drill.rules.trips = [trip_of(action, signal=signal, **kwargs)]
        await drill.tick()
        drill.rules.trips = []

    return Happens(f"{signal} acts: {action}", work)


def gates(**verdicts: str) -> Happens:
    """Gates say this from now on: `gates(errors="pass")`."""

    async def work(drill: Drill) -> None:
        drill.rules.verdicts = [verdict_of(Verdict(said), GateName(name)) for name, said in verdicts.items()]

    return Happens(f"gates say {verdicts}", work)


def after(*, days: float = 0.0, hours: float = 0.0, seconds: float = 0.0) -> Happens:
    """Time goes by, with a tick at its end and two more for what was read."""

    async def work(drill: Drill) -> None:
        drill.clock.advance(days * 86_400 + hours * 3_600 + seconds)
        await drill.tick(3)

    return Happens(f"{days} days, {hours} hours, {seconds} seconds", work)


def restarted() -> Happens:
    """The control process is killed, and another one takes over."""

    async def work(drill: Drill) -> None:
        await drill.restart()
        await drill.tick()

    return Happens("restart", work)


def edited(plan: RolloutPlan | None) -> Happens:
    """The file has another plan, or none."""

    async def work(drill: Drill) -> None:
        drill.plans = {} if plan is None else {plan.release: plan}
        await drill.admit()
        await drill.tick()

    return Happens(f"the file has {plan.content if plan else 'nothing'}", work)


def asked(kind: str, who: str = "ana", **kwargs: Any) -> Happens:
    """A person asks something: `asked("promote", to_weight=5_000)`."""

    async def work(drill: Drill) -> None:
        release = kwargs.pop("release", "support")
        await drill.ask(Command(CommandKind(kind), who, **kwargs), release)

    return Happens(f"{who} asks: {kind} {kwargs}", work)


def store_away(is_away: bool = True) -> Happens:
    """The store does not answer, or does again."""

    async def work(drill: Drill) -> None:
        drill.source.is_away = is_away

    return Happens(f"store away: {is_away}", work)


def disk_refuses(*calls: str) -> Happens:
    """These calls of the keeper fail from now on: `latches`, `rollouts`, `journal`."""

    async def work(drill: Drill) -> None:
        drill.keeper.refuses = set(calls)

    return Happens(f"the disk refuses {calls}", work)


def closed_outside(who: str = "bob", *, at_unix_ms: int = NOON_UNIX_MS, release: str = "support") -> Happens:
    """`sluice rollback` writes the latches, for nobody answered."""

    async def work(drill: Drill) -> None:
        drill.keeper.foreign = (latch_by(who, release=release, at_unix_ms=at_unix_ms),)
        await drill.tick()

    return Happens(f"{who} rolls back through the state directory", work)


def weight(wanted: int, release: str = "support", arm: str = "concise") -> Expected:
    """The workers give an arm so many buckets."""
    return Expected(f"weight {wanted}", lambda drill: drill.published.weight(release, arm), wanted)


def phase(wanted: str) -> Expected:
    """The rollout is in this phase."""
    return Expected(f"phase {wanted}", lambda drill: str(drill.controller.rollouts["support"].phase), wanted)


def journal(*kinds: str) -> Expected:
    """The last entries are of these kinds, oldest first."""

    def read(drill: Drill) -> list[str]:
        return [str(entry.kind) for entry in drill.keeper.journal[-len(kinds) :]]

    return Expected(f"journal … {kinds}", read, list(kinds))


def answered(wanted: str) -> Expected:
    """The last command came to this."""
    return Expected(f"answered {wanted}", lambda drill: str(drill.answers[-1].reply), wanted)


def resumes(wanted: int) -> Expected:
    """The rollout was resumed so often after a trip."""
    return Expected(f"resumes {wanted}", lambda drill: drill.controller.rollouts["support"].n_resumes, wanted)


def stage(wanted: int) -> Expected:
    """The rollout is in this stage."""
    return Expected(f"stage {wanted}", lambda drill: drill.controller.rollouts["support"].stage, wanted)


def log(*wanted: str) -> Expected:
    """The last things that happened outside, in order."""
    return Expected(f"log … {wanted}", lambda drill: drill.log[-len(wanted) :], list(wanted))
