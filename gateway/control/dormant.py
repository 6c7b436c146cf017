"""
Rollouts whose content is gone, and what becomes of one whose content comes back: it goes on where it stood.

Whoever takes a rollout out of the file for an afternoon, or tries another wording and takes it back, has not said that
a pause is over or that a stage was not earned. Another content is another rollout, and begins at its first stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.control import words
from gateway.control.journal import DecisionKind
from gateway.control.machine import Replanned, Stepped, step
from gateway.control.moves import DORMANT_FOR_S, MAX_MARKS, control_of, drafted, is_to_return
from gateway.control.rollout import EpochMark, Rollout
from gateway.domain.rollout import RolloutPlan

MAX_DORMANT = 256
"""Dormant rollouts kept; the longest gone are forgotten first."""


def laid_down(dormant: Sequence[Rollout], rollout: Rollout, *, unix_ms: int) -> tuple[Rollout, ...]:
    """Give the dormant rollouts with one more, whose content is gone since now; in place of what was known of it."""
    if not is_to_return(rollout):
        return tuple(dormant)
    gone = replace(rollout, is_withdrawn=True, withdrawn_unix_ms=unix_ms)
    others = [one for one in dormant if not _is_of(one, rollout.plan) and _is_fresh(one, unix_ms)]
    return (*others, gone)[-MAX_DORMANT:]


def taken_up(
    dormant: Sequence[Rollout], plan: RolloutPlan, *, unix_ms: int
) -> tuple[Rollout | None, tuple[Rollout, ...]]:
    """Give the dormant rollout of this plan's content, None where none was known in time, and the others."""
    mine = next((one for one in dormant if _is_of(one, plan) and _is_fresh(one, unix_ms)), None)
    return mine, tuple(one for one in dormant if not _is_of(one, plan))


def woken(asleep: Rollout, plan: RolloutPlan, *, epoch: int, unix_ms: int) -> Stepped:
    """
    Give a dormant rollout as it goes on, and what is to be journalled.

    Args:
        asleep: As it was laid down.
        plan: What the file says of it now, of the same content; thresholds and stages may be others.
        epoch: The release's epoch from now on: another than any it had meanwhile.
        unix_ms: Now.
    """
    mark = EpochMark(epoch, unix_ms, asleep.weight, control_of(asleep.plan, asleep.weight))
    back = replace(
        asleep,
        epoch=epoch,
        epochs=(*asleep.epochs, mark)[-MAX_MARKS:],
        is_withdrawn=False,
        withdrawn_unix_ms=0,
        version=asleep.version + 1,
    )
    away_s = max(0, unix_ms - asleep.withdrawn_unix_ms) / 1000
    sentence = (
        f"The rollout of {words.name_of(back)} is back in the file, unchanged after {words.span(away_s)}, and goes on "
        f"where it stood: {words.standing_words(back)}."
    )
    draft = drafted(back, back, DecisionKind.RETURNED, sentence, rule="file", evidence={"away_s": round(away_s, 1)})
    after, drafts = step(back, Replanned(plan), unix_ms=unix_ms)
    return after, (replace(draft, from_weight=0, from_stage=""), *drafts)


def _is_of(rollout: Rollout, plan: RolloutPlan) -> bool:
    known = rollout.plan
    return (known.release, known.content) == (plan.release, plan.content)


def _is_fresh(rollout: Rollout, unix_ms: int) -> bool:
    # By the wall clock, for it has to outlive processes; one that was set back makes nothing older.
    return unix_ms - rollout.withdrawn_unix_ms <= DORMANT_FOR_S * 1000
