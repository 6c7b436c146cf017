"""
What a stage's gates look at, read from the store: one candidate against its baseline, by unit and epoch.

Everything is read per unit, for a unit is what was randomised: requests and words of one unit are no independent
evidence. It takes as long as there are units, so a control process has it done by a child of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.domain.metric import Metric
from gateway.domain.release import Reason
from gateway.gates.evidence import Compared, EpochUnits, Evidence, InternalEvidence, compared_of
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.rollup import DAY_MS
from gateway.record.store import schema
from gateway.record.store.reader import Reader
from gateway.stats.strata import Stratum, compare

GRACE_MS = 60_000
"""Workers' clocks and the controller's may differ by so much."""

MIN_SEGMENT_UNITS = 2
"""A segment with fewer units in an arm cannot be compared at all."""

Units = dict[int, tuple[float, int]]
"""By unit: sum of its values, and how many."""

ByArm = dict[tuple[int, str], Units]
"""By epoch and arm."""


async def read_evidence(reader: Reader, query: EvidenceQuery) -> Evidence:
    """
    Give what gates look at.

    Raises:
        StoreError: It could not be read.
    """
    gathering = _Gathering(reader, query)
    shown = await gathering.exposures()
    segment_units = _units_by_segment(shown, query.segments)
    metrics, tails, segments = {}, {}, {}
    for metric in query.metrics:
        values, worst = await gathering.feedback(metric)
        if (found := gathering.compared(metric.name, values)) is not None:
            metrics[metric.name] = found
        if worst is not None and (tail := gathering.compared(metric.name, worst)) is not None:
            tails[metric.name] = tail
        segments[metric.name] = _by_segment(gathering, metric.name, values, segment_units)
    failed, unsafe, n_requests = await gathering.requests()
    stage = {
        unit for (epoch, unit), (arm, _) in shown.items() if arm == query.candidate and epoch in query.stage_epochs
    }
    return Evidence(
        until_unix_ms=query.until_unix_ms,
        stage_units=len(stage),
        stage_requests=n_requests,
        metrics=metrics,
        tails=tails,
        segments={name: one for name, one in segments.items() if one},
        errors=gathering.compared("errors", failed),
        safety=gathering.compared("safety", unsafe),
        internal=await gathering.internal(),
        epochs=_epoch_units(query, shown),
        n_multi_exposed=gathering.n_multi_exposed,
    )


_Shown = Mapping[tuple[int, int], tuple[str, str | None]]
"""Epoch and unit to arm and segments as JSON."""


class _Gathering:
    """One query while it is read."""

    def __init__(self, reader: Reader, query: EvidenceQuery) -> None:
        self._reader = reader
        self._query = query
        self._epochs = [epoch for epoch, candidate, control in query.epochs if candidate and control]
        self.n_multi_exposed = 0
        # Epochs are numbers, and may come again after a lost state directory: what is older is another rollout's.
        self._since_unix_ms = query.since_unix_ms - GRACE_MS

    async def exposures(self) -> dict[tuple[int, int], tuple[str, str | None]]:
        """Give who was exposed to which arm; a unit that was in both within an epoch is in neither, and counted."""
        table = schema.exposures
        wanted = sa.select(table.c.epoch, table.c.unit_hash, table.c.arm, table.c.segments).where(
            table.c.release == self._query.release,
            table.c.epoch.in_(self._epochs),
            table.c.first_unix_ms >= self._since_unix_ms,
            self._is_ours(table.c.arm),
        )
        shown: dict[tuple[int, int], tuple[str, str | None]] = {}
        twice = set()
        for epoch, unit, arm, segments in await self._reader.rows_of(wanted):
            key = (epoch, unit)
            if key in shown:
                twice.add(key)
            shown[key] = (arm, segments)
        for key in twice:
            del shown[key]
        self.n_multi_exposed = len(twice)
        return shown

    async def feedback(self, metric: Metric) -> tuple[ByArm, ByArm | None]:
        """Give what exposed units said of a metric, and how often it was a catastrophe; None without such a line."""
        said, shown = schema.feedback.c, schema.exposures.c
        unit = (said.epoch, said.arm, said.unit_hash)
        line = metric.catastrophic
        is_worst = sa.literal(0) if line is None else sa.case((said.value <= line, 1), else_=0)
        same = sa.and_(
            said.release == shown.release,
            said.unit_hash == shown.unit_hash,
            said.epoch == shown.epoch,
            said.arm == shown.arm,
        )
        wanted = (
            sa.select(*unit, sa.func.count(), sa.func.sum(said.value), sa.func.sum(is_worst))
            .select_from(schema.feedback.join(schema.exposures, same))
            .where(said.release == self._query.release, said.metric == metric.name, sa.not_(said.is_late))
            .where(said.value.is_not(None), said.epoch.in_(self._epochs), self._is_ours(said.arm))
            .where(shown.first_unix_ms >= self._since_unix_ms)
            .group_by(*unit)
        )
        values, worst = _by_arm(), _by_arm()
        for epoch, arm, unit_hash, n, total, n_worst in await self._reader.rows_of(wanted):
            values[epoch, arm][unit_hash] = (float(total), int(n))
            worst[epoch, arm][unit_hash] = (float(n_worst), int(n))
        return values, None if line is None else worst

    async def requests(self) -> tuple[ByArm, ByArm, int]:
        """Give which share of exposed units' requests failed, and was unsafe; and the candidate's in this stage."""
        days = schema.unit_days.c
        unit = (days.epoch, days.arm, days.unit_hash)
        n_unsafe = days.input_blocked + days.output_blocked + days.refused + days.flagged
        wanted = (
            sa.select(*unit, sa.func.sum(days.requests), sa.func.sum(days.provider_faults), sa.func.sum(n_unsafe))
            .where(days.release == self._query.release, days.epoch.in_(self._epochs), self._is_ours(days.arm))
            .where(days.day >= self._since_unix_ms // DAY_MS)
            .group_by(*unit)
        )
        failed, unsafe, n_stage = _by_arm(), _by_arm(), 0
        for epoch, arm, unit_hash, n, n_failed, n_bad in await self._reader.rows_of(wanted):
            failed[epoch, arm][unit_hash] = (float(n_failed), int(n))
            unsafe[epoch, arm][unit_hash] = (float(n_bad), int(n))
            if arm == self._query.candidate and epoch in self._query.stage_epochs:
                n_stage += int(n)
        return failed, unsafe, n_stage

    async def internal(self) -> InternalEvidence:
        """Give what internal users saw of the candidate since the rollout began."""
        since_unix_s = self._query.since_unix_ms // 60_000 * 60
        totals = await self._reader.totals(self._query.release, reason=str(Reason.INTERNAL), since_unix_s=since_unix_s)
        ours = [sums for key, sums in totals.items() if key.arm == self._query.candidate]
        return InternalEvidence(
            requests=sum(sums.requests for sums in ours),
            failures=sum(sums.provider_faults for sums in ours),
            unsafe=sum(sums.input_blocked + sums.output_blocked + sums.refused + sums.flagged for sums in ours),
            invalid_formats=sum(sums.invalid_formats for sums in ours),
        )

    def compared(self, metric: str, values: ByArm, segment: str = "") -> Compared | None:
        """Give the candidate against the baseline, by epoch; None with nobody in one of them."""
        strata = [
            Stratum(
                candidate=values.get((epoch, self._query.candidate), {}),
                baseline=values.get((epoch, self._query.baseline), {}),
            )
            for epoch in self._epochs
        ]
        found = compare(strata)
        return None if found is None else compared_of(metric, found, segment)

    def _is_ours(self, arm: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return arm.in_((self._query.baseline, self._query.candidate))


def _by_arm() -> ByArm:
    return defaultdict(dict)


def _units_by_segment(shown: _Shown, names: Sequence[str]) -> dict[str, set[int]]:
    """Give each segment's units; a unit is in the segments of its first request in any epoch."""
    units: dict[str, set[int]] = defaultdict(set)
    if not names:
        return units
    wanted = frozenset(names)
    for (_, unit), (_, segments) in shown.items():
        for name, value in (orjson.loads(segments) if segments else {}).items():
            if name in wanted:
                units[f"{name}={value}"].add(unit)
    return units


def _by_segment(
    gathering: _Gathering, metric: str, values: ByArm, segment_units: Mapping[str, set[int]]
) -> dict[str, Compared]:
    found = {}
    for segment, units in sorted(segment_units.items()):
        within = {arm: _only(theirs, units.__contains__) for arm, theirs in values.items()}
        compared = gathering.compared(metric, within, segment)
        if compared is not None and min(compared.baseline.n_units, compared.candidate.n_units) >= MIN_SEGMENT_UNITS:
            found[segment] = compared
    return found


def _only(units: Units, is_wanted: Callable[[int], bool]) -> Units:
    return {unit: value for unit, value in units.items() if is_wanted(unit)}


def _epoch_units(query: EvidenceQuery, shown: _Shown) -> tuple[EpochUnits, ...]:
    counted = _count((epoch, arm) for (epoch, _), (arm, _) in shown.items())
    return tuple(
        EpochUnits(
            epoch, candidate, control, counted.get((epoch, query.candidate), 0), counted.get((epoch, query.baseline), 0)
        )
        for epoch, candidate, control in query.epochs
        if candidate and control
    )


def _count(keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
    counted: dict[tuple[int, str], int] = defaultdict(int)
    for key in keys:
        counted[key] += 1
    return counted
