"""Batches are numbered without gaps, cut where they are long, and known when they come again."""

from __future__ import annotations

import pytest

from gateway.record.batch import RefusedError
from gateway.record.store.log import MAX_ROWS, Tail, fresh_of, number_batches, read_tail
from gateway.record.store.rows import decode_outcomes
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, keep, outcome


def test_numbers() -> None:
    """A long batch becomes several, each with its place, times and the total so far."""
    given = [outcome(number, unix_ms=NOW_UNIX_MS + number) for number in range(MAX_ROWS + 2)]
    rows, numbered, tail = number_batches([batch(*given, first=5)], Tail(3, 100))
    assert [row[:-1] for row in rows] == [
        (4, 0, 11, 5, MAX_ROWS, 100 + MAX_ROWS, NOW_UNIX_MS, NOW_UNIX_MS + MAX_ROWS - 1),
        (5, 0, 11, 5 + MAX_ROWS, 2, 102 + MAX_ROWS, NOW_UNIX_MS + MAX_ROWS, NOW_UNIX_MS + MAX_ROWS + 1),
    ]
    assert [each.id for each in numbered] == [4, 5] and tail == Tail(5, 102 + MAX_ROWS)
    payload = rows[1][-1]
    assert isinstance(payload, bytes) and decode_outcomes(payload) == given[MAX_ROWS:]


def test_impossible_outcomes() -> None:
    """What the derived tables could not take is refused before it is in the log."""
    with pytest.raises(RefusedError, match="time"):
        number_batches([batch(outcome(unix_ms=2**60))], Tail(0, 0))
    with pytest.raises(RefusedError, match="64"):
        number_batches([batch(outcome(unit_hash=2**64))], Tail(0, 0))


def test_fresh() -> None:
    """What is there is left out, also a part of a batch, and of a batch that comes twice in one go."""
    known, half, new = batch(outcome(), outcome()), batch(*[outcome()] * 3, first=2), batch(outcome(), boot=9)
    fresh, raised = fresh_of([known, half, half, new], {(0, 11): 2})
    assert [(each.boot, each.first, len(each.outcomes)) for each in fresh] == [(11, 3, 2), (9, 1, 1)]
    assert raised == {(0, 11): 4, (0, 9): 1}


async def test_numbers_are_never_given_twice(store: Store) -> None:
    """When the log is empty again it goes on from what was folded."""
    await keep(store, [batch(outcome(), outcome())], [])
    assert await store.forget([7]) > 0
    async with store._writing() as connection:
        assert await read_tail(connection) == Tail(1, 0)
