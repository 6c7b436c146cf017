"""
What users rewarded, by arm: the sums that a bandit goes by, gathered block by block.

A reward counts once its attribution window is over, for the arm in which its user was exposed. Everybody's rewards are
taken by the week, so that what fades fades by its own age; those of the exploration slice are taken once per user, so
that they are independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.release import BUCKETS
from gateway.gates.bandit import ArmRewards, BanditEvidence, BanditPhase
from gateway.gates.course import Course
from gateway.record.experiment_query import Cell, ExperimentQuery, SaidColumns, UnitBlock
from gateway.stats.bandit import ClusterSums, RewardSums, design_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

DAY_MS = 86_400_000
WEEK_DAYS = 7


@dataclass(slots=True)
class _ArmSums:
    users: int = 0
    plain: RewardSums = field(default_factory=RewardSums)
    discounted: RewardSums = field(default_factory=RewardSums)
    sliced: RewardSums = field(default_factory=RewardSums)
    n_units: int = 0
    clusters: Column | None = None


class RewardGathering:
    """Takes blocks, and gives a bandit's evidence."""

    def __init__(self, course: Course, query: ExperimentQuery, metric: Metric) -> None:
        """
        Begin with nobody.

        Args:
            course: The bandit's.
            query: What the blocks answer; its cells are the bandit's epochs, `until_unix_ms` is now.
            metric: The reward.

        Raises:
            ValueError: The course is no bandit's.
        """
        if course.plan.bandit is None:
            msg = f"{course.plan.release} is a {course.plan.kind}, not a bandit"
            raise ValueError(msg)
        self._course, self._plan, self._query, self._metric = course, course.plan.bandit, query, metric
        self._arms = [arm for arm, _ in course.plan.weights]
        self._sums: defaultdict[str, _ArmSums] = defaultdict(_ArmSums)
        self._first_unix_ms: int | None = None

    def include(self, block: UnitBlock) -> None:
        """Add a block."""
        self._count_users(block)
        said = block.said.get(self._metric.name)
        if said is None or not len(said.units):
            return
        arms = _arm_of_cells(self._query.cells, self._arms)[said.cells]
        known = arms >= 0
        rows = SaidColumns(*(column[known] for column in said))
        self._include_weeks(rows, arms[known])
        self._include_slice(rows, arms[known])

    def evidence(self, closed: Collection[str] = ()) -> BanditEvidence:
        """
        Give what a decision looks at.

        Args:
            closed: Arms that a breaker keeps.
        """
        course, now = self._course, self._query.until_unix_ms
        arms = tuple(self._arm(name, is_removed=name in closed) for name in self._arms)
        since = self._first_unix_ms
        return BanditEvidence(
            arms=arms,
            elapsed_s=0.0 if since is None else (now - since) / 1000,
            since_update_s=None if not course.moved_unix_ms else max(0.0, (now - course.moved_unix_ms) / 1000),
            phase=BanditPhase(course.phase) if course.phase else BanditPhase.EXPLORING,
            is_rate=is_rate(self._metric),
            design_effect=self._design_effect(),
        )

    def _arm(self, name: str, *, is_removed: bool) -> ArmRewards:
        sums = self._sums[name]
        return ArmRewards(name, sums.users, sums.plain, sums.discounted, sums.sliced, is_removed)

    def _design_effect(self) -> float:
        """Give the mean over arms, of those that have units enough to tell."""
        effects = [
            design_effect(sums.plain, ClusterSums(sums.n_units, *map(float, sums.clusters)))
            for sums in self._sums.values()
            if sums.clusters is not None and sums.n_units > 1
        ]
        return sum(effects) / len(effects) if effects else 1.0

    def _count_users(self, block: UnitBlock) -> None:
        import numpy as np

        shown = block.exposures
        if not len(shown.units):
            return
        first = int(shown.first_unix_ms.min())
        self._first_unix_ms = first if self._first_unix_ms is None else min(first, self._first_unix_ms)
        window_ms = 1000 * (self._metric.attribution_s or 0.0)
        is_over = shown.first_unix_ms + window_ms <= self._query.until_unix_ms
        arms = _arm_of_cells(self._query.cells, self._arms)[shown.cells]
        for at, name in enumerate(self._arms):
            self._sums[name].users += len(np.unique(shown.units[is_over & (arms == at)]))

    def _include_weeks(self, rows: SaidColumns, arms: Column) -> None:
        """Add a value per unit, cell and week."""
        import numpy as np

        weeks = rows.days // WEEK_DAYS
        starts = _starts(rows.units, rows.cells, weeks)
        counts = np.add.reduceat(rows.counts, starts)
        values = np.add.reduceat(rows.totals, starts) / counts
        units, arms, days = rows.units[starts], arms[starts], rows.days[starts]
        age_days = np.maximum(0.0, self._query.until_unix_ms / DAY_MS - days - 0.5)
        half_life_s = self._plan.half_life_s
        kept = np.ones(len(values)) if half_life_s is None else 2.0 ** (-age_days * 86_400.0 / half_life_s)
        for at, name in enumerate(self._arms):
            own = arms == at
            if own.any():
                sums = self._sums[name]
                sums.plain += _sums_of(values[own], np.ones(int(own.sum())))
                sums.discounted += _sums_of(values[own], kept[own])
                _note_clusters(sums, units[own], values[own])

    def _include_slice(self, rows: SaidColumns, arms: Column) -> None:
        """Add a value per unit of the exploration slice that had one arm only."""
        import numpy as np

        inside = slots_of(rows.units) < self._plan.slice_buckets
        units, arms = rows.units[inside], arms[inside]
        if not len(units):
            return
        starts = _starts(units)
        counts = np.add.reduceat(rows.counts[inside], starts)
        values = np.add.reduceat(rows.totals[inside], starts) / counts
        is_one = np.minimum.reduceat(arms, starts) == np.maximum.reduceat(arms, starts)
        for at, name in enumerate(self._arms):
            own = is_one & (arms[starts] == at)
            self._sums[name].sliced += _sums_of(values[own], np.ones(int(own.sum())))


