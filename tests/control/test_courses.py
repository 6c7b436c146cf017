"""Courses in the controller: begun, looked at, divided anew, kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.controller import Controller
from gateway.control.courses import begin_course, replanned, turned
from gateway.control.journal import DecisionKind
from gateway.control.rollout import Command, CommandKind
from gateway.domain.adaptive import BanditPlan, LadderPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.course import Course, Part, Turn, ladder_state_of
from gateway.gates.ladder import first_state, memory_of
from tests.fakes.rollouts import MortalKeeper, Published, ScriptedRules, ScriptedSource

ARMS = ("x", "y", "z")
CONTENTS = (("x", "00"), ("y", "11"), ("z", "22"))
PLAN = SplitPlan("s", "r", "x", (("x", 3_334), ("y", 3_333), ("z", 3_333)), CONTENTS, (), bandit=BanditPlan("thumbs"))
DAY_S = 86_400.0


def turn_to(x: int, y: int, z: int, *, is_news: bool = False) -> Turn:
    """Give a look that wants these buckets of the rest; the slice stays equal."""
    parts = ((("x", 334), ("y", 333), ("z", 333)), (("x", x), ("y", y), ("z", z)))
    return Turn(parts, "exploiting", "y is probably the best.", "bandit", {"n": 1}, (("y", 0.9),), is_news=is_news)


def begun() -> Course:
    """Give a bandit that has just begun."""
    return begin_course(PLAN, last_epoch=4, unix_ms=1_000)


class World:
    """A controller with everything around it scripted."""

    def __init__(self, keeper: MortalKeeper | None = None) -> None:
        self.clock = SettableClock(unix_ms=1_000_000)
        self.source, self.published = ScriptedSource(), Published()
        self.keeper = MortalKeeper() if keeper is None else keeper
        self.controller = self.started()

    def started(self) -> Controller:
        """Give a process that goes on from what is kept."""
        controller = Controller(
            source=self.source,
            keeper=self.keeper,
            publish=self.published,
            clock=self.clock,
            alert=lambda entry: None,
            rules=ScriptedRules(),
        )
        controller.admit({"s": PLAN})
        return controller

    async def look(self, turn: Turn | None, *, after_s: float = DAY_S) -> None:
        """Let time pass, and a look end."""
        self.source.turns = [] if turn is None else [turn]
        self.clock.advance(after_s)
        for _ in range(2):
            await self.controller.tick()
            await self.controller.settle()

    @property
    def course(self) -> Course:
        """Give the course, which is there."""
        course = self.controller.course("s")
        assert course is not None
        return course


def test_begins_equally_in_a_new_epoch() -> None:
    """Nobody's feedback of before is taken for this one's."""
    course = begun()
    assert (course.epoch, course.ranges[0][0], course.ranges[-1][1]) == (5, 0, 10_000)
    assert course.weights == {"x": 3_334, "y": 3_333, "z": 3_333}


def test_turn_moves_as_few_as_it_can() -> None:
    """Who need not move keeps their bucket; a line says why the others do."""
    course = begun()
    after, drafts = turned(course, turn_to(2_000, 5_000, 2_000), unix_ms=2_000)
    before_of = {bucket: arm for start, end, arm in course.ranges for bucket in range(start, end)}
    after_of = {bucket: arm for start, end, arm in after.ranges for bucket in range(start, end)}
    assert sum(before_of[bucket] != after_of[bucket] for bucket in range(10_000)) == 2_000
    assert all(before_of[bucket] == after_of[bucket] for bucket in range(1_000))
    assert (after.epoch, drafts[0].kind, drafts[0].evidence) == (6, DecisionKind.REWEIGHED, {"n": 1})


def test_turn_that_moves_nobody() -> None:
    """Is no line, unless it is news."""
    course = begun()
    assert turned(course, turn_to(3_000, 3_000, 3_000), unix_ms=2)[1] == ()
    after, drafts = turned(course, turn_to(3_000, 3_000, 3_000, is_news=True), unix_ms=2)
    assert (after.epoch, drafts[0].kind) == (course.epoch, DecisionKind.CONCLUDED)


def test_thresholds_change_nothing() -> None:
    """Another half-life is the same experiment; another content is another one."""
    course = begun()
    after = replanned(course, replace(PLAN, bandit=BanditPlan("thumbs", half_life_s=None)), unix_ms=9)
    assert after is not None
    assert (after.epoch, after.ranges, after.plan.bandit) == (5, course.ranges, BanditPlan("thumbs", half_life_s=None))
    assert replanned(course, replace(PLAN, contents=(*CONTENTS[:2], ("z", "33"))), unix_ms=9) is None


def test_arms_come_and_go() -> None:
    """Whoever had an arm that is gone gets the baseline; who came has nobody until the next look."""
    weights = (("x", 3_334), ("y", 3_333), ("w", 3_333))
    after = replanned(begun(), replace(PLAN, weights=weights, contents=(*CONTENTS[:2], ("w", "44"))), unix_ms=9)
    assert after is not None
    assert after.weights == {"x": 6_667, "y": 3_333, "w": 0}
    assert (after.epoch, after.looked_unix_ms) == (6, 0)


async def test_looks_when_it_is_time() -> None:
    """At once, then when weights may move again."""
    world = World()
    await world.look(turn_to(3_000, 3_000, 3_000), after_s=1)
    await world.look(None, after_s=3_600)
    assert len(world.source.looked_at) == 1
    await world.look(turn_to(1_000, 7_000, 1_000))
    assert len(world.source.looked_at) == 2


async def test_workers_get_what_was_decided() -> None:
    """The table has the ranges and the epoch, and what watches it knows the weights."""
    world = World()
    await world.look(turn_to(1_000, 7_000, 1_000))
    standing = world.published.standings["s"]
    assert (standing.ranges, standing.epoch) == (world.course.ranges, world.course.epoch)
    assert dict(world.controller.splits["s"].weights) == {"x": 1_334, "y": 7_333, "z": 1_333}


async def test_kept_before_it_is_published() -> None:
    """A disk that takes nothing moves nobody, and the look is tried again."""
    world = World()
    await world.look(turn_to(3_000, 3_000, 3_000), after_s=1)
    before = world.course
    world.keeper.refuses = {"rollouts"}
    await world.look(turn_to(1_000, 7_000, 1_000))
    assert (world.course.ranges, world.published.version) == (before.ranges, 0)
    world.keeper.refuses = set()
    await world.look(turn_to(1_000, 7_000, 1_000))
    assert world.course.weights["y"] == 7_333


async def test_goes_on_after_a_restart() -> None:
    """A new process has the same ranges, in the same epoch, and looks no sooner."""
    world = World()
    await world.look(turn_to(1_000, 7_000, 1_000))
    before = world.course
    world.controller = world.started()
    assert world.course == before
    assert world.controller.standings()["s"].ranges == before.ranges
    n_looks = len(world.source.looked_at)
    await world.look(None, after_s=60)
    assert len(world.source.looked_at) == n_looks


async def test_closed_arm_is_looked_at_at_once() -> None:
    """Its users get the baseline in that instant, and others when the look has ended."""
    world = World()
    await world.look(turn_to(3_000, 3_000, 3_000), after_s=1)
    await world.controller.command("s", Command(CommandKind.ROLLBACK, who="ana", arm="y"))
    assert world.published.standings["s"].latched == ("y",)
    await world.look(turn_to(5_000, 0, 4_000), after_s=1)
    assert world.source.looked_at[-1][1] == ("y",)
    assert world.course.weights["y"] == 333


async def test_store_that_is_away() -> None:
    """Nothing is decided, and it is asked again soon, and then less and less soon."""
    world = World()
    world.source.is_away = True
    for after_s in (1, 6, 6, 6, 21):
        await world.look(None, after_s=after_s)
    assert len(world.source.looked_at) == 4
    world.source.is_away = False
    await world.look(turn_to(1_000, 7_000, 1_000), after_s=41)
    assert world.course.weights["y"] == 7_333


async def test_stale_look_is_thrown_away() -> None:
    """What was found before the file changed is not acted on."""
    world = World()
    world.source.there.clear()
    world.source.turns = [turn_to(1_000, 7_000, 1_000)]
    await world.controller.tick()
    world.controller.admit({"s": replace(PLAN, bandit=BanditPlan("thumbs", half_life_s=None))})
    world.source.there.set()
    await world.controller.settle()
    await world.controller.tick()
    assert world.course.weights["y"] == 3_333


@pytest.mark.parametrize("kind", [CommandKind.PROMOTE, CommandKind.PAUSE, CommandKind.APPROVE])
async def test_has_no_stages(kind: CommandKind) -> None:
    """What only rollouts know is refused, in the words of its kind."""
    answered = await World().controller.command("s", Command(kind, who="ana"))
    assert "a bandit has no stages" in answered.sentence


async def test_becomes_a_split_and_comes_back() -> None:
    """In between the file divides; afterwards it goes on where it was, under an epoch nobody has seen."""
    world = World()
    await world.look(turn_to(1_000, 7_000, 1_000))
    before = world.course
    world.controller.admit({"s": replace(PLAN, bandit=None)})
    assert world.controller.course("s") is None
    assert world.controller.standings()["s"].ranges is None
    world.controller.admit({"s": PLAN})
    assert world.course.weights == before.weights


LADDER = replace(
    PLAN,
    weights=(("x", 5_000), ("y", 5_000), ("z", 0)),
    bandit=None,
    primary_metric="thumbs",
    ladder=LadderPlan("x", ("y", "z")),
)


async def test_new_champion_is_the_baseline() -> None:
    """Who won gets whoever is not compared, and is what the next challenger is watched against."""
    world = World()
    world.controller.admit({"s": LADDER})
    memory = memory_of(replace(first_state("y", ["z"], unix_ms=5), number=2))
    parts: tuple[Part, ...] = ((("y", 2_500),), (("z", 2_500),), (("y", 2_500),), (("z", 2_500),))
    await world.look(Turn(parts, "running", "y wins.", "ladder", memory=memory, is_news=True), after_s=1)
    standing = world.published.standings["s"]
    assert (standing.baseline, dict(standing.weights)) == ("y", {"x": 0, "y": 5_000, "z": 5_000})
    assert world.keeper.journal[-1].kind is DecisionKind.CONCLUDED
    assert "s" in world.controller.splits and world.controller.splits["s"].baseline == "y"


async def test_challengers_come_later() -> None:
    """A name added to the list waits for its turn; nobody moves."""
    world = World()
    world.controller.admit({"s": LADDER})
    before = world.course
    weights = (*LADDER.weights, ("w", 0))
    more = replace(LADDER, weights=weights, contents=(*CONTENTS, ("w", "44")), ladder=LadderPlan("x", ("y", "z", "w")))
    world.controller.admit({"s": more})
    assert (world.course.ranges, world.course.epoch) == (before.ranges, before.epoch)
    assert ladder_state_of(world.course).waiting == ("z", "w")
