"""
Courses in the controller: how experiments that divide their own traffic begin, go on, and are looked at.

Their users are looked at beside the controller's loop, in a child where that takes long: what comes back for a course
that is another by now is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.assign.allocation import FREE, allocate_parts
from gateway.clock import Clock
from gateway.control.books import Books
from gateway.control.journal import DecisionKind, Entry
from gateway.control.moves import Draft
from gateway.control.ports import FactSource
from gateway.domain.release import SlotRange
from gateway.domain.rollout import Plan, SplitPlan
from gateway.gates.course import (
    Course,
    Owned,
    Part,
    Turn,
    first_memory,
    first_parts,
    looks_every_s,
    moved,
    plan_at,
    restarted,
    with_challengers,
)
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

TRIES_AGAIN_AFTER_S = (5.0, 60.0)
"""A store that was away is asked again after so long, then twice as long, and at most a minute."""

GIVES_UP_AFTER_S = 600.0
"""A look that takes longer is not waited for."""

MAX_COURSES = 1_000
"""Remembered, those that the file does not have now included."""


def begin_course(plan: SplitPlan, *, last_epoch: int, unix_ms: int) -> Course:
    """Give a course that begins: as the file says, in a new epoch."""
    ranges, memory = ranges_of(plan, first_parts(plan)), first_memory(plan, unix_ms=unix_ms)
    course = Course(plan, last_epoch, ranges, unix_ms, memory=memory)
    return restarted(course, last_epoch, unix_ms=unix_ms)


def replanned(course: Course, plan: SplitPlan, *, unix_ms: int) -> Course | None:
    """
    Give a course that goes on under another plan of the same arms; None where what is compared is another thing.

    Arms that came have nothing yet, and the baseline gets what arms had that are gone: the next look, which is due at
    once, does the rest.
    """
    before, after = dict(course.plan.contents), dict(plan.contents)
    is_same = course.plan.kind is plan.kind and course.plan.baseline == plan.baseline
    if not is_same or any(after[arm] != before[arm] for arm in after.keys() & before.keys()):
        return None
    if after.keys() == before.keys():
        return replace(course, plan=plan)
    if plan.ladder is not None:
        course, parts = with_challengers(course, plan.ladder.challengers, unix_ms=unix_ms)
        ranges = ranges_of(plan, parts)
        kept = replace(course, plan=plan, ranges=ranges, looked_unix_ms=0)
    else:
        kept = replace(course, plan=plan, ranges=_without_gone(course, plan), looked_unix_ms=0)
    return kept if kept.ranges == course.ranges else restarted(kept, course.epoch, unix_ms=unix_ms)


def _without_gone(course: Course, plan: SplitPlan) -> tuple[Owned, ...]:
    known = {arm for arm, _ in plan.weights}
    baseline = plan_at(replace(course, plan=plan)).baseline
    return tuple((start, end, arm if arm in known else baseline) for start, end, arm in course.ranges)


def turned(course: Course, turn: Turn, *, unix_ms: int) -> tuple[Course, tuple[Draft, ...]]:
    """Give a course after a turn, and what is to be journalled."""
    ranges = ranges_of(course.plan, turn.parts, course.ranges) if turn.parts else course.ranges
    after = moved(course, turn, ranges, unix_ms=unix_ms)
    if after.ranges == course.ranges and not turn.is_news:
        return after, ()
    kind = DecisionKind.CONCLUDED if turn.is_news else DecisionKind.REWEIGHED
    return after, (Draft(kind, turn.sentence, turn.rule, epoch=after.epoch, evidence=turn.evidence),)


def ranges_of(plan: SplitPlan, parts: Sequence[Part], previous: Sequence[Owned] | None = None) -> tuple[Owned, ...]:
    """Give who owns which bucket, moving as few as can be from who owned them before."""
    names = [arm for arm, _ in plan.weights]
    index = {name: at for at, name in enumerate(names)}
    sizes = [[dict(part).get(name, 0) for name in names] for part in parts]
    before = None
    if previous is not None:
        before = tuple(SlotRange(start, end, index.get(arm, FREE)) for start, end, arm in previous)
    ranges = allocate_parts(sizes, baseline=index[plan.baseline], previous=before)
    return tuple((one.start, one.end, names[one.arm]) for one in ranges)


@dataclass(slots=True)
class _Pending:
    course: Course
    closed: tuple[str, ...]
    task: asyncio.Task[Turn | None]
    since_s: float


class CourseLooks:
    """Has courses looked at, one look at a time each."""

    def __init__(self, source: FactSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._tasks = TaskGroup()
        self._pending: dict[str, _Pending] = {}
        self._seen_closed: dict[str, tuple[str, ...]] = {}
        self._not_before_s: dict[str, float] = {}
        self._n_failed: dict[str, int] = {}

    def __repr__(self) -> str:
        """Give how many looks are under way."""
        return f"<CourseLooks: {len(self._pending)} under way>"

    def begin(self, course: Course, closed: tuple[str, ...]) -> None:
        """Have a course looked at, if it is time; or if a breaker has closed or opened since the last look."""
        release = course.plan.release
        if release in self._pending or not self._is_due(course, closed):
            return
        task = self._tasks.spawn(self._source.turn(course, closed))
        self._pending[release] = _Pending(course, closed, task, self._clock.now_s())

    def take(self, course: Course, closed: tuple[str, ...]) -> Turn | None:
        """Give what a look brought that has ended since the last call; None where none has, or it came too late."""
        release, now_s = course.plan.release, self._clock.now_s()
        pending = self._pending.get(release)
        if pending is None or (not pending.task.done() and now_s - pending.since_s < GIVES_UP_AFTER_S):
            return None
        del self._pending[release]
        if not pending.task.done():
            pending.task.cancel()
        turn = _result_of(pending.task, release)
        if turn is None:
            self.again(release)
            return None
        self._n_failed.pop(release, None)
        if pending.course is not course or pending.closed != closed:
            return None
        self._seen_closed[release] = closed
        return turn

    def again(self, release: str) -> None:
        """Look again soon: nothing was seen, or it could not be acted on."""
        n_failed = self._n_failed.get(release, 0)
        self._n_failed[release] = n_failed + 1
        first, longest = TRIES_AGAIN_AFTER_S
        self._not_before_s[release] = self._clock.now_s() + min(longest, first * 2.0 ** min(n_failed, 10))

    async def settle(self) -> None:
        """Wait for the looks under way: for simulations, whose clock does not run by itself."""
        await asyncio.gather(*(pending.task for pending in self._pending.values()), return_exceptions=True)

    async def close(self) -> None:
        """End what is under way."""
        self._pending.clear()
        await self._tasks.close()

    def _is_due(self, course: Course, closed: tuple[str, ...]) -> bool:
        release = course.plan.release
        if self._clock.now_s() < self._not_before_s.get(release, 0.0):
            return False
        if closed != self._seen_closed.get(release, closed):
            return True
        since_ms = self._clock.unix_ms() - course.looked_unix_ms
        # A wall clock that was set back must not keep a course from being looked at for as long.
        return not course.looked_unix_ms or since_ms < 0 or since_ms >= 1000 * looks_every_s(course.plan)


def _result_of(task: asyncio.Task[Turn | None], release: str) -> Turn | None:
    if not task.done() or task.cancelled():
        return None
    fault = task.exception()
    if fault is not None:
        log.error("a course could not be looked at", exc_info=fault, extra={"release": release, "storm": "course"})
        return None
    return task.result()


def admit_courses(books: Books, plans: Mapping[str, Plan], epochs: Mapping[str, int], *, unix_ms: int) -> list[Entry]:
    """
    Begin the courses that a new file has, or go on with them; give what is to be journalled.

    Args:
        books: What is under way; its courses are replaced.
        plans: All that the file has now, by release.
        epochs: The last epoch in use of releases that control knows nothing of.
        unix_ms: Now.
    """
    entries = []
    for release, plan in plans.items():
        if not isinstance(plan, SplitPlan) or not plan.is_adaptive:
            continue
        known = books.courses.pop(release, None)
        course = None if known is None else replanned(known, plan, unix_ms=unix_ms)
        if course is None:
            last = max(epochs.get(release, 0), 0 if known is None else known.epoch)
            course = begin_course(plan, last_epoch=last, unix_ms=unix_ms)
            draft = Draft(DecisionKind.STARTED, begun_sentence(course), "file", epoch=course.epoch)
            entries.append(books.number(plan.route, release, draft))
        # At the end: those that no file has had for the longest are forgotten first.
        books.courses[release] = course
    for release in list(books.courses)[: max(0, len(books.courses) - MAX_COURSES)]:
        del books.courses[release]
    return entries


def begun_sentence(course: Course) -> str:
    """Say that an experiment begins, and how."""
    shares = ", ".join(f"{arm} {buckets / 100:g} %" for arm, buckets in course.weights.items() if buckets)
    return f"The {course.plan.kind} {course.plan.release} on {course.plan.route} begins with {shares}."


def plans_at(plans: Mapping[str, Plan], courses: Mapping[str, Course]) -> dict[str, Plan]:
    """Give plans as they stand: of courses with the weights, and the champion, of now."""
    return {release: _plan_at(plan, courses.get(release)) for release, plan in plans.items()}


def _plan_at(plan: Plan, course: Course | None) -> Plan:
    is_steered = course is not None and isinstance(plan, SplitPlan) and plan.is_adaptive
    return plan_at(course) if course is not None and is_steered else plan
