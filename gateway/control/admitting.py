"""What a new file does to what is under way: rollouts that begin, go on with another plan, or end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.control import words
from gateway.control.books import Books
from gateway.control.changes import Changes
from gateway.control.dormant import laid_down, taken_up, woken
from gateway.control.journal import DecisionKind
from gateway.control.latches import arms_of, bound, latch_on, merged, sorted_out, unreadable_latches
from gateway.control.machine import Closed, Replanned, Stepped, Withdrawn, begin, step
from gateway.control.moves import DORMANT_FOR_S, MAX_EPOCH, Draft, drafted, is_to_return
from gateway.control.rollout import Latch, Rollout, RolloutPhase
from gateway.domain.rollout import Plan, RolloutPlan, SplitPlan

MENDED = "kept"
"""The cause of a latch that was lost, while the rollout was kept as rolled back."""

MAX_WITHDRAWN = 1_000
"""Rollouts remembered that the file does not have; the longest gone are forgotten first."""


def admitted(books: Books, plans: Mapping[str, Plan], epochs: Mapping[str, int], *, unix_ms: int) -> Changes:
    """
    Give what these plans change, and sort out the latches for them.

    Args:
        books: What is under way; its latches are replaced, on disk first, and its dormant rollouts with what changes.
        plans: All that the file has now, by release.
        epochs: The last epoch in use of releases that control knows nothing of.
        unix_ms: Now.
    """
    changes = Changes()
    close_for(books, plans, unix_ms=unix_ms)
    for release, rollout in list(books.rollouts.items()):
        if not isinstance(plans.get(release), RolloutPlan):
            after, drafts = step(rollout, Withdrawn(), unix_ms=unix_ms)
            if drafts:
                books.dormant = laid_down(books.dormant, rollout, unix_ms=unix_ms)
                changes.note(books, rollout, after, drafts)
    for plan in plans.values():
        if isinstance(plan, RolloutPlan):
            _admit(changes, books, plan, epochs.get(plan.release, 0), unix_ms)
        else:
            _tell_lost(changes, books, plan)
    _forget_oldest(books)
    return changes


def close_for(books: Books, plans: Mapping[str, Plan], *, unix_ms: int) -> None:
    """Have latches that fit the plans; where they could not be read, a latch on everything."""
    if books.is_unreadable and not plans:
        # Nobody knows yet whom to close: as it lies there the file closes everything, and so it stays.
        return
    latches = bound(books.latches, books.rollouts)
    if books.is_unreadable:
        latches = merged(latches, unreadable_latches(plans, unix_ms=unix_ms))
    latches = sorted_out(latches, plans)
    if books.is_unreadable or latches != books.latches:
        is_kept = books.close(latches)
        books.is_unreadable = books.is_unreadable and not is_kept


def _admit(changes: Changes, books: Books, plan: RolloutPlan, epoch: int, unix_ms: int) -> None:
    before = books.rollouts.get(plan.release)
    drafts: tuple[Draft, ...]
    if before is None or before.is_withdrawn or before.plan.content != plan.content:
        after, drafts = _begun(books, before, plan, epoch, unix_ms)
    else:
        after, drafts = step(before, Replanned(plan), unix_ms=unix_ms)
    latch = latch_on(books.latches, plan, plan.candidate, plan.content)
    if latch is not None and after.phase is not RolloutPhase.ROLLED_BACK:
        after, closing = step(after, Closed(latch), unix_ms=unix_ms)
        # Nobody got what began and was closed in the same breath.
        changes.note(books, before, after, closing, known=latch)
        return
    if latch is None and after.phase is RolloutPhase.ROLLED_BACK and before is not None:
        latch = _mended(after, unix_ms)
        changes.latches.append(latch)
    if drafts or before is not after:
        changes.note(books, before, after, drafts, known=latch)


def _begun(books: Books, before: Rollout | None, plan: RolloutPlan, epoch: int, unix_ms: int) -> Stepped:
    """Give a rollout that begins, or goes on where it stood, and what is journalled of it and of the one before."""
    asleep, books.dormant = taken_up(books.dormant, plan, unix_ms=unix_ms)
    last = max([epoch, *(one.epoch for one in (before, asleep) if one is not None)])
    next_epoch = (last + 1) & MAX_EPOCH
    if asleep is None:
        after, drafts = begin(plan, unix_ms=unix_ms, epoch=next_epoch)
    else:
        if before is not None:
            # A command sent a second time was carried out already, whatever content it was meant for.
            asleep = replace(asleep, keys=before.keys, version=max(asleep.version, before.version))
        after, drafts = woken(asleep, plan, epoch=next_epoch, unix_ms=unix_ms)
    if before is None:
        return after, drafts
    if before.plan.content != plan.content and not before.is_withdrawn:
        books.dormant = laid_down(books.dormant, before, unix_ms=unix_ms)
    if asleep is None:
        after = _carried(before, after)
    return after, (*_ended(before, plan), *drafts)


def _carried(before: Rollout, after: Rollout) -> Rollout:
    """Give what begins anew with what is not forgotten of the one before."""
    if before.plan.content == after.plan.content:
        # It comes back after long: what its signals have spent and said is not forgiven.
        return replace(
            after,
            n_resumes=before.n_resumes,
            n_step_backs=before.n_step_backs,
            stepped_back_by=before.stepped_back_by,
            version=before.version + 1,
            keys=before.keys,
        )
    # A command sent a second time was meant for the content it was carried out on.
    return replace(after, version=before.version + 1, keys=before.keys)


def _ended(before: Rollout, plan: RolloutPlan) -> tuple[Draft, ...]:
    if before.plan.content == plan.content or before.is_withdrawn or before.phase is RolloutPhase.FINISHED:
        return ()
    back = f"; it goes on from there if that is back within {words.span(DORMANT_FOR_S)}" if is_to_return(before) else ""
    sentence = (
        f"The rollout of {words.name_of(before)} ended at "
        f"{words.place_of(before.plan, before.stage, before.weight)}: what it rolled out was changed{back}."
    )
    return (drafted(before, before, DecisionKind.ENDED, sentence, rule="file"),)


def _mended(rollout: Rollout, unix_ms: int) -> Latch:
    """Give the latch that a rolled back candidate has lost: the file was deleted, or a resume was cut short."""
    plan = rollout.plan
    return Latch(plan.release, plan.candidate, plan.content, MENDED, rollout.reason, rollout.by, unix_ms, rule=MENDED)


def _tell_lost(changes: Changes, books: Books, plan: SplitPlan) -> None:
    """Journal what stopped an arm of a split, where a kill came before the journal."""
    weights = dict(plan.weights)
    for arm, content in arms_of(plan):
        latch = latch_on(books.latches, plan, arm, content)
        if latch is None or latch.entry not in books.lost_entries:
            continue
        sentence = f"{arm} on {plan.route} is stopped: {latch.sentence}"
        draft = Draft(
            DecisionKind.STOPPED,
            sentence,
            latch.rule,
            arm,
            who=latch.by,
            from_weight=weights[arm],
            evidence=latch.evidence,
        )
        changes.entries.append(books.number(plan.route, plan.release, draft, known_id=latch.entry))


def _forget_oldest(books: Books) -> None:
    gone = [release for release, rollout in books.rollouts.items() if rollout.is_withdrawn]
    for release in gone[: max(0, len(gone) - MAX_WITHDRAWN)]:
        del books.rollouts[release]
