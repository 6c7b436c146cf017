"""
What blocks of units come to: sums of products by metric, segment and day; so any number of units is a few matrices.

A block is read, added and forgotten. Everything a report says about effects follows from what is here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.gates.experiment_effects import Sample
from gateway.gates.experiment_metrics import Measure
from gateway.record.experiment_query import Cell, DayColumns, ExperimentQuery, SaidColumns, UnitBlock
from gateway.stats.cells import CellContrast, CellPair, mean_contrast, ratio_contrast
from gateway.stats.products import CellProducts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

MAX_SEGMENT_VALUES = 50
"""Per segment; the rest are left out: an exploratory table of hundreds says nothing."""


class UnitRows(NamedTuple):
    """
    One measure of units, a row per unit and cell, by unit.

    Attributes:
        units: (rows,) integers.
        cells: (rows,) integers.
        numerators: (rows,).
        denominators: (rows,), above 0.
    """

    units: Column
    cells: Column
    numerators: Column
    denominators: Column

    def where(self, chosen: Column) -> UnitRows:
        """Give some of the rows."""
        return UnitRows(*(column[chosen] for column in self))


@dataclass(slots=True)
class Tally:
    """
    One measure, over all blocks so far.

    Attributes:
        products: Of its units' columns.
        n_units: Distinct units with a value, by arm.
        rates: Units' own rates summed up, by arm.
    """

    products: CellProducts
    n_units: Counter[str] = field(default_factory=Counter)
    rates: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Gathering:
    """
    Takes blocks, and gives contrasts.

    Attributes:
        n_units: Units exposed, by arm.
        n_new: Units first exposed, by epoch and arm: those that came fresh, whose shares are to be as planned.
        n_two_arms: Units left out, for they were in two arms of one epoch.
        n_by_day: New units by day since 1970, UTC.
    """

    def __init__(
        self, query: ExperimentQuery, measures: Sequence[Measure], baseline: str, days: Sequence[int] = ()
    ) -> None:
        """`days`: those at whose end the primary measure, which is the first, is looked at, rising."""
        self.n_units: Counter[str] = Counter()
        self.n_new: Counter[tuple[int, str]] = Counter()
        self.n_by_day: Counter[int] = Counter()
        self.n_two_arms = 0
        self._query = query
        self._measures = tuple(measures)
        self._baseline = baseline
        self._days = tuple(days)
        self._arms = [cell.arm for cell in query.cells]
        self._tallies = {each.name: _tally_of(each) for each in measures}
        self._looks = {day: CellTally() for day in days}
        self._segments: dict[tuple[str, str], CellTally] = defaultdict(CellTally)
        self._n_values: Counter[str] = Counter()

    @property
    def primary(self) -> Measure | None:
        """Give the measure that looks and segments are of."""
        return self._measures[0] if self._measures and self._measures[0].metric is not None else None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Give what rows are counted by."""
        return self._query.cells

    def products_of(self, measure: Measure) -> CellProducts:
        """Give a measure's sums of products, whose first two columns are 1 and the unit's value."""
        return self._tallies[measure.name].products

    def n_with_value(self, measure: Measure) -> int:
        """Give the units that have a value, each once in every arm it was in."""
        return self._tallies[measure.name].n_units.total()

    def mean_of(self, measure: Measure, arm: str) -> float | None:
        """Give the mean of an arm's units' own means, over all epochs alike; None of nobody."""
        tally = self._tallies[measure.name]
        return tally.rates[arm] / tally.n_units[arm] if tally.n_units[arm] else None

    def include(self, block: UnitBlock) -> None:
        """Add a block."""
        self.n_two_arms += block.n_two_arms
        self._count(block)
        for measure in self._measures:
            rows = rows_of(measure, block)
            if measure is self.primary:
                self._include_primary(measure, rows, block)
            self._add(self._tallies[measure.name], measure, rows, block)

    def contrast(self, measure: Measure, arm: str) -> tuple[CellContrast, Sample] | None:
        """Give an arm against the baseline, and how many spoke; None where there are too few."""
        tally = self._tallies[measure.name]
        compare = ratio_contrast if measure.is_ratio else mean_contrast
        found = compare(tally.products, self._pairs(arm))
        if found is None:
            return None
        rates = (tally.rates[arm], tally.rates[self._baseline]) if measure.is_rate else None
        return found, Sample(tally.n_units[arm], tally.n_units[self._baseline], rates)

    def looks(self, arm: str) -> Iterable[tuple[int, CellContrast, int]]:
        """Give (day, contrast, units so far) of the primary measure for each day on which there is one."""
        for day in self._days:
            tally = self._looks[day]
            found = mean_contrast(tally.products, self._pairs(arm))
            if found is not None:
                yield day, found, tally.n_units[arm] + tally.n_units[self._baseline]

    def segments(self, arm: str) -> Iterable[tuple[str, str, CellContrast, Sample]]:
        """Give (name, value, contrast, sample) of the primary measure in each segment that has units in both arms."""
        primary = self.primary
        for (name, value), tally in sorted(self._segments.items()):
            found = mean_contrast(tally.products, self._pairs(arm))
            if found is not None and primary is not None:
                rates = (tally.rates[arm], tally.rates[self._baseline]) if primary.is_rate else None
                yield name, value, found, Sample(tally.n_units[arm], tally.n_units[self._baseline], rates)

    def _pairs(self, arm: str) -> list[CellPair]:
        index = {cell: at for at, cell in enumerate(self._query.cells)}
        epochs = dict.fromkeys(cell.epoch for cell in self._query.cells)
        at = [(index.get(Cell(epoch, arm)), index.get(Cell(epoch, self._baseline))) for epoch in epochs]
        return [CellPair(one, two) for one, two in at if one is not None and two is not None]

    def _count(self, block: UnitBlock) -> None:
        import numpy as np

        shown = block.exposures
        if not len(shown.units):
            return
        for arm, n in _distinct(shown.units, shown.cells, self._arms).items():
            self.n_units[arm] += n
        first = first_rows(shown.units, shown.first_unix_ms)
        cells, counts = np.unique(shown.cells[first], return_counts=True)
        for cell, n in zip(cells, counts, strict=True):
            at = self._query.cells[int(cell)]
            self.n_new[at.epoch, at.arm] += int(n)
        days, counts = np.unique(shown.first_unix_ms[first] // 86_400_000, return_counts=True)
        self.n_by_day.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))

    def _add(self, tally: Tally, measure: Measure, rows: UnitRows, block: UnitBlock) -> None:
        import numpy as np

        n = len(rows.units)
        if not n:
            return
        ones, values = np.ones(n), rows.numerators / rows.denominators
        if measure.is_ratio:
            columns = np.column_stack([ones, rows.numerators, rows.denominators])
        elif tally.products.n_columns == 4:
            columns = np.column_stack([ones, values, *_history_of(measure, rows.units, block)])
        else:
            columns = np.column_stack([ones, values])
        tally.products.note(rows.units, rows.cells, columns)
        _note_arms(tally, rows, values, self._arms)

    def _include_primary(self, measure: Measure, rows: UnitRows, block: UnitBlock) -> None:
        said = block.said.get(measure.metric or "")
        if said is None or not len(said.units):
            return
        for day in self._days:
            _note_plain(self._looks[day], rows_said(measure, said, through_day=day), self._arms)
        self._note_segments(rows, block)

    def _note_segments(self, rows: UnitRows, block: UnitBlock) -> None:
        import numpy as np

        shown = block.exposures
        first = first_rows(shown.units, shown.first_unix_ms)
        at = np.searchsorted(shown.units[first], rows.units)
        codes = shown.segments[first][at]
        for code in np.unique(codes):
            chosen = rows.where(codes == code)
            for key in block.segments[int(code)]:
                if self._is_shown(key):
                    _note_plain(self._segments[key], chosen, self._arms)

    def _is_shown(self, key: tuple[str, str]) -> bool:
        if key in self._segments:
            return True
        if self._n_values[key[0]] >= MAX_SEGMENT_VALUES:
            return False
        self._n_values[key[0]] += 1
        return True


