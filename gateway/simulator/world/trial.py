"""
One run: the real controller, watch and gates, a virtual clock, and a world that answers.

Nothing here decides anything about a rollout. Persons in charge are played as the scenario says: they approve,
resume and promote after some hours, or never.
"""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, field

from gateway.clock import SettableClock
from gateway.control.controller import Controller
from gateway.control.journal import DecisionKind, Entry
from gateway.control.keep import MemoryKeeper
from gateway.control.real_rules import GateRules
from gateway.control.rollout import Command, CommandKind, RolloutPhase
from gateway.domain.rollout import Comparison, Plan, SplitPlan
from gateway.gates.watch import Watch
from gateway.simulator.world.answers import DayAnswer, answer_of
from gateway.simulator.world.scenario import Fault, People, Scenario
from gateway.simulator.world.world import Harm, World

STARTS_UNIX_MS = 1_767_571_200_000
"""A Monday, 5 January 2026, midnight UTC: when every run begins."""

MINUTE_S = 60
MINUTES_PER_DAY = 1_440
_ENDED = frozenset({RolloutPhase.ROLLED_BACK, RolloutPhase.FINISHED})
_REACTIONS = frozenset({DecisionKind.ROLLED_BACK, DecisionKind.STEPPED_BACK, DecisionKind.PAUSED, DecisionKind.STOPPED})


@dataclass(frozen=True, slots=True)
class Decision:
    """
    A journal entry, as far as summaries look at it.

    Attributes:
        minute: When, from the start.
        kind: What was decided.
        rule: What decided.
        signal: The signal that tripped; empty for everything else.
        who: `controller`, or `scenario` for the persons in charge.
        sentence: In words.
        from_stage: The stage's label before.
        to_stage: And after.
        to_weight: The candidate's buckets after.
    """

    minute: int
    kind: DecisionKind
    rule: str
    signal: str
    who: str
    sentence: str
    from_stage: str
    to_stage: str
    to_weight: int

    @property
    def cause(self) -> str:
        """Give what decided, as people call it: `error_rate (e_process)`, `gate:quality`."""
        return f"{self.signal} ({self.rule})" if self.signal else self.rule


@dataclass(frozen=True, slots=True)
class Trial:
    """
    What happened in one run.

    Attributes:
        seed: It was drawn from.
        phase: Where the rollout stood at the end; `running` or `stopped` of an experiment.
        stage: Label of the stage it had come to.
        minutes: How long it was.
        weights: (minute, candidate's buckets) whenever they changed.
        decisions: The journal, oldest first.
        harm: What the candidate did to people.
        harm_from_minute: When what is wrong began: the first fault, else the first users of the candidate; None
            when neither came.
        answers: Of an experiment: what was said at the end of each day.
    """

    seed: int
    phase: str
    stage: str
    minutes: int
    weights: tuple[tuple[int, int], ...]
    decisions: tuple[Decision, ...]
    harm: Harm
    harm_from_minute: int | None
    answers: tuple[DayAnswer, ...] = ()

    @property
    def answer(self) -> DayAnswer | None:
        """Give what an experiment said last; None of rollouts."""
        return self.answers[-1] if self.answers else None

    @property
    def decided_s(self) -> float | None:
        """Give the seconds until an experiment first said something to act on; None where it never did."""
        return next((86_400.0 * each.day for each in self.answers if each.is_final), None)

    @property
    def reaction(self) -> Decision | None:
        """Give the first decision against the candidate that the controller took; None for none."""
        return next((each for each in self.decisions if each.kind in _REACTIONS and each.who == "controller"), None)

    @property
    def detected_s(self) -> float | None:
        """Give the seconds from when it went wrong to the first reaction after; None when there was none."""
        begun = self.harm_from_minute
        if begun is None:
            return None
        times = [
            each.minute
            for each in self.decisions
            if each.kind in _REACTIONS and each.who == "controller" and each.minute >= begun
        ]
        return 60.0 * (times[0] - begun) if times else None

    def has(self, kind: DecisionKind) -> bool:
        """Tell whether something of a kind was decided."""
        return any(each.kind is kind for each in self.decisions)


def run_trial(plan: Plan, scenario: Scenario, *, seed: int) -> Trial:
    """Run a plan through a scenario once; the same trial for the same seed."""
    thresholds = gc.get_threshold()
    # Facts are millions of tuples without a circle in them: looking for circles takes a tenth of a run.
    gc.set_threshold(2_000_000, 50, 100)
    try:
        return asyncio.run(_Run(plan, scenario, seed).run())
    finally:
        gc.set_threshold(*thresholds)


class _SimulatedWatch(Watch):
    def snapshot(self) -> bytes:
        # Nothing is killed here, and the controller keeps watches every minute: half of a run's time.
        return b""


class _SimulatedRules(GateRules):
    def watch(self, comparison: Comparison, *, since_unix_ms: int, n_resumes: int) -> _SimulatedWatch:
        return _SimulatedWatch(comparison, since_unix_ms=since_unix_ms, n_resumes=n_resumes)


@dataclass(slots=True)
class _Waiting:
    """For what a person is waited, and since when."""

    phase: RolloutPhase | None = None
    since_minute: int = 0


