"""
What the controller must not forget, and in which order it is written down.

Entries are kept with the rollouts they explain before they go to the journal: whatever is killed when, no weight
changes without its line, and no line is written twice. What cannot be written stays in memory, is in force, and is
tried again at every tick.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from gateway.clock import Clock
from gateway.control.journal import DecisionKind, Entry
from gateway.control.latches import merged
from gateway.control.moves import Draft
from gateway.control.ports import Keeper
from gateway.control.rollout import Latch, Rollout
from gateway.domain.rollout import Plan, SplitPlan
from gateway.errors import StateError
from gateway.gates.course import Course

log = logging.getLogger(__name__)

MAX_UNWRITTEN = 10_000
"""Entries that wait for a disk; older ones are lost, and the log says so."""

COMPLAINS_EVERY_S = 600.0


class Books:
    """
    Rollouts, latches and the journal, in memory and on disk.

    Attributes:
        rollouts: By release name, those withdrawn included.
        dormant: Rollouts whose content is gone, the longest gone first.
        splits: By release name, as the file last said; of courses, as they stand.
        courses: By release name, those that the file does not have now included.
        latches: All that are closed or dormant.
        is_unreadable: The latches could not be read: whoever knows the plans closes everything.
        problems: What could not be read, for a person.
        lost_entries: Ids that latches name and the journal lacks: a kill came in between.
        version: Of the table in use.
        config_hash: Likewise.
    """

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        kept = keeper.load()
        self.rollouts: dict[str, Rollout] = dict(kept.rollouts)
        self.dormant = kept.dormant
        self.splits: Mapping[str, SplitPlan] = dict(kept.splits)
        self.courses: dict[str, Course] = dict(kept.courses)
        self.latches: tuple[Latch, ...] = kept.latches or ()
        self.is_unreadable = kept.latches is None
        self.problems = kept.problems
        self.watches = dict(kept.watches)
        self.version = 0
        self.config_hash = ""
        self._unwritten = [entry for entry in kept.unwritten if number_of(entry.id) >= kept.next_entry]
        named = {number_of(latch.entry): latch.entry for latch in self.latches if latch.entry}
        waiting = [number_of(entry.id) for entry in self._unwritten]
        self.lost_entries = {
            entry for number, entry in named.items() if number >= kept.next_entry and number not in waiting
        }
        self._next = max([kept.next_entry, *(number + 1 for number in (*waiting, *named))])
        self._routes: Mapping[str, str] | None = None
        self._are_latches_kept = True
        self._are_rollouts_kept = True
        self._complained_s: float | None = None

    def __repr__(self) -> str:
        """Give how much there is."""
        return f"<Books: {len(self.rollouts)} rollouts, {len(self.latches)} latches, next entry {self._next}>"

    @property
    def is_kept(self) -> bool:
        """Say whether everything is on disk."""
        return self._are_latches_kept and self._are_rollouts_kept and not self._unwritten

    def number(self, route: str, release: str, draft: Draft, *, known_id: str = "") -> Entry:
        """Give a draft its number, and the time and the table it was decided under."""
        entry_id = known_id if known_id in self.lost_entries else f"{release}-{self._next}"
        if entry_id in self.lost_entries:
            self.lost_entries.discard(entry_id)
        else:
            self._next += 1
        return Entry(
            id=entry_id,
            at_unix_ms=self._clock.unix_ms(),
            kind=draft.kind,
            route=route,
            release=release,
            arm=draft.arm,
            who=draft.who,
            sentence=draft.sentence,
            rule=draft.rule,
            why=draft.why,
            from_weight=draft.from_weight,
            to_weight=draft.to_weight,
            from_stage=draft.from_stage,
            to_stage=draft.to_stage,
            epoch=draft.epoch,
            config_version=self.version,
            config_hash=self.config_hash,
            evidence=dict(draft.evidence),
        )

    def close(self, latches: Sequence[Latch]) -> bool:
        """Have these latches and no others, on disk first; in force also when the disk did not take them: False."""
        self.latches = tuple(latches)
        try:
            self._keeper.keep_latches(self.latches)
        except StateError as error:
            self._are_latches_kept = False
            log.critical("a latch is closed but cannot be kept: it holds until this process ends", extra=_said(error))
            return False
        self._are_latches_kept = True
        return True

    def open(self, latches: Sequence[Latch]) -> bool:
        """Have these latches, fewer than before; False, and nothing changed, when the disk did not take them."""
        try:
            self._keeper.keep_latches(latches)
        except StateError as error:
            self._complain(error)
            return False
        self.latches = tuple(latches)
        self._are_latches_kept = True
        return True

    def keep(self, changed: Mapping[str, Rollout], entries: Iterable[Entry] = ()) -> bool:
        """Have these rollouts in their places, whether or not the disk takes them; say whether it did."""
        self.rollouts.update(changed)
        self._unwritten += entries
        self._bound_unwritten()
        return self._keep()

    def keep_first(self, changed: Mapping[str, Rollout], entries: Sequence[Entry]) -> bool:
        """Have these rollouts in their places if the disk takes them; False, and nothing changed, when it does not."""
        after = {**self.rollouts, **changed}
        try:
            self._write_rollouts(after, (*self._unwritten, *entries))
        except StateError as error:
            self._complain(error)
            return False
        self.rollouts = after
        self._unwritten += entries
        self._are_rollouts_kept = True
        return True

    def keep_course_first(self, course: Course, entries: Sequence[Entry]) -> bool:
        """Have a course in its place if the disk takes it; False, and nothing changed, when it does not."""
        before = self.courses
        self.courses = {**before, course.plan.release: course}
        if self.keep_first({}, entries):
            return True
        self.courses = before
        return False

    def name_plans(self, plans: Mapping[str, Plan]) -> None:
        """Know by which route each release is called, and every split; kept with the rollouts."""
        self._routes = {release: plan.route for release, plan in plans.items()}
        self.splits = {release: plan for release, plan in plans.items() if isinstance(plan, SplitPlan)}

    def write(self) -> bool:
        """Write to the journal what waits for it; say whether nothing is left."""
        if not self._unwritten:
            return True
        try:
            self._keeper.append(self._unwritten)
        except StateError as error:
            self._complain(error)
            return False
        self._unwritten = []
        return True

    def retry(self) -> None:
        """Try again what the disk did not take."""
        if not self._are_latches_kept:
            self.close(self.latches)
        if not self._are_rollouts_kept:
            self._keep()
        self.write()

    def hear(self) -> tuple[Latch, ...]:
        """
        Give the latches that somebody else closed since the last time.

        A file of theirs that cannot be read, or lacks what is closed here, is written anew: in memory is the truth.
        """
        try:
            foreign = self._keeper.latches_changed()
        except StateError as error:
            log.critical("somebody wrote the latches and they cannot be read", extra=_said(error))
            self.is_unreadable = True
            return ()
        if foreign is None:
            return ()
        known = self.latches
        self.latches = merged(known, foreign)
        self._are_latches_kept = False
        return self.latches[len(known) :]

    def keep_watches(self, watches: Mapping[tuple[str, str], bytes]) -> None:
        """Keep what trips have counted; it may be lost."""
        try:
            self._keeper.keep_watches(watches)
        except StateError as error:
            self._complain(error)

    def alert(self, sentence: str, *, release: str = "", route: str = "") -> Entry:
        """Give, and remember for the journal, an alert about the state directory itself."""
        entry = self.number(route, release, Draft(DecisionKind.ALERTED, sentence, "state"))
        self._unwritten.append(entry)
        return entry

    def _write_rollouts(self, rollouts: Mapping[str, Rollout], unwritten: Sequence[Entry]) -> None:
        self._keeper.keep_rollouts(
            rollouts,
            unwritten=unwritten,
            routes=self._routes,
            dormant=self.dormant,
            splits=self.splits,
            courses=self.courses,
        )

    def _keep(self) -> bool:
        try:
            self._write_rollouts(self.rollouts, tuple(self._unwritten))
        except StateError as error:
            self._are_rollouts_kept = False
            self._complain(error)
            return False
        self._are_rollouts_kept = True
        return True

    def _bound_unwritten(self) -> None:
        surplus = len(self._unwritten) - MAX_UNWRITTEN
        if surplus > 0:
            log.error("journal entries are lost: the state directory takes none", extra={"n_entries": surplus})
            del self._unwritten[:surplus]

    def _complain(self, error: StateError) -> None:
        now_s = self._clock.now_s()
        if self._complained_s is None or now_s - self._complained_s >= COMPLAINS_EVERY_S:
            self._complained_s = now_s
            log.error("the state directory cannot be written; nothing is promoted until it can", extra=_said(error))


def number_of(entry_id: str) -> int:
    """
    Give an entry's number; 0 where it has none.

    >>> number_of("support-v8-41")
    41
    """
    number = entry_id.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _said(error: StateError) -> dict[str, str]:
    return {"cause": str(error)}
