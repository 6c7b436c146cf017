"""
Who was exposed to what: sums per person and stretch of constant weights, and the evidence that gates read from them.

Requests are noted by the block and settled in one go when somebody asks, when weights change or when the
block ends: the sums are the same, and a minute costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from gateway.control.rollout import Rollout
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import GateName, Plan, StageKind
from gateway.gates.evidence import Compared, EpochUnits, Evidence, InternalEvidence, ShadowEvidence, compared_of
from gateway.gates.shadow_verdict import ShadowState
from gateway.record.experiment_query import Cell, UnitBlock
from gateway.simulator.world.block import MINUTE_MS, Block
from gateway.simulator.world.counted import HeardRows
from gateway.simulator.world.crowd import Crowd, Numbers
from gateway.simulator.world.layout import Layout
from gateway.simulator.world.said import CATASTROPHIC, Flags
from gateway.simulator.world.units import REQUEST_SUMS, StretchRows, merged
from gateway.stats.strata import ArmColumns, StratumColumns, compare_columns

_ASKED_SOON_S = 300.0
_NOT_COPIED = ShadowEvidence(ShadowState.NO_DIFFERENCE, "Copies are not simulated: they are taken to be alike", 0, 0)
"""A look that begins a tick early may be acted on when the time is over."""

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Sums:
    """
    Per person, in one stretch of constant weights.

    Attributes:
        requests: (people,).
        fails: (people,), requests that failed.
        unsafe: (people,), requests that were unsafe.
        said: (metrics, people), how often something was said.
        sums: (metrics, people), sum of what was said.
        tails: (metrics, people), how often it was a catastrophe.
        since_minute: First minute.
    """

    requests: Floats
    fails: Floats
    unsafe: Floats
    said: Floats
    sums: Floats
    tails: Floats
    since_minute: int

    @classmethod
    def empty(cls, n_metrics: int, since_minute: int) -> _Sums:
        one = np.empty(0)
        two = np.empty((n_metrics, 0))
        return cls(one, one.copy(), one.copy(), two, two.copy(), two.copy(), since_minute)

    def grow(self, n_people: int) -> None:
        """Make room for people who came since; in steps, because a few come every day."""
        if len(self.requests) < n_people:
            more = n_people + n_people // 4 - len(self.requests)
            for name in ("requests", "fails", "unsafe"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more)]))
            for name in ("said", "sums", "tails"):
                rows = getattr(self, name)
                setattr(self, name, np.concatenate([rows, np.zeros((len(rows), more))], axis=1))


@dataclass(slots=True)
class _Noted:
    block: Block
    first: int
    last: int
    layout: int


@dataclass(slots=True)
class _Harm:
    is_exposed: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    is_harmed: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    requests: int = 0
    of_requests: int = 0


class Exposed:
    """Sums per person and layout."""

    def __init__(self, plan: Plan, crowd: Crowd, names: Sequence[str]) -> None:
        self._plan = plan
        self._crowd = crowd
        self._names = names
        self._baseline = names.index(plan.baseline)
        self._metrics = tuple(plan.metrics.values())
        self._values = np.array([_values_of(metric) for metric in self._metrics]).reshape(-1, 4)
        self._sums: dict[int, _Sums] = {}
        self._noted: list[_Noted] = []
        self._heard: list[tuple[HeardRows, int, int]] = []
        self._harm = _Harm()
        self._layouts: Sequence[Layout] = ()

    def note(self, block: Block, first: int, last: int, layout: int) -> None:
        """Note requests `first` to `last` of a block, answered under a layout."""
        previous = self._noted[-1] if self._noted else None
        if previous is not None and (previous.block is block and previous.layout == layout and previous.last == first):
            previous.last = last
            return
        self._noted.append(_Noted(block, first, last, layout))

    def note_heard(self, rows: HeardRows, minute: int) -> None:
        """Note what is heard in a minute, counted from the block's first."""
        first, last = rows.starts[minute], rows.starts[minute + 1]
        if self._heard and self._heard[-1][0] is rows and self._heard[-1][2] == first:
            first = self._heard.pop()[1]
        if first < last:
            self._heard.append((rows, first, last))

    def settle(self, layouts: Sequence[Layout]) -> None:
        """Sum up what was noted."""
        self._layouts = layouts
        noted, self._noted = self._noted, []
        for each in noted:
            self._settle(each, layouts[each.layout])
        heard, self._heard = self._heard, []
        for rows, first, last in heard:
            self._settle_heard(rows, slice(first, last))

    def harm(self) -> tuple[int, int, int, int]:
        """Give people exposed to a candidate, people harmed, requests harmed, and a candidate's requests in all."""
        harm = self._harm
        return int(harm.is_exposed.sum()), int(harm.is_harmed.sum()), harm.requests, harm.of_requests

    def evidence(
        self, rollout: Rollout, *, until_unix_ms: int, starts_unix_ms: int, internal: InternalEvidence
    ) -> Evidence:
        """
        Give what the gates of a rollout look at; until they are about to be asked, no more than who was exposed.

        Before a stage's least time is over nothing is decided by metrics, and comparing 20,000 people by each of them
        every hour would be a fifth of a run.
        """
        units = {index: self._units_of(index, rollout.plan.candidate) for index in sorted(self._sums)}
        entered_minute = max(0, (rollout.entered_unix_ms - starts_unix_ms) // MINUTE_MS)
        stage_units, stage_requests = self._stage(units, entered_minute)
        exposed = Evidence(
            until_unix_ms=until_unix_ms,
            stage_units=stage_units,
            stage_requests=stage_requests,
            stage_s=rollout.dwelt_s,
            internal=internal,
            epochs=self._epochs(units),
            shadow=_NOT_COPIED if rollout.at.kind is StageKind.SHADOW else None,
        )
        if rollout.is_last or rollout.dwelt_s < rollout.at.min_duration_s - _ASKED_SOON_S:
            return exposed
        return self._with_metrics(exposed, rollout, units)

    def block(self, cells: Sequence[Cell], *, starts_unix_ms: int) -> UnitBlock:
        """
        Give what everybody did and said in these cells, as the store would; by stretches, not by days.

        Args:
            cells: Whom it is about.
            starts_unix_ms: The wall clock at the first minute.
        """
        index = {cell: at for at, cell in enumerate(cells)}
        rows = [
            rows
            for layout, sums in sorted(self._sums.items())
            for rows in self._rows_of(layout, sums, index, starts_unix_ms)
        ]
        return merged(rows, self._crowd.hashes.view(np.int64), [metric.name for metric in self._metrics])

    def _rows_of(
        self, layout: int, sums: _Sums, index: Mapping[Cell, int], starts_unix_ms: int
    ) -> Iterator[StretchRows]:
        epoch, since = self._layouts[layout].epoch, starts_unix_ms + sums.since_minute * MINUTE_MS
        # Whoever came since the last settling is in no sum yet.
        n_people = min(len(self._crowd), len(sums.requests))
        arms = self._layouts[layout].arm_of[self._crowd.slots[:n_people]]
        for arm, name in enumerate(self._names):
            cell = index.get(Cell(epoch, name))
            if cell is None:
                continue
            # Who speaks of an arm without having asked in this stretch did so in the one before, of the same epoch.
            people = np.flatnonzero((arms == arm) & (sums.requests[:n_people] > 0))
            yield StretchRows(
                people,
                cell,
                since,
                {each: getattr(sums, field)[people] for each, field in REQUEST_SUMS.items()},
                tuple(
                    (sums.said[at][people], sums.sums[at][people], sums.tails[at][people])
                    for at in range(len(sums.said))
                ),
            )

    def _with_metrics(self, exposed: Evidence, rollout: Rollout, units: Mapping[int, _Units]) -> Evidence:
        plan = rollout.plan
        quality = {*plan.quality_metrics, *([plan.primary_metric] if plan.primary_metric else [])}
        metrics, tails, segments = {}, {}, {}
        for index, metric in enumerate(self._metrics):
            if metric.name not in quality:
                continue
            metrics[metric.name] = self._compared(metric.name, units, "sums", "said", index)
            if GateName.SEGMENTS in rollout.at.gates:
                segments[metric.name] = self._within_segments(rollout, metric.name, units, index)
            if metric.catastrophic is not None:
                tails[metric.name] = self._compared(metric.name, units, "tails", "said", index)
        return replace(
            exposed,
            metrics={name: each for name, each in metrics.items() if each is not None},
            tails={name: each for name, each in tails.items() if each is not None},
            segments=segments,
            errors=self._compared("errors", units, "fails", "requests", None),
            safety=self._compared("safety", units, "unsafe", "requests", None),
        )

    def _stage(self, units: Mapping[int, _Units], entered_minute: int) -> tuple[int, int]:
        seen = np.zeros(len(self._crowd), np.bool_)
        n_requests = 0
        for index, each in units.items():
            if self._sums[index].since_minute >= entered_minute:
                seen[each.candidate] = True
                n_requests += int(self._sums[index].requests[each.candidate].sum())
        return int(seen.sum()), n_requests

    def _epochs(self, units: Mapping[int, _Units]) -> tuple[EpochUnits, ...]:
        return tuple(
            EpochUnits(
                epoch=self._layouts[index].epoch,
                candidate_buckets=self._layouts[index].weights[self._names[each.arm]],
                baseline_buckets=self._layouts[index].weights[self._plan.baseline],
                candidate=len(each.candidate),
                baseline=len(each.baseline),
            )
            for index, each in units.items()
        )

    def _within_segments(
        self, rollout: Rollout, name: str, units: Mapping[int, _Units], metric: int
    ) -> dict[str, Compared]:
        found = {}
        for segment in rollout.plan.segments:
            of_people = self._crowd.segments.get(segment)
            for value, label in enumerate(self._crowd.labels_of(segment) if of_people is not None else ()):
                assert of_people is not None
                compared = self._compared(
                    name, units, "sums", "said", metric, segment=f"{segment}={label}", is_in=of_people == value
                )
                if compared is not None:
                    found[f"{segment}={label}"] = compared
        return found

    def _compared(
        self,
        name: str,
        units: Mapping[int, _Units],
        top: str,
        bottom: str,
        metric: int | None,
        *,
        segment: str = "",
        is_in: Flags | None = None,
    ) -> Compared | None:
        strata = []
        for index, each in units.items():
            sums = self._sums[index]
            tops, bottoms = getattr(sums, top), getattr(sums, bottom)
            if metric is not None:
                tops, bottoms = tops[metric], bottoms[metric]
            arms = []
            for people in (each.candidate, each.baseline):
                counted = people[bottoms[people] > 0]
                if is_in is not None:
                    counted = counted[is_in[counted]]
                arms.append(ArmColumns(counted, tops[counted], bottoms[counted]))
            strata.append(StratumColumns(arms[0], arms[1]))
        found = compare_columns(strata)
        return None if found is None else compared_of(name, found, segment)

    def _units_of(self, index: int, candidate: str) -> _Units:
        arm = self._names.index(candidate)
        exposed = np.flatnonzero(self._sums[index].requests)
        arms = self._layouts[index].arm_of[self._crowd.slots[exposed]]
        return _Units(arm, exposed[arms == arm], exposed[arms == self._baseline])

    def _settle(self, noted: _Noted, layout: Layout) -> None:
        block, baseline = noted.block, self._baseline
        arms = layout.arm_of[self._crowd.slots[block.users[noted.first : noted.last]]]
        at_minute = int(np.searchsorted(block.starts, noted.first, side="right")) - 1
        sums = self._sums_of(noted.layout, block.first_minute + at_minute)
        known = np.flatnonzero(arms >= 0)
        if not len(known):
            return
        rows, arms = noted.first + known, arms[known]
        users, fails, unsafe = block.users[rows], block.fails[arms, rows], block.unsafe[arms, rows]
        width = len(sums.requests)
        sums.requests += np.bincount(users, minlength=width)
        sums.fails += np.bincount(users[fails], minlength=width)
        sums.unsafe += np.bincount(users[unsafe], minlength=width)
        theirs = arms != baseline
        spoilt = rows[theirs & (fails | unsafe)]
        spared = ~(block.fails[baseline, spoilt] | block.unsafe[baseline, spoilt])
        self._note_harm(users[theirs], block.users[spoilt[spared]])

    def _settle_heard(self, rows: HeardRows, taken: slice) -> None:
        for layout in np.unique(rows.layouts[taken]).tolist():
            sums = self._sums_of(layout, 0)
            shape = sums.said.shape
            then = np.flatnonzero(rows.layouts[taken] == layout)
            metric, values = rows.metric[taken][then], rows.values[taken][then]
            cells = metric.astype(np.int64) * shape[1] + rows.users[taken][then]
            size = shape[0] * shape[1]
            sums.said += np.bincount(cells, minlength=size).reshape(shape)
            sums.sums += np.bincount(cells, weights=self._values[metric, values], minlength=size).reshape(shape)
            sums.tails += np.bincount(cells[values == CATASTROPHIC], minlength=size).reshape(shape)

    def _note_harm(self, exposed: Numbers, harmed: Numbers) -> None:
        harm = self._harm
        if len(harm.is_exposed) < len(self._crowd):
            more = np.zeros(len(self._crowd) - len(harm.is_exposed), np.bool_)
            harm.is_exposed = np.concatenate([harm.is_exposed, more])
            harm.is_harmed = np.concatenate([harm.is_harmed, more])
        harm.is_exposed[exposed] = True
        harm.is_harmed[harmed] = True
        harm.requests += len(harmed)
        harm.of_requests += len(exposed)

    def _sums_of(self, layout: int, since_minute: int) -> _Sums:
        sums = self._sums.get(layout)
        if sums is None:
            sums = self._sums[layout] = _Sums.empty(len(self._metrics), since_minute)
        sums.grow(len(self._crowd))
        return sums


@dataclass(frozen=True, slots=True)
class _Units:
    """
    Who was exposed in one layout.

    Attributes:
        arm: Index of the candidate.
        candidate: People's numbers.
        baseline: Likewise.
    """

    arm: int
    candidate: Numbers
    baseline: Numbers


def _values_of(metric: Metric) -> tuple[float, float, float, float]:
    """Give what SILENT, GOOD, BAD and CATASTROPHIC are worth."""
    if metric.kind is not MetricKind.SCORE or metric.range is None:
        return (0.0, 1.0, 0.0, 0.0)
    low, high = metric.range
    good = metric.good if metric.good is not None else (low + high) / 2
    worst = metric.catastrophic if metric.catastrophic is not None else low
    return (0.0, (good + high) / 2, (good + worst) / 2, (low + worst) / 2)
