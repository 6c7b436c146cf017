"""What an experiment's analysis asks of the store, and what it gets: columns, a block of units at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.domain.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Cell(NamedTuple):
    """An arm in one epoch: what a unit is exposed to."""

    epoch: int
    arm: str


@dataclass(frozen=True, slots=True)
class EpochShares:
    """
    How a release was divided in one epoch.

    Attributes:
        epoch: The release's epoch.
        since_unix_ms: From when on.
        arms: (arm, buckets that are compared), above 0; a control slice only, where there is one.
        content: What the arms were, as `SplitPlan.content` has it; empty where nobody knows.
        release: Release name; empty where it is clear.
    """

    epoch: int
    since_unix_ms: int
    arms: tuple[tuple[str, int], ...]
    content: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentQuery:
    """
    What is asked.

    Attributes:
        release: Release name.
        cells: Whom it is about; everything else is left out. At most 32,767.
        metrics: What feedback said.
        since_unix_ms: When the experiment began: units first exposed before are left out.
        until_unix_ms: Up to here, exclusive.
        history_s: Seconds before `since` that count as a unit's history; 0 for none.
        with_days: Whether what requests came to is asked for, beside what was said.
    """

    release: str
    cells: tuple[Cell, ...]
    metrics: tuple[Metric, ...] = ()
    since_unix_ms: int = 0
    until_unix_ms: int = 2**62
    history_s: float = 0.0
    with_days: bool = True


class ExposureColumns(NamedTuple):
    """
    Units as they were first exposed to a cell, a row each, by unit.

    Attributes:
        units: (n,) int64, the kept hashes; equal ones are one unit.
        cells: (n,) int16, indices into the query's.
        first_unix_ms: (n,) int64.
        segments: (n,) int32, indices into the block's `segments`.
    """

    units: NDArray[Any]
    cells: NDArray[Any]
    first_unix_ms: NDArray[Any]
    segments: NDArray[Any]


class DayColumns(NamedTuple):
    """
    Sums of a unit's day in a cell, a row each, by unit, cell and day.

    Attributes:
        units: (n,) int64.
        cells: (n,) int16.
        days: (n,) int32, days since 1970, UTC.
        sums: Name in `UnitSums` to (n,) float64; `unsafe` is input_blocked + output_blocked + flagged, `refused` apart.
    """

    units: NDArray[Any]
    cells: NDArray[Any]
    days: NDArray[Any]
    sums: dict[str, NDArray[Any]]


class SaidColumns(NamedTuple):
    """
    What a unit of a cell said of one metric in one day, a row each, by unit, cell and day; late feedback left out.

    Attributes:
        units: (n,) int64.
        cells: (n,) int16, of the exposure that was rated.
        days: (n,) int32: the day from which on it counts: when the attribution window of the exposure closed, for
            metrics with one; when it was said, for others.
        counts: (n,) float64, how often.
        totals: (n,) float64, sum of values.
        good: (n,) float64, how many were good; NaN for metrics without such a line.
        catastrophic: (n,) float64, how many were catastrophes; NaN likewise.
    """

    units: NDArray[Any]
    cells: NDArray[Any]
    days: NDArray[Any]
    counts: NDArray[Any]
    totals: NDArray[Any]
    good: NDArray[Any]
    catastrophic: NDArray[Any]


@dataclass(frozen=True, slots=True)
class UnitBlock:
    """
    Everything about some of the units, and about no others: a range of unit hashes.

    Attributes:
        exposures: Who was exposed to what. Rows of `days` and `said` are of exposed (unit, cell) only.
        days: What their requests came to.
        said: What they said, by metric.
        history: Sums per unit of what the same hashes did in this release in the `history_s` before `since`: `units`
            (m,) int64 and, by name as in `days.sums` and `said.<metric>.total` and `.count`, (m,) float64. Empty
            without history.
        segments: What `exposures.segments` counts: each a tuple of (name, value).
        n_two_arms: Units seen in two arms of one epoch: left out of everything, and counted here.
    """

    exposures: ExposureColumns
    days: DayColumns
    said: dict[str, SaidColumns]
    history: dict[str, NDArray[Any]]
    segments: tuple[tuple[tuple[str, str], ...], ...]
    n_two_arms: int = 0
