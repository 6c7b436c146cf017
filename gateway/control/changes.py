"""What one turn of the controller changes, gathered before any of it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.control.books import Books
from gateway.control.journal import Entry
from gateway.control.latches import PERSON
from gateway.control.moves import Draft
from gateway.control.rollout import Latch, Rollout, RolloutPhase
from gateway.domain.rollout import Plan


@dataclass(slots=True)
class Changes:
    """
    What one turn changes.

    Attributes:
        rollouts: By release, as they are to be.
        latches: New ones.
        entries: For the journal, in order.
        lowers: Some candidate gets less without a latch: its rollout is what a restart has to find.
    """

    rollouts: dict[str, Rollout] = field(default_factory=dict)
    latches: list[Latch] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    lowers: bool = False

    def note(
        self,
        books: Books,
        before: Rollout | None,
        after: Rollout,
        drafts: Sequence[Draft],
        *,
        known: Latch | None = None,
    ) -> None:
        """
        Add what became of a rollout, with its latch when it was rolled back.

        Args:
            books: Number entries.
            before: What it was; None where there was none.
            after: What it is to be.
            drafts: What is to be journalled.
            known: The latch that closed it, where there is one already.
        """
        plan = after.plan
        self.rollouts[plan.release] = after
        known_id = known.entry if known is not None else ""
        entries = [books.number(plan.route, plan.release, draft, known_id=known_id) for draft in drafts]
        self.entries += entries
        is_lower = before is not None and after.weight < before.weight
        if after.phase is RolloutPhase.ROLLED_BACK and (before is None or before.phase is not after.phase):
            if known is None:
                self.latches.append(latch_of(after, entries[-1]))
        elif is_lower:
            self.lowers = True

    def note_split(self, books: Books, plan: Plan, latches: Sequence[Latch], drafts: Sequence[Draft]) -> None:
        """Add arms of a split that were stopped, one latch per draft of theirs; alerts have none."""
        by_arm = {latch.arm: latch for latch in latches}
        for draft in drafts:
            entry = books.number(plan.route, plan.release, draft)
            self.entries.append(entry)
            latch = by_arm.get(draft.arm)
            if latch is not None:
                self.latches.append(replace(latch, entry=entry.id, rule=entry.rule, evidence=entry.evidence))


def latch_of(rollout: Rollout, entry: Entry) -> Latch:
    """Give the latch of a rollout that was rolled back, with all that its journal entry says."""
    cause = PERSON if entry.rule == "command" else str(entry.evidence.get("signal", entry.rule))
    return Latch(
        release=rollout.plan.release,
        arm=rollout.plan.candidate,
        content=rollout.plan.content,
        cause=cause,
        sentence=rollout.reason,
        by=rollout.by,
        at_unix_ms=entry.at_unix_ms,
        entry=entry.id,
        rule=entry.rule,
        evidence=entry.evidence,
    )