class CellTally(Tally):
    """A tally of plain means."""

    def __init__(self) -> None:
        super().__init__(CellProducts(2))


def rows_of(measure: Measure, block: UnitBlock) -> UnitRows:
    """Give a measure's rows of a block, one per unit and cell that has something to divide by."""
    if measure.metric is None:
        days = block.days
        return _summed(days, days.sums[measure.numerator], days.sums[measure.denominator])
    said = block.said.get(measure.metric)
    return _nobody() if said is None else rows_said(measure, said)


def rows_said(measure: Measure, said: SaidColumns, through_day: int | None = None) -> UnitRows:
    """Give what units said up to the end of a day; of all days without one."""
    if through_day is not None:
        chosen = said.days <= through_day
        said = SaidColumns(*(column[chosen] for column in said))
    of = {"total": said.totals, "good": said.good, "catastrophic": said.catastrophic}
    return _summed(said, of[measure.numerator], said.counts)


def first_rows(units: Column, times: Column) -> Column:
    """Give the index of each unit's earliest row, by unit; `units` is sorted."""
    import numpy as np

    order = np.lexsort((times, units))
    ordered = units[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, bool)
    return np.asarray(order[is_first])


def _summed(rows: DayColumns | SaidColumns, numerators: Column, denominators: Column) -> UnitRows:
    """Add up rows of one unit and cell, which lie side by side; those without a denominator say nothing."""
    import numpy as np

    if not len(rows.units):
        return _nobody()
    is_new = (rows.units[1:] != rows.units[:-1]) | (rows.cells[1:] != rows.cells[:-1])
    starts = np.concatenate([[0], np.nonzero(is_new)[0] + 1])
    summed = UnitRows(
        rows.units[starts],
        rows.cells[starts],
        np.add.reduceat(numerators, starts),
        np.add.reduceat(denominators, starts),
    )
    return summed.where(summed.denominators > 0)