def is_rate(metric: Metric) -> bool:
    """Tell whether a metric's values are from 0 to 1, so that their mean is a rate."""
    return metric.kind is MetricKind.BINARY or (metric.kind is MetricKind.SCORE and metric.range == (0.0, 1.0))


def slots_of(units: Column) -> Column:
    """
    Give buckets, 0 to 9,999, of kept hashes: (n,) int64 of 64 bits.

    >>> import numpy as np
    >>> slots_of(np.array([-1, 0, 2**62], dtype=np.int64)).tolist()
    [9999, 0, 2500]
    """
    import numpy as np

    hashes = units.astype(np.int64).view(np.uint64)
    high, low = hashes >> np.uint64(32), hashes & np.uint64(0xFFFF_FFFF)
    # (hash · 10,000) >> 64 in two halves: the product does not fit 64 bits.
    size = np.uint64(BUCKETS)
    return ((high * size + ((low * size) >> np.uint64(32))) >> np.uint64(32)).astype(np.int64)


def _arm_of_cells(cells: tuple[Cell, ...], arms: list[str]) -> Column:
    """Give the arm's index of each cell; -1 of an arm that is not in the plan."""
    import numpy as np

    index = {name: at for at, name in enumerate(arms)}
    return np.array([index.get(cell.arm, -1) for cell in cells], dtype=np.int64)


def _starts(*columns: Column) -> Column:
    """Give where rows begin that differ from the one before in any column."""
    import numpy as np

    is_new = np.zeros(len(columns[0]) - 1, dtype=np.bool_)
    for column in columns:
        is_new |= column[1:] != column[:-1]
    return np.concatenate([[0], np.flatnonzero(is_new) + 1])


def _sums_of(values: Column, weights: Column) -> RewardSums:
    return RewardSums(float(weights.sum()), float((weights * values).sum()), float((weights * values**2).sum()))


def _note_clusters(sums: _ArmSums, units: Column, values: Column) -> None:
    """Add (Σ n², Σ n·S, Σ S²) over units; rows of one unit lie side by side."""
    import numpy as np

    starts = _starts(units)
    n = np.diff(np.append(starts, len(units))).astype(np.float64)
    totals = np.add.reduceat(values, starts)
    found = np.array([(n**2).sum(), (n * totals).sum(), (totals**2).sum()])
    sums.clusters = found if sums.clusters is None else sums.clusters + found
    sums.n_units += len(starts)
