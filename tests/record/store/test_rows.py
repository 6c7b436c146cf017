"""Rows have their table's order and nothing a database cannot keep."""

from __future__ import annotations

from gateway.record.folded import fold
from gateway.record.outcome import Outcome
from gateway.record.rollup import SegmentNames
from gateway.record.store import schema
from gateway.record.store.rows import (
    decode_outcomes,
    decode_sketch,
    encode_outcomes,
    encode_sketch,
    encode_unit,
    exposure_row,
    outcome_row,
    plain,
    rollup_row,
    unit_day_row,
)
from tests.record.store.making import outcome


def test_outcome_row_is_in_order() -> None:
    """Every field but the trace is in its place, as a plain value."""
    given = outcome(ttfb_ms=1.5, safety_category="hate", cost_usd=float("inf"))
    row = outcome_row(given)._asdict()
    assert {*row} == {*Outcome.__struct_fields__} - {"trace"}
    assert all(row[name] == getattr(given, name) for name in row if name not in ("segments", "cost_usd"))
    assert row["cost_usd"] is None
    assert not any(isinstance(value, str) and type(value) is not str for value in row.values())


def test_other_rows_are_as_wide_as_their_tables() -> None:
    """Each kind of row has a value per column."""
    folded = fold([outcome(2**64 - 1)])
    rollups = folded.rollups(SegmentNames())
    assert {len(rollup_row(*each)) for each in rollups.items()} == {len(schema.rollups.columns)}
    ((arm_day, units),) = folded.arm_days.items()
    assert {len(unit_day_row(arm_day, *each)) for each in units.items()} == {len(schema.unit_days.columns)}
    (row,) = [exposure_row(*each) for each in folded.exposures().items()]
    assert (len(row), row[1], row[-1]) == (len(schema.exposures.columns), -1, '{"plan":"pro"}')


def test_payloads_come_back() -> None:
    """Outcomes come back from a payload, which holds their units as they are."""
    given = [outcome(2**64 - 1), outcome(7)]
    assert decode_outcomes(encode_outcomes(given)) == given
    assert all(encode_unit(each.unit_hash) in encode_outcomes(given) for each in given)


def test_sketches_come_back() -> None:
    """A sketch is JSON and comes back, buckets below zero too."""
    assert decode_sketch(encode_sketch({-3: 1, 400: 2})) == {-3: 1, 400: 2}


def test_plain() -> None:
    """Text loses its NULs and nothing else."""
    assert (plain("a\0b"), plain("ü"), plain(None)) == ("ab", "ü", None)
