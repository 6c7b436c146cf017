"""
A rollout's life at random: errors, late and missing data, clock jumps, kills, restarts, other people's latches.

Whatever happens, in whatever order:

- a latch survives: a content that was rolled back gets nobody until a person resumed it;
- the last arm is kept: the baseline is never latched, and the weights add up;
- missing data never promotes: the weight rises by itself only after gates that were read have passed;
- nothing flaps: a weight that was lowered rises again only by a person's hand or for another content;
- weights come from the plan, or are 0, 5 or 25 %;
- what leaves the file and is back unchanged within 30 days goes on where it stood;
- every weight in force has its line in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.control.controller import Controller
from gateway.control.moves import STEP_BACKS, gates_of, weight_at
from gateway.control.rollout import Command, CommandKind, Rollout, RolloutPhase
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import (
    Action,
    Control,
    GateName,
    GateRule,
    OnFail,
    OnInsufficient,
    RolloutPlan,
    Stage,
    StageKind,
)
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import (
    DAY_S,
    HOUR_S,
    JumpyClock,
    Killed,
    MortalKeeper,
    Published,
    ScriptedRules,
    ScriptedSource,
    latch_by,
    plan_of,
    share,
    split_of,
    trip_of,
    verdict_of,
)

STEPS_PER_LIFE = 100
_INTERNAL = Stage(StageKind.INTERNAL, 0, min_duration_s=DAY_S, gates=(GateName.CRITICAL,))
_SHADOW = Stage(StageKind.SHADOW, 0, min_duration_s=DAY_S, sample=0.2)

PLANS: dict[str, tuple[Stage, ...]] = {
    "wording": (share(1_000), share(5_000), share(BUCKETS)),
    "bounded": (share(500, max_duration_s=2 * DAY_S), share(2_500, max_duration_s=2 * DAY_S), share(BUCKETS)),
    "feature": (_INTERNAL, share(100), share(500), share(2_500), share(BUCKETS)),
    "guardrail": (_INTERNAL, share(100, needs_approval=True), share(500, needs_approval=True), share(BUCKETS)),
    "shadowed": (_SHADOW, share(1_000), share(5_000)),
}
CONTENTS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")


class RolloutLife(RuleBasedStateMachine):
    """Lives one rollout and one split; Hypothesis chooses what happens."""

    n_steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.clock = JumpyClock(unix_ms=1_700_000_000_000)
        self.script, self.source, self.published = ScriptedRules(), ScriptedSource(), Published()
        self.keeper = MortalKeeper()
        self.runner = asyncio.Runner()
        self.closed: set[str] = set()
        self.is_lowered = False
        self.may_rise = False
        self.n_given = 0
        self.plan = plan_of()
        self.before: tuple[str, int, Rollout | None] = ("", 0, None)
        self.controller: Controller

    @initialize(
        name=st.sampled_from(sorted(PLANS)),
        control=st.sampled_from(Control),
        on_insufficient=st.sampled_from(OnInsufficient),
        on_fail=st.sampled_from(OnFail),
    )
    def begin(self, name: str, control: Control, on_insufficient: OnInsufficient, on_fail: OnFail) -> None:
        """A file with a rollout and a split is read for the first time."""
        rules = {gate: GateRule(gate, on_fail=on_fail) for gate in GateName}
        self.plan = plan_of(stages=PLANS[name], control=control, on_insufficient=on_insufficient, gates=rules)
        self.controller = self._made()
        self._admit(self.plan)

    @rule(seconds=st.sampled_from([1.0, 60.0, HOUR_S, DAY_S, 5 * DAY_S]))
    def time_passes(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.advance(seconds)
        self._run(self._ticks())

    @rule(seconds=st.sampled_from([-DAY_S, -600.0, HOUR_S, 40 * DAY_S]))
    def wall_clock_is_set(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.clock.jump(seconds)
        self._run(self._ticks())

    @rule(verdict=st.sampled_from([*Verdict, Verdict.PASS]), is_partial=st.booleans())
    def gates_say(self, verdict: Verdict, is_partial: bool) -> None:
        """Gates answer this from now on, or only one of them does."""
        names = (GateName.CRITICAL,) if is_partial else (GateName.CRITICAL, GateName.ERRORS)
        self.script.verdicts = [verdict_of(verdict, name) for name in names]

    @rule(is_away=st.booleans(), is_late=st.booleans(), is_broken=st.booleans())
    def store_is(self, is_away: bool, is_late: bool, is_broken: bool) -> None:
        """The store is away, slow or odd, or is not any more."""
        self.source.is_away, self.source.is_broken = is_away, is_broken
        (self.source.there.clear if is_late else self.source.there.set)()
        self._run(self._ticks())

    @rule(
        action=st.sampled_from(Action),
        signal=st.sampled_from(["error_rate", "thumbs_down", "task_completion"]),
        to=st.sampled_from([500, 2_500]),
        n_ticks=st.integers(1, 3),
        dies_at=st.integers(0, 3),
        dies_after=st.booleans(),
    )
    def signal_acts(self, action: Action, signal: str, to: int, n_ticks: int, dies_at: int, dies_after: bool) -> None:
        """A signal acts, for some ticks; the process may be killed while it is obeyed."""
        self.script.trips = [trip_of(action, signal=signal, step_back_to=to)]
        self._mortal(self._ticks(n_ticks), dies_at, dies_after)
        self.script.trips = []

    @rule(arm=st.sampled_from(["one", "two", "current"]))
    def split_arm_trips(self, arm: str) -> None:
        """An arm of the split does harm."""
        self.script.trips = [trip_of(Action.ROLLBACK, arm=arm)]
        self._run(self._ticks())
        self.script.trips = []

    @rule(
        kind=st.sampled_from(CommandKind),
        to=st.none() | st.sampled_from([100, 500, 1_000, 2_500, 5_000, 10_000]),
        is_stale=st.booleans(),
        key=st.sampled_from(["", "", "k1", "k2"]),
        dies_at=st.integers(0, 4),
        dies_after=st.booleans(),
    )
    def person_asks(
        self, kind: CommandKind, to: int | None, is_stale: bool, key: str, dies_at: int, dies_after: bool
    ) -> None:
        """A person asks something; the process may be killed while it is done."""
        command = Command(kind, "ana", "why not", to, expected_version=0 if is_stale else None, key=key)
        was = self._rollout()
        answered = self._mortal(self.controller.command("support", command), dies_at, dies_after)
        is_done = answered is None or str(answered.reply) == "done"
        self.may_rise = is_done and kind not in (CommandKind.PAUSE, CommandKind.ROLLBACK)
        is_open = self._rollout().phase is not RolloutPhase.ROLLED_BACK
        if is_done and kind is CommandKind.RESUME and is_open and was.phase is RolloutPhase.ROLLED_BACK:
            self.closed.discard(self.plan.content)

    @rule(content=st.sampled_from(CONTENTS), name=st.sampled_from(sorted(PLANS)))
    def file_changes(self, content: str, name: str) -> None:
        """The file has another content, other stages, or both."""
        is_other = content != self.plan.content
        self._admit(plan_of(content, PLANS[name], gates=self.plan.gates, on_insufficient=self.plan.on_insufficient))
        # Only another content begins anew; another plan begins at its first stage where even that is more.
        self.may_rise = is_other or self._rollout().stage == 0

    @rule(
        days=st.sampled_from([0.0, 0.0, 1.0, 29.0, 31.0]),
        tried=st.none() | st.sampled_from(CONTENTS),
        is_restarted=st.booleans(),
        dies_at=st.integers(0, 2),
        dies_after=st.booleans(),
    )
    def file_loses_it(self, days: float, tried: str | None, is_restarted: bool, dies_at: int, dies_after: bool) -> None:
        """The rollout leaves the file, or another content is tried in its place, and it comes back unchanged."""
        was, plan = self._rollout(), self.plan
        away = {} if tried in (None, plan.content) else {"support": replace(plan, content=str(tried))}
        self._mortal(self._admitted(away), dies_at, dies_after)
        if is_restarted:
            self._run(self._restarted(away))
        self.clock.advance(days * DAY_S)
        self._run(self._ticks())
        self.closed |= {one.content for one in self.controller.latches if one.release == "support"}
        self.may_rise = days > 30
        self._admit(plan)
        if days <= 30 and dies_at == 0:
            self._check_return(was)

    @rule()
    def somebody_closes_it(self) -> None:
        """`sluice rollback` writes the latches."""
        self.keeper.foreign = (latch_by("bob", at_unix_ms=self.clock.unix_ms()),)
        self.closed.add(self.plan.content)
        self._run(self._ticks())

    @rule(calls=st.sets(st.sampled_from(["latches", "rollouts", "journal"])))
    def disk_refuses(self, calls: set[str]) -> None:
        """The disk takes nothing for a while, and then does again."""
        self.keeper.refuses = calls
        self.script.trips = [trip_of(Action.ROLLBACK)] if "latches" in calls else []
        self.clock.advance(60.0)
        self._run(self._ticks())
        self.script.trips, self.keeper.refuses = [], set()
        self._run(self._ticks())

    @rule()
    def restart(self) -> None:
        """The process ends, and another one takes over."""
        self._run(self._restarted())

    @invariant()
    def holds(self) -> None:
        """Check all that must hold, against what workers have."""
        type(self).n_steps += 1
        self._check_weights()
        rollout = self._rollout()
        weight = self.published.weight()
        content, before, was = self.before
        if content == rollout.plan.content:
            if weight > before and not self.may_rise:
                self._check_rise(rollout, was)
            self.is_lowered = (self.is_lowered or weight < before) and not self.may_rise
        else:
            self.is_lowered = False
        self._check_latch(rollout, weight)
        self.before, self.may_rise, self.n_given = (rollout.plan.content, weight, rollout), False, self.source.n_given

    def teardown(self) -> None:
        """End what runs."""
        self.runner.close()

    def _check_weights(self) -> None:
        for standing in self.published.standings.values():
            assert sum(weight for _, weight in standing.weights) == BUCKETS, "weights add up"
            assert "current" not in standing.latched, "the last arm is kept"
        chat = self.published.standings["chat"]
        assert dict(chat.weights)["current"] >= 4_000, "the baseline of a split keeps what it has"
        plan = self._rollout().plan
        allowed = {0, *STEP_BACKS, BUCKETS, *(weight_at(plan, number) for number in range(len(plan.stages)))}
        assert self.published.weight() in allowed, "weights come from the plan, or are 0, 5 or 25 %"

    def _check_rise(self, rollout: Rollout, was: Rollout | None) -> None:
        assert not self.is_lowered, "what was lowered does not rise by itself"
        if rollout.phase is RolloutPhase.FINISHED or was is None:
            return
        # Time alone passes a stage without gates, and only such a one.
        passed = rollout.plan.stages[was.stage : rollout.stage]
        has_read = self.source.n_given > self.n_given and any(
            one.verdict is Verdict.PASS for one in self.script.verdicts
        )
        assert has_read or not any(gates_of(one) for one in passed), "missing data never promotes"

    def _check_return(self, was: Rollout) -> None:
        """Check that nothing is forgotten of a rollout that comes back unchanged."""
        now = self._rollout()
        is_same = (now.phase, now.stage, now.weight, now.reason) == (was.phase, was.stage, was.weight, was.reason)
        assert is_same, "what comes back unchanged goes on where it stood"
        assert (now.heard, now.passed, now.n_resumes) == (was.heard, was.passed, was.n_resumes), "nor is it forgiven"
        assert now.dwelt_s == was.dwelt_s, "and its time stood still"

    def _check_latch(self, rollout: Rollout, weight: int) -> None:
        content = rollout.plan.content
        if content in self.closed:
            assert weight == 0, "a latch survives"
            assert rollout.phase is RolloutPhase.ROLLED_BACK, "and is known to be closed"
        if rollout.phase is RolloutPhase.ROLLED_BACK:
            self.closed.add(content)
            assert any(latch.content == content for latch in self.controller.latches), "and is on disk"

    def _rollout(self) -> Rollout:
        return self.controller.rollouts["support"]

    def _made(self) -> Controller:
        return Controller(
            source=self.source,
            keeper=self.keeper,
            publish=self.published,
            clock=self.clock,
            alert=lambda _: None,
            rules=self.script,
        )

    def _admit(self, plan: RolloutPlan) -> None:
        self.plan = plan
        self._run(self._admitted({plan.release: plan}))

    async def _admitted(self, plans: dict[str, RolloutPlan]) -> None:
        split = split_of()
        self.controller.admit({**plans, split.release: split})
        if plans:
            await self.published.restand(self.controller.standings())

    async def _ticks(self, n: int = 2) -> None:
        for _ in range(n):
            await self.controller.tick()
            await asyncio.sleep(0)

    async def _restarted(self, plans: dict[str, RolloutPlan] | None = None) -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        self.keeper.dies_at = 0
        self.controller = self._made()
        await self._admitted({self.plan.release: self.plan} if plans is None else plans)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _mortal(self, work: Coroutine[Any, Any, Any], dies_at: int, dies_after: bool) -> Any:
        """Do something during which the process may be killed; None when it was, and another one took over."""
        self.keeper.dies_at = self.keeper.n_calls + dies_at if dies_at else 0
        self.keeper.dies_after = dies_after
        try:
            return self._run(work)
        except Killed:
            self.closed |= {one.content for one in self.keeper.kept.latches or () if one.release == "support"}
            self._run(self._restarted())
            return None
        finally:
            self.keeper.dies_at = 0


def run_rollout_machine(n_steps: int, *, seed_of_run: int = 0) -> int:
    """
    Live at random for at least about `n_steps` steps; give how many were taken.

    Raises:
        AssertionError: An invariant broke; Hypothesis shows the shortest life that breaks it.
    """
    RolloutLife.n_steps = 0
    n_lives = 0
    while RolloutLife.n_steps < n_steps:
        lives = max(1, (n_steps - RolloutLife.n_steps) // STEPS_PER_LIFE)
        options = settings(
            max_examples=lives,
            stateful_step_count=STEPS_PER_LIFE,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(seed_of_run + n_lives)(RolloutLife), settings=options)
        n_lives += lives
    return RolloutLife.n_steps
