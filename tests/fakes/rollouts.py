"""A rollout's world in the tests' hands: plans, what happened, what the gates say, a disk that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.clock import SettableClock
from gateway.control.journal import Entry
from gateway.control.keep import MemoryKeeper
from gateway.control.rollout import Latch, Rollout
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import (
    Action,
    ChangeType,
    Comparison,
    GateName,
    GateRule,
    OnInsufficient,
    RolloutPlan,
    Signal,
    SignalKind,
    SplitPlan,
    Stage,
    StageKind,
)
from gateway.domain.standing import Standing
from gateway.domain.variant import Variant
from gateway.errors import StateError
from gateway.gates.course import Course, Turn
from gateway.gates.evidence import Evidence
from gateway.gates.facts import Facts
from gateway.gates.verdict import GateVerdict, Trip, Verdict

DAY_S = 86_400.0
HOUR_S = 3_600.0


def share(weight: int, **kwargs: Any) -> Stage:
    """Give a stage of at least a day whose gate is `errors`; the last stays for ever and asks nothing."""
    if weight == BUCKETS:
        return Stage(StageKind.SHARE, weight)
    given: dict[str, Any] = {"min_duration_s": DAY_S, "gates": (GateName.ERRORS,)}
    return Stage(StageKind.SHARE, weight, **given | kwargs)


STAGES = (share(1_000), share(5_000), share(BUCKETS))
SIGNALS = (
    Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0),
    Signal("thumbs_down", SignalKind.DOWN_RATE, Action.STEP_BACK, 1.5, step_back_to=500),
)


def plan_of(content: str = "aaaaaaaaaaaa", stages: tuple[Stage, ...] = STAGES, **kwargs: Any) -> RolloutPlan:
    """Give the plan of `concise` against `current` on the route `support`: 10, 50 and 100 %, a day each."""
    return RolloutPlan(
        **{
            "release": "support",
            "route": "support",
            "baseline": "current",
            "candidate": "concise",
            "content": content,
            "change_type": ChangeType.PROMPT_WORDING,
            "stages": stages,
            "gates": {name: GateRule(name) for name in GateName},
            "signals": SIGNALS,
            "on_insufficient": OnInsufficient.EXTEND,
        }
        | kwargs
    )


def split_of(**kwargs: Any) -> SplitPlan:
    """Give the plan of a split of `one` and `two` against `current` on the route `chat`."""
    return SplitPlan(
        **{
            "release": "chat",
            "route": "chat",
            "baseline": "current",
            "weights": (("current", 4_000), ("one", 3_000), ("two", 3_000)),
            "contents": (("one", "111111111111"), ("two", "222222222222")),
            "signals": SIGNALS[:1],
        }
        | kwargs
    )


def trip_of(action: Action = Action.ROLLBACK, *, signal: str = "error_rate", **kwargs: Any) -> Trip:
    """Give a trip of the candidate's."""
    return Trip(
        **{
            "signal": signal,
            "rule": "e_process",
            "action": action,
            "arm": "concise",
            "sentence": f"{signal} is 7 times the baseline's.",
            "evidence": {"e_value": 812.0},
        }
        | kwargs
    )


def verdict_of(verdict: Verdict, gate: GateName = GateName.ERRORS) -> GateVerdict:
    """Give what one gate says."""
    return GateVerdict(gate, verdict, f"{gate} says {verdict}.", {"n_units": 500})


def variant_of(content_hash: str, name: str = "current") -> Variant:
    """Give a variant of that content."""
    return Variant(name, "openai", "gpt-4.1-mini", {}, content_hash=content_hash)


def latch_by(who: str, *, release: str = "support", at_unix_ms: int = 1) -> Latch:
    """Give what `sluice rollback` writes when nobody answers: it knows neither arm nor content."""
    return Latch(release, "", "", "person", "it answers in French", who, at_unix_ms)


class ScriptedWatch:
    """A watch that says what its rules are told to say, and notes what is done with it."""

    def __init__(self, rules: ScriptedRules, comparison: Comparison, heard: str) -> None:
        self._rules = rules
        self._comparison = comparison
        self.heard = [heard]

    def include(self, facts: Facts) -> None:
        """Note them."""
        self.heard.append(f"facts {facts.until_unix_ms}")

    def judge(self, unix_ms: int) -> Sequence[Trip]:
        """Give the trips of this arm that are scripted now."""
        if self._rules.is_broken:
            msg = "a fault of ours"
            raise RuntimeError(msg)
        return [trip for trip in self._rules.trips if trip.arm == self._comparison.arm]

    def readings(self, unix_ms: int) -> Sequence[Any]:
        """Give what was done with it."""
        return self.heard

    def snapshot(self) -> bytes:
        """Give what was done with it."""
        return "; ".join(self.heard).encode()

    def revise(self, comparison: Comparison) -> None:
        """Note it."""
        self.heard.append("revised")

    def restart(self, unix_ms: int, n_resumes: int) -> None:
        """Note it."""
        self.heard.append(f"restarted {n_resumes}")