def _nobody() -> UnitRows:
    import numpy as np

    return UnitRows(np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0), np.zeros(0))


def _tally_of(measure: Measure) -> Tally:
    return Tally(CellProducts(3 if measure.is_ratio else 4 if measure.metric is not None else 2))


def _note_plain(tally: Tally, rows: UnitRows, arms: Sequence[str]) -> None:
    import numpy as np

    if len(rows.units):
        values = rows.numerators / rows.denominators
        tally.products.note(rows.units, rows.cells, np.column_stack([np.ones(len(values)), values]))
        _note_arms(tally, rows, values, arms)


def _note_arms(tally: Tally, rows: UnitRows, values: Column, arms: Sequence[str]) -> None:
    tally.n_units.update(_distinct(rows.units, rows.cells, arms))
    for arm, chosen in _rows_by_arm(rows.cells, arms):
        tally.rates[arm] += float(values[chosen].sum())


def _distinct(units: Column, cells: Column, arms: Sequence[str]) -> dict[str, int]:
    """Give distinct units by arm; `units` is sorted."""
    import numpy as np

    found = {}
    for arm, chosen in _rows_by_arm(cells, arms):
        own = units[chosen]
        # Side by side, so equal ones are counted without being sorted again.
        found[arm] = 1 + int(np.count_nonzero(own[1:] != own[:-1]))
    return found


def _rows_by_arm(cells: Column, arms: Sequence[str]) -> Iterable[tuple[str, Column]]:
    import numpy as np

    for arm in dict.fromkeys(arms):
        chosen = np.isin(cells, [at for at, each in enumerate(arms) if each == arm])
        if chosen.any():
            yield arm, chosen


def _history_of(measure: Measure, units: Column, block: UnitBlock) -> tuple[Column, Column]:
    """Give (whether a unit has a history, its history or 0)."""
    import numpy as np

    known, n = block.history.get("units"), len(units)
    counts = block.history.get(f"said.{measure.metric}.count")
    totals = block.history.get(f"said.{measure.metric}.total")
    if known is None or counts is None or totals is None or not len(known) or measure.numerator != "total":
        return np.zeros(n), np.zeros(n)
    at = np.minimum(np.searchsorted(known, units), len(known) - 1)
    has = (known[at] == units) & (counts[at] > 0)
    values = np.where(has, totals[at] / np.where(counts[at] > 0, counts[at], 1), 0.0)
    return has.astype(np.float64), values
