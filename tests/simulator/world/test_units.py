"""People's sums as one block of units."""

from __future__ import annotations

import numpy as np

from gateway.simulator.world.units import StretchRows, merged

HASHES = np.array([9, -5, 7], dtype=np.int64)


def rows(people: list[int], cell: int, since: int, said: list[float]) -> StretchRows:
    """Give people who asked twice each, and said so much."""
    n = len(people)
    twice, words = np.full(n, 2.0), np.array(said)
    sums = {"requests": twice, "provider_faults": np.zeros(n), "unsafe": np.zeros(n)}
    return StretchRows(np.array(people), cell, since, sums, [(words, words / 2, np.zeros(n))])


def test_by_unit_and_cell() -> None:
    """Sorted by hash; a unit of two stretches is exposed once, when it first came, and all its sums are there."""
    block = merged([rows([0, 1], 0, 100, [2, 0]), rows([1, 2], 0, 200, [4, 0])], HASHES, ["m"])
    assert block.exposures.units.tolist() == [-5, 7, 9]
    assert block.exposures.first_unix_ms.tolist() == [100, 200, 100]
    assert block.days.units.tolist() == [-5, -5, 7, 9]
    assert (block.days.sums["requests"].sum(), block.days.sums["refused"].sum()) == (8, 0)
    assert block.said["m"].units.tolist() == [-5, 9]
    assert block.said["m"].totals.tolist() == [2, 1]


def test_nobody() -> None:
    """No stretch is an empty block."""
    assert len(merged([], HASHES, ["m"]).exposures.units) == 0
