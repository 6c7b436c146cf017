"""From a salt and a unit key to one of 10,000 buckets; the same on every machine, for ever."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

from gateway.domain.release import BUCKETS


def unit_hash_of(salt: str, unit_key: str) -> int:
    """
    Give 64 bits of the salted key: XXH3-64 of `salt ␟ unit_key` in UTF-8.

    Lone surrogates, which JSON can smuggle in, hash like any other character.

    >>> unit_hash_of("exp1", "user-1") * 10_000 >> 64
    9235
    """
    return xxh3_64_intdigest(f"{salt}\x1f{unit_key}".encode("utf-8", "surrogatepass"))


def slot_of(unit_hash: int) -> int:
    """Give the bucket, 0 to 9,999, of a 64-bit hash."""
    # Multiply-shift instead of modulo or floats: no bias to argue about and no edge at 1.0.
    return (unit_hash * BUCKETS) >> 64


def bucket_of(salt: str, unit_key: str) -> int:
    """
    Give the bucket, 0 to 9,999, of a unit under a salt.

    >>> bucket_of("exp2", "user-1")
    8633
    """
    return slot_of(unit_hash_of(salt, unit_key))
