"""Taking every trace of a unit out of the store."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

from gateway.assign.bucketing import unit_hash_of
from gateway.clock import Clock
from gateway.record.store import schema
from gateway.record.store.reader import Reader
from gateway.record.store.schema import signed
from gateway.record.store.sweep import Broom, Writing

_TABLES_OF_UNITS = (schema.samples, schema.feedback, schema.outcomes, schema.unit_days, schema.exposures)
_AT_ONCE = 500


def hashes_of(user: str, releases: Sequence[str]) -> dict[str, int]:
    """
    Give a user's unit hash in each release; {} for the empty user, who is never hashed.

    Args:
        user: The id as apps send it.
        releases: Release names, which are the salts.
    """
    key = normalize("NFC", user.strip())
    return {release: unit_hash_of(release, key) for release in releases} if key else {}


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
    return removed
