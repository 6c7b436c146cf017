"""
Who gets what: a standing joined into a release, as a table from bucket to arm.

Ranges and reasons come from the code that serves real people, so a ramp only adds buckets here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from gateway.assign.allocation import allocate
from gateway.assign.standing import release_at
from gateway.domain.release import BUCKETS, Arm, Reason, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.rollout import Plan, RolloutPlan, SplitPlan
from gateway.domain.standing import Standing

UNCOMPARED = -1
"""The arm of a bucket that nobody is compared by."""


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Who gets what in one stretch of constant weights.

    Attributes:
        epoch: As the standing says.
        arm_of: (10,000,), arm index of each bucket; UNCOMPARED where nobody is compared.
        weights: By arm name, buckets compared.
        is_internal: Whether internal users get the candidate.
    """

    epoch: int
    arm_of: npt.NDArray[np.int8]
    weights: Mapping[str, int]
    is_internal: bool

    def equals(self, other: Layout) -> bool:
        """Tell whether another layout is the same."""
        return (
            self.epoch == other.epoch
            and self.is_internal == other.is_internal
            and bool(np.array_equal(self.arm_of, other.arm_of))
        )


def release_of(plan: Plan) -> Release:
    """Give the plan's release as a file would say it, before anything was decided."""
    if isinstance(plan, SplitPlan):
        return _split_release_of(plan)
    arms = (Arm(plan.baseline, Role.BASELINE, BUCKETS), Arm(plan.candidate, Role.CANDIDATE, 0))
    return Release(plan.release, ReleaseKind.ROLLOUT, Unit.USER, arms, (SlotRange(0, BUCKETS, 0),))


def layout_of(release: Release, standing: Standing) -> Layout:
    """Give who gets what in a release as it stands."""
    at = release_at(release, standing)
    arm_of = np.full(BUCKETS, UNCOMPARED, np.int8)
    for owned in at.ranges:
        if owned.reason is Reason.BUCKET:
            arm_of[owned.start : owned.end] = owned.arm
    weights = {arm.name: int((arm_of == index).sum()) for index, arm in enumerate(at.arms)}
    return Layout(standing.epoch, arm_of, weights, at.internal_arm is not None)


def candidates_of(plan: Plan) -> tuple[str, ...]:
    """Give the names of the arms that may be stopped."""
    if isinstance(plan, RolloutPlan):
        return (plan.candidate,)
    return tuple(name for name, _ in plan.weights if name != plan.baseline)


def _split_release_of(plan: SplitPlan) -> Release:
    names = [name for name, _ in plan.weights]
    factors = () if plan.factorial is None else tuple((name, len(levels)) for name, levels in plan.factorial.factors)
    if factors:
        edges = [0, *accumulate(weight for _, weight in plan.weights)]
        ranges = tuple(SlotRange(*edge, index) for index, edge in enumerate(pairwise(edges)))
    else:
        ranges = allocate([weight for _, weight in plan.weights], baseline=names.index(plan.baseline))
    arms = tuple(
        Arm(name, Role.BASELINE if name == plan.baseline else Role.CANDIDATE, weight) for name, weight in plan.weights
    )
    return Release(plan.release, plan.kind, Unit.USER, arms, ranges, factors=factors)