@dataclass
class ScriptedHealth:
    """Something wrong with the comparison."""

    kind: str = "srm"
    sentence: str = "The arms' sizes do not fit their shares."
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class ScriptedRules:
    """
    Rules that say what they are told to.

    Attributes:
        trips: What every judgement gives, until it is taken away.
        verdicts: What gates say; those of a stage that are not here are silent.
        health: What is wrong with the comparison.
        is_broken: Judging raises.
    """

    trips: list[Trip] = field(default_factory=list)
    verdicts: list[GateVerdict] = field(default_factory=list)
    health: list[ScriptedHealth] = field(default_factory=list)
    is_broken: bool = False

    def watch(self, comparison: Comparison, *, since_unix_ms: int, n_resumes: int) -> ScriptedWatch:
        """Give a watch that has seen nothing."""
        return ScriptedWatch(self, comparison, f"begun {n_resumes}")

    def restored(self, comparison: Comparison, snapshot: bytes) -> ScriptedWatch:
        """Give a watch that remembers."""
        return ScriptedWatch(self, comparison, f"restored ({snapshot.decode()})")

    def decide(self, plan: RolloutPlan, stage: int, evidence: Evidence, *, trips_seen: bool) -> tuple[GateVerdict, ...]:
        """Give what gates are told to say."""
        return tuple(self.verdicts)

    def check(self, evidence: Evidence) -> Sequence[ScriptedHealth]:
        """Give what is told to be wrong."""
        return self.health


@dataclass
class ScriptedSource:
    """
    What happened, as told.

    Attributes:
        waiting: Facts that the next call gives.
        is_away: The store does not answer: evidence is None.
        is_broken: Reading evidence raises.
        there: Evidence is not there yet while this is clear: whoever asks waits.
        n_asked: How often evidence was asked for.
        n_given: How often it was there.
        turns: What looks at courses come to, each once; none while there is nothing left.
        looked_at: The courses that were looked at, with what was closed.
    """

    waiting: list[Facts] = field(default_factory=list)
    is_away: bool = False
    is_broken: bool = False
    there: asyncio.Event = field(default_factory=asyncio.Event)
    n_asked: int = 0
    n_given: int = 0
    turns: list[Turn] = field(default_factory=list)
    looked_at: list[tuple[Course, tuple[str, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with everything there."""
        self.there.set()

    def facts(self, release: str) -> Sequence[Facts]:
        """Give what is waiting, once."""
        given, self.waiting = [one for one in self.waiting if one.release == release], []
        return given

    async def evidence(self, rollout: Rollout) -> Evidence | None:
        """Give evidence with nothing in it: scripted gates look at nothing."""
        self.n_asked += 1
        if self.is_broken:
            msg = "the store is odd"
            raise RuntimeError(msg)
        await self.there.wait()
        self.n_given += not self.is_away
        return None if self.is_away else Evidence(until_unix_ms=0)

    async def turn(self, course: Course, closed: Sequence[str]) -> Turn | None:
        """Give the next turn, as told."""
        self.looked_at.append((course, tuple(closed)))
        await self.there.wait()
        return None if self.is_away or not self.turns else self.turns.pop(0)


@dataclass
class Published:
    """
    Where tables go.

    Attributes:
        log: What happens in order, shared with the keeper and the alerts.
        standings: Of the last table.
        version: Its version.
        is_broken: Publishing raises.
        hangs: Publishing never ends.
        before: Called at every publication, before it is done.
    """

    log: list[str] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)
    version: int = 0
    is_broken: bool = False
    hangs: bool = False
    before: Callable[[], None] = lambda: None

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        """Publish these."""
        self.before()
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_broken:
            msg = "no table"
            raise RuntimeError(msg)
        self.standings = dict(standings)
        self.version += 1
        self.log.append("published")
        return self.version

    def weight(self, release: str = "support", arm: str = "concise") -> int:
        """Give an arm's buckets in the last table, 0 where it is latched."""
        standing = self.standings[release]
        return 0 if arm in standing.latched else dict(standing.weights)[arm]


class JumpyClock(SettableClock):
    """A settable clock whose wall clock somebody sets, to a second that may be long past."""

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; monotonic time goes on as it did."""
        self._unix_ms += int(seconds * 1000)


class Killed(BaseException):
    """The process is no more."""


class MortalKeeper(MemoryKeeper):
    """
    A keeper in memory that notes the order of things, refuses, or dies with the process.

    Attributes:
        log: What was kept, in order.
        refuses: Names of calls that raise StateError.
        dies_at: The call, counted from 1, at which the process is killed; 0 for never.
        dies_after: It is killed when that call has done its work, not before.
        n_calls: Calls so far.
    """

    def __init__(self, log: list[str] | None = None) -> None:
        super().__init__()
        self.log = [] if log is None else log
        self.refuses: set[str] = set()
        self.dies_at = 0
        self.dies_after = False
        self.n_calls = 0

    def keep_latches(self, latches: Sequence[Latch]) -> None:
        """Keep exactly these."""
        self._call("latches", lambda: MemoryKeeper.keep_latches(self, latches))

    def keep_rollouts(
        self,
        rollouts: Mapping[str, Rollout],
        *,
        unwritten: Sequence[Entry] = (),
        routes: Mapping[str, str] | None = None,
        dormant: Sequence[Rollout] = (),
        splits: Mapping[str, SplitPlan] | None = None,
        courses: Mapping[str, Course] | None = None,
    ) -> None:
        """Keep exactly these."""
        self._call(
            "rollouts",
            lambda: MemoryKeeper.keep_rollouts(
                self, rollouts, unwritten=unwritten, routes=routes, dormant=dormant, splits=splits, courses=courses
            ),
        )

    def append(self, entries: Sequence[Entry]) -> None:
        """Add to the journal."""
        self._call("journal", lambda: MemoryKeeper.append(self, entries))

    def unread_latches(self) -> None:
        """Have a file of latches that nobody can read."""
        self.kept = replace(self.kept, latches=None)

    def _call(self, name: str, work: Callable[[], None]) -> None:
        self.n_calls += 1
        is_last = self.n_calls == self.dies_at
        if is_last and not self.dies_after:
            raise Killed
        if name in self.refuses:
            msg = "cannot write: disk full"
            raise StateError(msg)
        work()
        self.log.append(name)
        if is_last:
            raise Killed