@dataclass(slots=True)
class _Run:
    plan: Plan
    scenario: Scenario
    seed: int
    _weights: list[tuple[int, int]] = field(default_factory=list)
    _waiting: _Waiting = field(default_factory=_Waiting)
    _answers: list[DayAnswer] = field(default_factory=list)

    async def run(self) -> Trial:
        """Run it to its end."""
        clock = SettableClock(unix_ms=STARTS_UNIX_MS)
        world = World(self.plan, self.scenario, seed=self.seed, starts_unix_ms=STARTS_UNIX_MS)
        keeper = MemoryKeeper()
        rules = _SimulatedRules()
        controller = Controller(source=world, keeper=keeper, publish=world, clock=clock, alert=_unheard, rules=rules)
        controller.admit({self.plan.release: self.plan})
        await world.restand(controller.standings())
        self._note_weight(0, world.candidate_weight)
        last_minute = int(self.scenario.lasts_s // MINUTE_S)
        while world.minute < last_minute:
            world.pass_minute()
            clock.advance(MINUTE_S)
            await controller.tick()
            await controller.settle()
            self._note_weight(world.minute, world.candidate_weight)
            phase = self._phase_of(controller)
            await self._let_people_act(controller, phase, world.minute)
            if isinstance(self.plan, SplitPlan) and world.minute % MINUTES_PER_DAY == 0:
                day = world.minute // MINUTES_PER_DAY
                said = answer_of(self.plan, world, controller, day=day, unix_ms=clock.unix_ms())
                self._answers.append(said)
                if self._is_acted_upon(day):
                    break
            if phase in _ENDED or (
                self._is_settling(phase) and self._waited_s(world.minute) >= self.scenario.settles_s
            ):
                break
        return self._trial(world, controller, keeper)

    def _is_acted_upon(self, day: int) -> bool:
        """Tell whether an experiment has said for long enough what to do: people end it."""
        since = next((each.day for each in self._answers if each.is_final), None)
        return since is not None and 86_400.0 * (day - since) >= self.scenario.settles_s

    def _is_settling(self, phase: RolloutPhase | None) -> bool:
        """Tell whether nothing is to come but trips: it is complete, or waits for a person who never comes."""
        waits = phase in (RolloutPhase.PAUSED, RolloutPhase.AWAITING_APPROVAL)
        return phase is RolloutPhase.COMPLETE or (waits and _asked(self.scenario.people, phase) is None)

    def _waited_s(self, minute: int) -> float:
        return 60.0 * (minute - self._waiting.since_minute)

    def _phase_of(self, controller: Controller) -> RolloutPhase | None:
        rollout = controller.rollouts.get(self.plan.release)
        return None if rollout is None else rollout.phase

    def _note_weight(self, minute: int, weight: int) -> None:
        if not self._weights or self._weights[-1][1] != weight:
            self._weights.append((minute, weight))

    async def _let_people_act(self, controller: Controller, phase: RolloutPhase | None, minute: int) -> None:
        waiting = self._waiting
        if phase is not waiting.phase:
            waiting.phase, waiting.since_minute = phase, minute
        asked = _asked(self.scenario.people, phase)
        if asked is not None and 60 * (minute - waiting.since_minute) >= asked[1]:
            await controller.command(self.plan.release, Command(asked[0], who="scenario", why="as the scenario says"))
            waiting.phase = None

    def _trial(self, world: World, controller: Controller, keeper: MemoryKeeper) -> Trial:
        rollout = controller.rollouts.get(self.plan.release)
        entries = keeper.entries(release=self.plan.release, limit=10_000)
        return Trial(
            seed=self.seed,
            phase=str(rollout.phase) if rollout is not None else "stopped" if controller.latches else "running",
            stage=rollout.at.label if rollout is not None else "",
            minutes=world.minute,
            weights=tuple(self._weights),
            decisions=tuple(_decision_of(each) for each in reversed(entries)),
            harm=world.harm(),
            harm_from_minute=self._harm_from(world),
            answers=tuple(self._answers),
        )

    def _harm_from(self, world: World) -> int | None:
        """Give when it went wrong: the first fault's minute, else that of the candidate's first users."""
        if world.faults_from_minute is None:
            return None
        first = next(iter(self.scenario.faults), Fault(0.0, 0.0))
        minute = world.faults_from_minute + int(first.at_s // MINUTE_S)
        return minute if minute < world.minute else None


def _asked(people: People, phase: RolloutPhase | None) -> tuple[CommandKind, float] | None:
    """Give what the persons in charge do in a phase, and after how many seconds."""
    asked = {
        RolloutPhase.AWAITING_APPROVAL: (CommandKind.APPROVE, people.approve_after_s),
        RolloutPhase.PAUSED: (CommandKind.RESUME, people.resume_after_s),
        RolloutPhase.HOLDING: (CommandKind.PROMOTE, people.promote_after_s),
    }
    kind, after_s = asked.get(phase, (None, None)) if phase is not None else (None, None)
    return None if kind is None or after_s is None else (kind, after_s)


def _decision_of(entry: Entry) -> Decision:
    return Decision(
        minute=(entry.at_unix_ms - STARTS_UNIX_MS) // 60_000,
        kind=entry.kind,
        rule=entry.rule,
        signal=str(entry.evidence.get("signal", "")),
        who=entry.who,
        sentence=entry.sentence,
        from_stage=entry.from_stage,
        to_stage=entry.to_stage,
        to_weight=entry.to_weight,
    )


def _unheard(entry: Entry) -> None:
    """Nobody is alerted in a simulation: the journal has it all."""
