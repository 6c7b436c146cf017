"""Rows have their table's order and nothing a database cannot keep."""

from __future__ import annotations

from gateway.record.rollup import SegmentNames, fold
from gateway.record.store import schema
from gateway.record.store.rows import (
    decode_sketch,
    encode_sketch,
    exposure_row,
    outcome_row,
    plain,
    rollup_row,
    unit_day_row,
)
from tests.record.store.making import outcome


def test_outcome_row_is_in_order() -> None:
    """Every column but the id is in its place."""
    given = outcome(ttfb_ms=1.5, safety_category="hate")
    names = [column.name for column in schema.outcomes.columns][1:]
    row = dict(zip(names, outcome_row(given), strict=True))
    assert all(row[name] == getattr(given, name) for name in names if name != "segments")
    assert not any(isinstance(value, str) and type(value) is not str for value in row.values())


def test_other_rows_are_as_wide_as_their_tables() -> None:
    """Each kind of row has a value per column."""
    folded = fold([outcome(2**64 - 1)])
    rollups = folded.rollups(SegmentNames())
    assert {len(rollup_row(*each)) for each in rollups.items()} == {len(schema.rollups.columns)}
    assert {len(unit_day_row(*each)) for each in folded.unit_days.items()} == {len(schema.unit_days.columns)}
    (row,) = [exposure_row(*each) for each in folded.exposures.items()]
    assert (len(row), row[1], row[-1]) == (len(schema.exposures.columns), -1, '{"plan":"pro"}')


def test_sketches_come_back() -> None:
    """A sketch is JSON and comes back, buckets below zero too."""
    assert decode_sketch(encode_sketch({-3: 1, 400: 2})) == {-3: 1, 400: 2}


def test_plain() -> None:
    """Text loses its NULs and nothing else."""
    assert (plain("a\0b"), plain("ü"), plain(None)) == ("ab", "ü", None)
