"""What happened lately, in bounded memory: distinct failing units, requests since a time, and sampled rows."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import Any

MAX_UNITS = 8_192
"""Distinct failing units kept per arm and window, 1 MB at most; beyond, units are sampled and counts scaled."""

CELL_MS = 60_000


class FailingUnits:
    """
    Distinct units that failed in the trailing window, and the requests of the window, of one arm.

    Own time throughout. Memory: at most MAX_UNITS units and one count per minute of the window.
    """

    __slots__ = ("_bits", "_cells", "_last_ms", "_requests", "window_ms")

    def __init__(self, window_ms: int) -> None:
        """Begin empty."""
        self.window_ms = window_ms
        self._last_ms: dict[int, int] = {}
        self._bits = 0
        self._cells: deque[list[int]] = deque()
        self._requests = 0

    def note(self, now_ms: int, requests: int, failing: Iterable[int]) -> None:
        """Count `requests`, and the units among them that failed."""
        start_ms = now_ms - now_ms % CELL_MS
        if self._cells and self._cells[-1][0] >= start_ms:
            self._cells[-1][1] += requests
        else:
            self._cells.append([start_ms, requests])
        self._requests += requests
        last_ms, mask = self._last_ms, (1 << self._bits) - 1
        for unit in failing:
            if not unit & mask:
                last_ms.pop(unit, None)
                last_ms[unit] = now_ms
        while len(last_ms) > MAX_UNITS:
            self._thin()
            last_ms = self._last_ms

    def turn(self, now_ms: int) -> None:
        """Forget what is older than the window."""
        oldest_ms = now_ms - self.window_ms
        while self._cells and self._cells[0][0] + CELL_MS <= oldest_ms:
            self._requests -= self._cells.popleft()[1]
        gone = []
        for unit, at_ms in self._last_ms.items():
            if at_ms > oldest_ms:
                break
            gone.append(unit)
        for unit in gone:
            del self._last_ms[unit]
        if not self._last_ms:
            self._bits = 0

    @property
    def n_units(self) -> int:
        """Give how many distinct units failed."""
        return len(self._last_ms) << self._bits

    @property
    def requests(self) -> int:
        """Give how many requests there were."""
        return self._requests

    def dump(self) -> Any:
        """Give what `load` takes."""
        units = array("Q", self._last_ms).tobytes()
        return [self._bits, list(self._cells), units, array("q", self._last_ms.values()).tobytes()]

    @classmethod
    def load(cls, window_ms: int, dumped: Any) -> FailingUnits:
        """Give back what was dumped."""
        window = cls(window_ms)
        window._bits, cells, units, times = dumped
        window._cells = deque(list(cell) for cell in cells)
        window._requests = sum(count for _, count in cells)
        window._last_ms = dict(zip(array("Q", units), array("q", times), strict=True))
        return window

    def _thin(self) -> None:
        self._bits += 1
        mask = (1 << self._bits) - 1
        self._last_ms = {unit: at_ms for unit, at_ms in self._last_ms.items() if not unit & mask}


class Totals:
    """
    Running totals per arm that can be asked for since a time, to a step's accuracy.

    Memory: one row per step for `kept_ms`, and the first.
    """

    __slots__ = ("_kept_ms", "_rows", "_step_ms", "now")

    def __init__(self, since_ms: int, *, step_ms: int, kept_ms: int, width: int) -> None:
        """Begin at nothing; `width` numbers are kept side by side."""
        self._step_ms = step_ms
        self._kept_ms = kept_ms
        self.now = [0] * width
        self._rows: list[tuple[int, tuple[int, ...]]] = [(since_ms, (0,) * width)]

    def turn(self, now_ms: int) -> None:
        """Open a new row where a step has passed; drop old ones but the first."""
        if now_ms - self._rows[-1][0] >= self._step_ms:
            self._rows.append((now_ms, tuple(self.now)))
            while len(self._rows) > 2 and self._rows[1][0] < now_ms - self._kept_ms:
                del self._rows[1]

    def since(self, since_ms: int) -> list[int]:
        """Give the totals since the last row at or before `since_ms`; at most since the beginning."""
        at = max(0, bisect_right(self._rows, since_ms, key=_time_of) - 1)
        return [now - then for now, then in zip(self.now, self._rows[at][1], strict=True)]

    def spans(self) -> Iterator[tuple[int, list[int]]]:
        """Give (since, totals since), newest first."""
        for since_ms, then in reversed(self._rows):
            yield since_ms, [now - before for now, before in zip(self.now, then, strict=True)]

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [self.now, self._rows]

    @classmethod
    def load(cls, dumped: Any, *, step_ms: int, kept_ms: int) -> Totals:
        """Give back what was dumped."""
        totals = cls(0, step_ms=step_ms, kept_ms=kept_ms, width=0)
        totals.now = list(dumped[0])
        totals._rows = [(at_ms, tuple(row)) for at_ms, row in dumped[1]]
        return totals


def _time_of(row: tuple[int, tuple[int, ...]]) -> int:
    return row[0]


KEPT = tuple(bytes(not byte & ((1 << bits) - 1) for byte in range(256)) for bits in range(9))
"""By bits: for every low byte of a hash, whether a unit with it is sampled."""


class Cell:
    """
    Rows of one stretch of time, by a sample of units; every request of a sampled unit is in it.

    Attributes:
        start_ms: Own time.
        bits: Units whose hash ends in so many zero bits are in it.
        units: Low 32 bits of the unit's hash, per row.
        values: Per row.
        n: Rows that came, sampled or not.
        total: Their sum.
    """

    __slots__ = ("bits", "n", "start_ms", "total", "units", "values")

    def __init__(self, start_ms: int, bits: int) -> None:
        """Begin empty."""
        self.start_ms = start_ms
        self.bits = bits
        self.units: array[int] = array("I")
        self.values: array[float] = array("f")
        self.n = 0
        self.total = 0.0

    def thin(self) -> None:
        """Keep half of the units."""
        self.bits += 1
        self.sift()

    def sift(self) -> None:
        """Leave out units that are not sampled."""
        kept = [at for at, unit in enumerate(self.units) if not unit & ((1 << self.bits) - 1)]
        self.units = array("I", [self.units[at] for at in kept])
        self.values = array("f", [self.values[at] for at in kept])


class Lane:
    """
    One arm's rows over a trailing window, in cells.

    A cell that overflows `max_rows` keeps every second unit, chosen by hash, and the next one starts like that; one
    that stays under an eighth of it lets the next take twice as many. Where units are too few to thin, a cell takes
    4 × `max_rows` and no more. Memory: 8 bytes a row, so at most 32 × `max_rows` bytes a cell.
    """

    __slots__ = ("_cell_ms", "_max_rows", "_n_cells", "cells")

    def __init__(self, *, cell_ms: int, n_cells: int, max_rows: int) -> None:
        """Begin empty."""
        self._cell_ms = cell_ms
        self._n_cells = n_cells
        self._max_rows = max_rows
        self.cells: deque[Cell] = deque()

    def note(self, now_ms: int, units: Sequence[int], values: Sequence[float]) -> None:
        """Add rows: who, and what."""
        cell = self._open(now_ms)
        cell.n += len(values)
        cell.total += sum(values)
        if len(cell.units) >= 4 * self._max_rows:
            return
        hashes = array("Q", units)
        if cell.bits:
            # The hash's low byte through a table, and no line of Python per row: this is the hot path.
            kept = hashes.tobytes()[::8].translate(KEPT[min(cell.bits, 8)])
            hashes, values = array("Q", compress(hashes, kept)), list(compress(values, kept))
        cell.units.extend(memoryview(hashes).cast("B").cast("I")[::2].tolist())
        cell.values.extend(values)
        if cell.bits > 8:
            cell.sift()
        while len(cell.units) > self._max_rows and len(set(cell.units)) > MIN_UNITS:
            cell.thin()

    def turn(self, now_ms: int) -> None:
        """Forget cells that are older than the window."""
        oldest_ms = now_ms - now_ms % self._cell_ms - (self._n_cells - 1) * self._cell_ms
        while self.cells and self.cells[0].start_ms < oldest_ms:
            self.cells.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self.cells.clear()

    def rows(self) -> Iterator[tuple[int, float]]:
        """Give (unit, value) of all cells, by the same units in each."""
        mask = (1 << max((cell.bits for cell in self.cells), default=0)) - 1
        for cell in self.cells:
            for unit, value in zip(cell.units, cell.values, strict=True):
                if not unit & mask:
                    yield unit, value

    def mean(self) -> tuple[int, float | None]:
        """Give how many rows came, sampled or not, and their mean; None without any."""
        n = sum(cell.n for cell in self.cells)
        return n, sum(cell.total for cell in self.cells) / n if n else None

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [[c.start_ms, c.bits, c.n, c.total, c.units.tobytes(), c.values.tobytes()] for c in self.cells]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        self.cells.clear()
        for start_ms, bits, n, total, units, values in dumped:
            cell = Cell(start_ms, bits)
            cell.n, cell.total = n, total
            cell.units.frombytes(units)
            cell.values.frombytes(values)
            self.cells.append(cell)

    def _open(self, now_ms: int) -> Cell:
        start_ms = now_ms - now_ms % self._cell_ms
        last = self.cells[-1] if self.cells else None
        if last is not None and last.start_ms >= start_ms:
            return last
        bits = 0 if last is None else last.bits - (last.bits > 0 and len(last.units) * 8 < self._max_rows)
        self.cells.append(Cell(start_ms, bits))
        self.turn(now_ms)
        return self.cells[-1]


MIN_UNITS = 64
"""Fewer sampled units than this would say little about all of them."""
