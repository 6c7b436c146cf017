"""Taking every trace of a unit out of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from unicodedata import normalize

import sqlalchemy as sa

from gateway.assign.bucketing import unit_hash_of
from gateway.clock import Clock
from gateway.record.outcome import Outcome
from gateway.record.store import schema
from gateway.record.store.log import batches_after, is_folded
from gateway.record.store.reader import Reader
from gateway.record.store.rows import decode_outcomes, encode_outcomes, encode_unit
from gateway.record.store.schema import signed, unsigned
from gateway.record.store.sweep import Broom, Writing

_TABLES_OF_UNITS = (
    schema.samples,
    schema.shadow_texts,
    schema.shadow_pairs,
    schema.feedback,
    schema.unit_days,
    schema.exposures,
)
_AT_ONCE = 500
_BATCHES_AT_ONCE = 8


def hashes_of(user: str, salts: Sequence[str]) -> dict[str, int]:
    """
    Give a user's unit hash under each salt; {} for the empty user, who is never hashed.

    Args:
        user: The id as apps send it.
        salts: Release names, and what routes' shadows are salted with: `Reader.salts`.
    """
    key = normalize("NFC", user.strip())
    return {salt: unit_hash_of(salt, key) for salt in salts} if key else {}


async def forget_units(writing: Writing, reader: Reader, unit_hashes: Sequence[int], clock: Clock) -> int:
    """
    Remove every row of these units; give how many went.

    Raises:
        StoreError: It could not go on; what is done stays done.
    """
    # 0 is everybody who had no unit.
    kept = sorted({signed(unit_hash) for unit_hash in unit_hashes if unit_hash})
    broom = Broom(writing, reader, clock)
    removed = 0
    for start in range(0, len(kept), _AT_ONCE):
        for table in _TABLES_OF_UNITS:
            removed += await broom.remove(table, table.c.unit_hash.in_(kept[start : start + _AT_ONCE]))
    return removed + await _forget_outcomes(writing, reader, {unsigned(unit_hash) for unit_hash in kept})


async def _forget_outcomes(writing: Writing, reader: Reader, units: AbstractSet[int]) -> int:
    """Write every batch that holds these units anew, without their outcomes; give how many those are."""
    # Hashes stand in payloads as they are, so most payloads need not be decoded to know that there are none.
    marks = [encode_unit(unit_hash) for unit_hash in units]
    n_removed, number = 0, 0
    # What is not folded yet stays as it is, for a fold may be made twice; whoever asks has it all folded before.
    while marks and (rows := await reader.rows_of(batches_after(number, limit=_BATCHES_AT_ONCE).where(is_folded()))):
        number = rows[-1][0]
        held = [row for row in rows if any(mark in row[1] for mark in marks)]
        changes = [(of, decode_outcomes(payload)) for of, payload in held]
        n_removed += await _rewrite(writing, [change for change in changes if _holds(change[1], units)], units)
        await asyncio.sleep(0)
    return n_removed


async def _rewrite(writing: Writing, changes: Sequence[tuple[int, list[Outcome]]], units: AbstractSet[int]) -> int:
    n_removed = 0
    for number, outcomes in changes:
        left = [outcome for outcome in outcomes if outcome.unit_hash not in units]
        is_it = schema.outcome_batches.c.id == number
        async with writing() as connection:
            if left:
                values = {"n": len(left), "payload": encode_outcomes(left)}
                await connection.execute(sa.update(schema.outcome_batches).where(is_it).values(**values))
            else:
                await connection.execute(sa.delete(schema.outcome_batches).where(is_it))
        n_removed += len(outcomes) - len(left)
    return n_removed


def _holds(outcomes: Sequence[Outcome], units: AbstractSet[int]) -> bool:
    return any(outcome.unit_hash in units for outcome in outcomes)
