"""
The controller: read, decide, publish, journal; every second, and whenever a person asks.

It decides nothing itself. `gates` say what the facts mean, `machine` what follows, `books` in which order it is
written down. What makes less of a candidate is done at once, whatever cannot be kept: the latch is synced, the table
published, then come the rollouts, the journal and the alerts. What makes more of one is kept first, and left undone
where it cannot be. A store that is away promotes nothing and clears nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.clock import Clock
from gateway.control import splits
from gateway.control.accepted import Accepted, MemoryContents
from gateway.control.admitting import admitted, close_for
from gateway.control.books import Books
from gateway.control.changes import Changes
from gateway.control.commands import Asked, Reply, refusal_of
from gateway.control.courses import CourseLooks, admit_courses, plans_at, turned
from gateway.control.journal import DecisionKind, Entry
from gateway.control.latches import held_arms, latch_on, without
from gateway.control.looks import Look, Looks
from gateway.control.machine import Closed, Elapsed, Tripped, step
from gateway.control.moves import Draft
from gateway.control.ports import FactSource, Keeper, Publish
from gateway.control.rollout import Command, CommandKind, Latch, Rollout, RolloutPhase
from gateway.control.rules import Rules
from gateway.control.stands import LiveStandings, standing_of, standing_of_course, standing_of_split
from gateway.control.watching import Watching, is_renewed
from gateway.domain.rollout import Plan, RolloutPlan, SplitPlan
from gateway.domain.standing import Standing
from gateway.domain.variant import Variant
from gateway.errors import StateError
from gateway.gates.course import Course, Turn
from gateway.gates.verdict import GateVerdict

log = logging.getLogger(__name__)

KEEPS_EVERY_S = 60.0
"""Time in a stage is kept so often: a kill costs a stage at most a minute."""

HEALTH_AGAIN_AFTER_S = 24 * 3_600.0
"""What is wrong with a comparison is said once a day."""


@dataclass(frozen=True, slots=True)
class Answered:
    """
    What a command came to.

    Attributes:
        release: Which release.
        reply: How it ended.
        sentence: The journal's, or why it was refused and how the release stands.
        rollout: As it stands now; None of splits and unknown releases.
        entries: What was journalled for it.
    """

    release: str
    reply: Reply
    sentence: str
    rollout: Rollout | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def is_done(self) -> bool:
        """Say whether it is as was asked: done now, or so already."""
        return self.reply in (Reply.DONE, Reply.ALREADY)

    @property
    def problem(self) -> str:
        """Give why it is not as was asked; empty when it is."""
        return "" if self.is_done else self.sentence


class Controller:
    """Steers every rollout and split of one gateway."""

    def __init__(
        self,
        *,
        source: FactSource,
        keeper: Keeper,
        publish: Publish,
        clock: Clock,
        alert: Callable[[Entry], None],
        rules: Rules | None = None,
        accepted: Accepted | None = None,
    ) -> None:
        """
        Make a controller that goes on where the one before it stopped.

        Args:
            source: What happened.
            keeper: What must outlive this process.
            publish: Hands standings to the workers.
            clock: Tells the time.
            alert: Tells people about a journal entry; never waits.
            rules: What decides; None for those of `gates`.
            accepted: Contents that edits are rolled out from; None where nothing is edited.
        """
        if rules is None:
            from gateway.control.real_rules import GateRules

            rules = GateRules()
        self._publish = publish
        self._clock = clock
        self._alert = alert
        self._keeper = keeper
        self._accepted = accepted if accepted is not None else Accepted(MemoryContents())
        self._books = Books(keeper, clock)
        self._watching = Watching(rules, source, clock, self._books.watches)
        self._looks = Looks(rules, source, clock)
        self._course_looks = CourseLooks(source, clock)
        # What was under way goes on being watched, also where the file cannot be read now.
        self._plans: dict[str, Plan] = {
            **{name: rollout.plan for name, rollout in self.rollouts.items()},
            **self._books.splits,
        }
        self._watching.admit(self._plans, self._books.rollouts, clock.unix_ms())
        self._live = LiveStandings(self.standings)
        self._turn = asyncio.Lock()
        self._is_published = True
        self._is_admitted = False
        self._ticked_s = clock.now_s()
        self._kept_s = clock.now_s()
        self._health_s: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        """Give what is steered."""
        return f"<Controller {len(self.rollouts)} rollouts, {len(self.splits)} splits, {len(self.latches)} latches>"

    @property
    def plans(self) -> Mapping[str, Plan]:
        """Give what is steered, by release: as the file last said, or as it was kept until that is read."""
        return self._plans

    @property
    def rollouts(self) -> Mapping[str, Rollout]:
        """Give every rollout that the file has, by release."""
        return {name: one for name, one in self._books.rollouts.items() if not one.is_withdrawn}

    def rollout(self, release: str) -> Rollout | None:
        """Give one rollout that the file has; None where it has none of this name."""
        one = self._books.rollouts.get(release)
        return None if one is None or one.is_withdrawn else one

    def split(self, release: str) -> SplitPlan | None:
        """Give one split; None where there is none of this name."""
        plan = self._plans.get(release)
        return plan if isinstance(plan, SplitPlan) else None

    @property
    def splits(self) -> Mapping[str, SplitPlan]:
        """Give every split, by release."""
        return {name: plan for name, plan in self._plans.items() if isinstance(plan, SplitPlan)}

    def course(self, release: str) -> Course | None:
        """Give how an experiment stands that divides its own traffic; None where there is none of this name."""
        plan = self.split(release)
        return self._books.courses.get(release) if plan is not None and plan.is_adaptive else None

    @property
    def latches(self) -> tuple[Latch, ...]:
        """Give what is closed."""
        return tuple(latch for latch in self._books.latches if not latch.is_dormant)

    @property
    def is_kept(self) -> bool:
        """Say whether all that was decided is on disk and with the workers."""
        return self._books.is_kept and self._is_published

    def verdicts(self, release: str) -> tuple[GateVerdict, ...]:
        """Give what a release's gates said last; empty where they were not asked yet."""
        return self._looks.verdicts(release)

    def readings(self, release: str) -> Sequence[Any]:
        """Give how a release's signals stand."""
        return self._watching.readings(release, self._clock.unix_ms())

    def baseline_of(self, release: str, served: Variant) -> Variant | None:
        """
        Give the content that an edit is to be rolled out from; None where there is nothing to roll out.

        Changes nothing: a file that is refused afterwards was never there.

        Raises:
            StateError: An edit is under way, and the content it comes from is lost: to go on would give the edit to
                everybody.
        """
        rollout = self._books.rollouts.get(release)
        if rollout is not None and self._accepted.good(release) is None and _is_edit_under_way(rollout):
            msg = (
                f"the content that the edit of {served.name} on {rollout.plan.route} is rolled out from is lost;"
                f" restore contents.msgpack of the state directory, or write on_edit: allow to serve what the file says"
            )
            raise StateError(msg)
        return self._accepted.baseline_of(release, served, self._books.rollouts.get(release))

    def admit(
        self,
        plans: Mapping[str, Plan],
        *,
        served: Mapping[str, Variant] | None = None,
        epochs: Mapping[str, int] | None = None,
        config_version: int = 0,
        config_hash: str = "",
    ) -> None:
        """
        Take over what a new file says, before it is published.

        Args:
            plans: All that it has, by release.
            served: Of every release whose edits are rolled out: the variant that everybody gets by the file.
            epochs: The last epoch in use of releases, as the allocations know it.
            config_version: Version of the table that is going to be published.
            config_hash: Its hash.

        Raises:
            StateError: A content that an edit comes from cannot be kept; nothing changed.
        """
        baselines = self._baselines_of(plans, served or {})
        taken = self._accepted.admit(served or {}, baselines)
        self._books.version, self._books.config_hash = config_version, config_hash
        unix_ms = self._clock.unix_ms()
        begun = admit_courses(self._books, plans, epochs or {}, unix_ms=unix_ms)
        plans = plans_at(plans, self._books.courses)
        self._books.name_plans(plans)
        problems = [self._books.alert(sentence) for sentence in self._books.problems]
        self._books.problems = ()
        self._plans = dict(plans)
        self._is_admitted = True
        changes = admitted(self._books, plans, epochs or {}, unix_ms=unix_ms)
        for release in taken:
            self._note_taken(changes, release, plans, served or {})
        if changes.latches:
            self._books.close((*self._books.latches, *changes.latches))
        for release, rollout in changes.rollouts.items():
            known = self._books.rollouts.get(release)
            if known is None or known.plan.content != rollout.plan.content:
                self._looks.forget(release)
        entries = [*begun, *changes.entries]
        self._books.keep(changes.rollouts, entries)
        self._watching.admit(plans, self._books.rollouts, unix_ms)
        self._books.write()
        self._tell([*problems, *entries])

    def standings(self) -> dict[str, Standing]:
        """Give how every release stands, by name; one that is not there is as the file says."""
        standings = {}
        for release, plan in self._plans.items():
            rollout = self._books.rollouts.get(release)
            course = self.course(release)
            if course is not None:
                standings[release] = standing_of_course(course, self._books.latches)
            elif isinstance(plan, SplitPlan):
                standings[release] = standing_of_split(plan, self._books.latches)
            elif rollout is not None:
                accepted = self._accepted.good(release) if plan.is_edit else None
                standing = standing_of(rollout, self._books.latches, accepted)
                if standing is not None:
                    standings[release] = standing
        return standings

    async def tick(self) -> None:
        """Take in what happened, and do what follows; called about every second. Raises nothing on purpose."""
        async with self._turn:
            now_s, unix_ms = self._clock.now_s(), self._clock.unix_ms()
            seconds, self._ticked_s = max(0.0, now_s - self._ticked_s), now_s
            self._books.retry()
            await self._do_at_once(self._foreign(unix_ms))
            await self._do_at_once(self._tripped(unix_ms))
            await self._let_time_pass(seconds, unix_ms)
            await self._steer_courses(unix_ms)
            if not self._is_published:
                await self._restand()
            for rollout in self.rollouts.values():
                self._looks.begin(rollout)
            self._keep_now_and_then(now_s)
        # Looks get a turn of the loop even where nobody else waits for anything.
        await asyncio.sleep(0)

    async def command(self, release: str, command: Command) -> Answered:
        """Do what a person asks, or say why not. Raises nothing on purpose."""
        async with self._turn:
            unix_ms = self._clock.unix_ms()
            await self._do_at_once(self._foreign(unix_ms))
            plan = self._plans.get(release)
            if isinstance(plan, SplitPlan):
                return await self._command_split(plan, command, unix_ms)
            rollout = self.rollout(release)
            if rollout is None:
                known = ", ".join(sorted(self._plans)) or "none"
                return Answered(release, Reply.UNKNOWN, f"{release!r} is neither rollout nor split; there are: {known}")
            return await self._command_rollout(rollout, command, unix_ms)

    async def settle(self) -> None:
        """Wait until the gates that are being asked have answered: for simulations, whose time is their own."""
        await self._looks.settle()
        await self._course_looks.settle()

    async def close(self) -> None:
        """Keep what is worth keeping, and end."""
        await self._looks.close()
        await self._course_looks.close()
        self._books.retry()
        self._books.keep({})
        self._books.keep_watches(self._watching.snapshots())

    def _baselines_of(self, plans: Mapping[str, Plan], served: Mapping[str, Variant]) -> dict[str, Variant]:
        baselines = {}
        for release, variant in served.items():
            plan = plans.get(release)
            if isinstance(plan, RolloutPlan) and plan.is_edit:
                good = self.baseline_of(release, variant)
                if good is not None:
                    baselines[release] = good
        return baselines

    def _note_taken(
        self, changes: Changes, release: str, plans: Mapping[str, Plan], served: Mapping[str, Variant]
    ) -> None:
        """Journal that an edit serves everybody at once; one that had been rolled out to the end says nothing."""
        if release in plans:
            return
        ended = changes.rollouts.get(release, self._books.rollouts.get(release))
        if ended is not None and ended.weight and ended.is_last:
            return
        name = served[release].name
        sentence = f"The edit of {name} on {release} serves everybody at once: `on_edit` or a person said so."
        draft = Draft(DecisionKind.EDIT_TAKEN, sentence, "file", name)
        changes.entries.append(self._books.number(release, release, draft))

    def _foreign(self, unix_ms: int) -> Changes:
        """Give what latches change that somebody else closed."""
        changes = Changes()
        foreign = self._books.hear()
        if not foreign and not self._books.is_unreadable:
            return changes
        if self._books.is_unreadable and not self._is_admitted:
            # What was kept is not all there is: as it lies there the latch file closes everything, and so it stays.
            return changes
        close_for(self._books, self._plans, unix_ms=unix_ms)
        # Workers hold it already, by name; the table has to say so too, of splits as well.
        self._is_published = False
        for rollout in self.rollouts.values():
            plan = rollout.plan
            latch = latch_on(self._books.latches, plan, plan.candidate, plan.content)
            if latch is not None:
                after, drafts = step(rollout, Closed(latch), unix_ms=unix_ms)
                if drafts:
                    changes.note(self._books, rollout, after, drafts, known=latch)
        for latch in foreign:
            split = self.split(latch.release)
            if split is not None:
                sentence = f"{latch.arm or 'every arm'} on {split.route} is stopped by {latch.by}: {latch.sentence}"
                draft = Draft(DecisionKind.STOPPED, sentence, latch.rule, latch.arm, who=latch.by, why=latch.sentence)
                changes.entries.append(self._books.number(split.route, split.release, draft))
        return changes

    def _tripped(self, unix_ms: int) -> Changes:
        changes = Changes()
        for plan in self._plans.values():
            rollout = self.rollout(plan.release)
            for trip in self._watching.trips(plan, rollout, unix_ms):
                if isinstance(plan, SplitPlan):
                    known = (*self._books.latches, *changes.latches)
                    latches, drafts = splits.tripped(plan, known, trip, unix_ms=unix_ms)
                    changes.note_split(self._books, plan, latches[len(known) :], drafts)
                elif rollout is not None:
                    after, drafts = step(rollout, Tripped(trip), unix_ms=unix_ms)
                    if drafts:
                        changes.note(self._books, rollout, after, drafts)
                    rollout = after
        return changes

    async def _do_at_once(self, changes: Changes) -> None:
        """Make less of candidates: the latch first, then the table, and only then what tells about it."""
        if not changes.entries:
            return
        if changes.latches:
            self._books.close((*self._books.latches, *changes.latches))
        before = {name: self._books.rollouts.get(name) for name in changes.rollouts}
        if changes.lowers:
            self._books.keep(changes.rollouts, changes.entries)
        else:
            self._books.rollouts.update(changes.rollouts)
        if changes.latches or any(_is_moved(before[name], after) for name, after in changes.rollouts.items()):
            await self._restand()
        if not changes.lowers:
            self._books.keep({}, changes.entries)
        self._books.write()
        self._tell(changes.entries)

    async def _let_time_pass(self, seconds: float, unix_ms: int) -> None:
        at_once, raises = Changes(), []
        self._watching.renew_splits(seconds, unix_ms)
        for rollout in list(self.rollouts.values()):
            look = self._looks.take(rollout)
            verdicts = look.verdicts if look is not None else None
            after, drafts = step(rollout, Elapsed(seconds, verdicts), unix_ms=unix_ms)
            if look is not None:
                self._note_health(at_once, rollout, look)
            if is_renewed(rollout, after):
                self._watching.restart(rollout.plan.release, rollout.n_resumes, unix_ms)
            if after.weight > rollout.weight:
                raises.append((rollout, after, drafts))
            elif drafts:
                at_once.note(self._books, rollout, after, drafts)
            else:
                self._books.rollouts[rollout.plan.release] = after
        await self._do_at_once(at_once)
        for before, after, drafts in raises:
            # A reload may have come in between: what was decided about another plan is not done.
            if self._books.rollouts.get(after.plan.release) is before:
                await self._raise(before, after, drafts, seconds)

    async def _raise(self, before: Rollout, after: Rollout, drafts: Sequence[Draft], seconds: float) -> None:
        """Make more of a candidate, if that can be kept; else it stays where it is, and is asked again."""
        plan = after.plan
        entries = [self._books.number(plan.route, plan.release, draft) for draft in drafts]
        if not self._books.keep_first({plan.release: after}, entries):
            self._books.rollouts[plan.release] = replace(before, dwelt_s=before.dwelt_s + seconds)
            self._looks.again(plan.release)
            return
        await self._restand()
        self._books.write()
        self._tell(entries)

    async def _steer_courses(self, unix_ms: int) -> None:
        for release, plan in list(self.splits.items()):
            course = self.course(release)
            if course is None:
                continue
            closed = held_arms(self._books.latches, plan)
            turn = self._course_looks.take(course, closed)
            if turn is not None:
                await self._turn_course(course, turn, unix_ms)
            elif not self._books.is_unreadable:
                self._course_looks.begin(course, closed)

    async def _turn_course(self, course: Course, turn: Turn, unix_ms: int) -> None:
        """Divide an experiment's users anew, if that can be kept; else they stay, and are looked at again."""
        release = course.plan.release
        after, drafts = turned(course, turn, unix_ms=unix_ms)
        if not drafts:
            self._books.courses[release] = after
            return
        entries = [self._books.number(course.plan.route, release, draft) for draft in drafts]
        if not self._books.keep_course_first(after, entries):
            self._course_looks.again(release)
            return
        self._plans = plans_at(self._plans, {release: after})
        self._books.name_plans(self._plans)
        self._watching.admit(self._plans, self._books.rollouts, unix_ms)
        if after.ranges != course.ranges:
            await self._restand()
        self._books.write()
        self._tell(entries)

    async def _command_rollout(self, rollout: Rollout, command: Command, unix_ms: int) -> Answered:
        release = rollout.plan.release
        refusal = refusal_of(rollout, command)
        if refusal is not None:
            return Answered(release, refusal.reply, refusal.sentence, rollout)
        after, drafts = step(rollout, Asked(command), unix_ms=unix_ms)
        # A resume opens the latch, also where it leads to a stage that gives no weight: internal users get it there.
        if after.weight <= rollout.weight and rollout.phase is not RolloutPhase.ROLLED_BACK:
            changes = Changes()
            changes.note(self._books, rollout, after, drafts)
            if command.kind is CommandKind.RESUME:
                self._restarted(rollout, after, unix_ms)
            await self._do_at_once(changes)
            return Answered(release, Reply.DONE, drafts[0].sentence, after, tuple(changes.entries))
        return await self._command_up(rollout, after, drafts, unix_ms)

    async def _command_up(self, rollout: Rollout, after: Rollout, drafts: Sequence[Draft], unix_ms: int) -> Answered:
        """Carry out what gives a candidate more: the latch goes first, so that a kill in between leaves it at 0."""
        plan, closed = rollout.plan, self._books.latches
        opened = without(closed, plan, (plan.candidate,))
        unkept = Answered(plan.release, Reply.UNKEPT, "the state directory cannot be written; nothing changed", rollout)
        if opened != closed and not self._books.open(opened):
            return unkept
        entries = [self._books.number(plan.route, plan.release, draft) for draft in drafts]
        if not self._books.keep_first({plan.release: after}, entries):
            if opened != closed:
                self._books.close(closed)
            return unkept
        self._restarted(rollout, after, unix_ms)
        await self._restand()
        self._books.write()
        self._tell(entries)
        return Answered(plan.release, Reply.DONE, drafts[0].sentence, after, tuple(entries))

    def _restarted(self, before: Rollout, after: Rollout, unix_ms: int) -> None:
        if after.n_resumes > before.n_resumes:
            self._watching.restart(after.plan.release, after.n_resumes, unix_ms)

    async def _command_split(self, plan: SplitPlan, command: Command, unix_ms: int) -> Answered:
        known = self._books.latches
        refusal = splits.refusal_of(plan, known, command)
        if refusal is not None:
            return Answered(plan.release, refusal.reply, refusal.sentence)
        latches, drafts = splits.obey(plan, known, command, unix_ms=unix_ms)
        changes = Changes()
        if command.kind is CommandKind.RESUME:
            if not self._books.open(latches):
                return Answered(plan.release, Reply.UNKEPT, "the state directory cannot be written; nothing changed")
            changes.note_split(self._books, plan, (), drafts)
            # What was counted before was counted against an arm that a person has looked at since. Kept at once: a
            # kill must bring back neither that nor the alpha it has spent.
            self._watching.resume_arms(plan.release, [draft.arm for draft in drafts], unix_ms)
            self._books.keep_watches(self._watching.snapshots())
            await self._restand()
        else:
            changes.note_split(self._books, plan, latches[len(known) :], drafts)
        await self._do_at_once(changes)
        return Answered(plan.release, Reply.DONE, drafts[0].sentence, None, tuple(changes.entries))

    async def _restand(self) -> None:
        # Until it is done: whoever asked may be cut off by their own patience, and then the next tick does it.
        self._is_published = False
        try:
            self._books.version = await self._publish.restand(self._live)
            self._is_published = True
        except Exception:  # Whatever is wrong with the table: latches hold without one, and the next tick tries again.
            log.critical("how releases stand could not be published; trying again", exc_info=True)

    def _note_health(self, changes: Changes, rollout: Rollout, look: Look) -> None:
        plan, now_s = rollout.plan, self._clock.now_s()
        for one in look.health:
            said_s = self._health_s.get((plan.release, one.kind))
            if said_s is not None and now_s - said_s < HEALTH_AGAIN_AFTER_S:
                continue
            self._health_s[plan.release, one.kind] = now_s
            draft = Draft(
                DecisionKind.ALERTED, one.sentence, f"health:{one.kind}", plan.candidate, evidence=one.evidence
            )
            changes.entries.append(self._books.number(plan.route, plan.release, draft))

    def _keep_now_and_then(self, now_s: float) -> None:
        if now_s - self._kept_s >= KEEPS_EVERY_S:
            self._kept_s = now_s
            self._books.keep({})
            self._books.keep_watches(self._watching.snapshots())

    def _tell(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            try:
                self._alert(entry)
            except Exception:  # Nobody's deaf ear keeps a decision from the next one.
                log.exception("an alert failed", extra={"entry": entry.id})


def _is_edit_under_way(rollout: Rollout) -> bool:
    return rollout.plan.is_edit and not rollout.is_withdrawn and rollout.phase is not RolloutPhase.FINISHED


def _is_moved(before: Rollout | None, after: Rollout) -> bool:
    return before is None or (before.weight, before.stage, before.phase) != (after.weight, after.stage, after.phase)
