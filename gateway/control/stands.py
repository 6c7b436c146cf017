"""How releases stand: what the table is joined with, of rollouts and of splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.control.latches import held_arms
from gateway.control.moves import control_of
from gateway.control.rollout import Latch, Rollout, RolloutPhase
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Control, SplitPlan, StageKind
from gateway.domain.standing import Standing
from gateway.domain.variant import Variant
from gateway.gates.course import Course, plan_at


def standing_of(rollout: Rollout, latches: Sequence[Latch], accepted: Variant | None = None) -> Standing | None:
    """
    Give how a rollout's release stands; None where it stands as the file says.

    Args:
        rollout: As it stands.
        latches: All that are closed; they win over whatever the rollout says.
        accepted: Of an edit: the content before it, under whatever name.
    """
    plan = rollout.plan
    if rollout.is_withdrawn:
        return None
    latched = held_arms(latches, plan)
    is_closed = bool(latched) or rollout.phase is RolloutPhase.ROLLED_BACK
    weight = 0 if is_closed else rollout.weight
    is_internal = any(stage.kind is StageKind.INTERNAL for stage in plan.stages[: rollout.stage + 1])
    return Standing(
        release=plan.release,
        weights=((plan.baseline, BUCKETS - weight), (plan.candidate, weight)),
        epoch=rollout.epoch,
        latched=(plan.candidate,) if is_closed else (),
        internal_arm=plan.candidate if is_internal and not is_closed else None,
        control=control_of(plan, weight) if plan.control is Control.EQUAL else None,
        accepted=None if accepted is None else replace(accepted, name=plan.baseline),
        copied=_copied_buckets(rollout) if not is_closed else None,
    )


def _copied_buckets(rollout: Rollout) -> int | None:
    """Give the users copied while the rollout is at a stage for that; None where the file decides."""
    stage = rollout.at
    if stage.kind is not StageKind.SHADOW or stage.sample is None:
        return None
    # A share finer than a bucket was written to copy something.
    return max(1, round(stage.sample * BUCKETS))


def standing_of_course(course: Course, latches: Sequence[Latch]) -> Standing:
    """Give how an experiment stands that divides its own traffic; arms that are stopped give theirs to the baseline."""
    plan = plan_at(course)
    return Standing(
        release=plan.release,
        weights=plan.weights,
        epoch=course.epoch,
        latched=held_arms(latches, plan),
        ranges=course.ranges,
        baseline=plan.baseline,
    )


def standing_of_split(plan: SplitPlan, latches: Sequence[Latch]) -> Standing:
    """Give how a split stands: as the file says, but for the arms that are stopped."""
    latched = held_arms(latches, plan)
    weights = {arm: 0 if arm in latched else weight for arm, weight in plan.weights}
    weights[plan.baseline] += BUCKETS - sum(weights.values())
    return Standing(release=plan.release, weights=tuple(weights.items()), latched=latched)


class LiveStandings(Mapping[str, Standing]):
    """
    Standings as they are when they are looked at.

    A reload may come between a decision and its table. Whoever then joins what was decided before the reload would
    give a new candidate the weight of the old one.
    """

    def __init__(self, read: Callable[[], Mapping[str, Standing]]) -> None:
        self._read = read

    def __getitem__(self, release: str) -> Standing:
        """Give one, as it is now."""
        return self._read()[release]

    def __iter__(self) -> Iterator[str]:
        """Give the releases there are now."""
        return iter(self._read())

    def __len__(self) -> int:
        """Give how many there are now."""
        return len(self._read())
