"""From a salt and a unit key to one of 10,000 buckets; the same on every machine, for ever."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

from gateway.domain.release import BUCKETS, Release


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


def slot_in(release: Release, unit_hash: int) -> int:
    """
    Give the bucket, 0 to 9,999, of a unit in a release: in a factorial one, the first of its cell's.

    A cell follows from one hash per factor, so factors know nothing of each other, and one that is added moves nobody
    between the levels of another.
    """
    if not release.factors:
        return slot_of(unit_hash)
    cell = n_cells = 0
    for name, n_levels in release.factors:
        cell = cell * n_levels + level_of(name, n_levels, unit_hash)
        n_cells = (n_cells or 1) * n_levels
    return cell * BUCKETS // n_cells


def level_of(factor: str, n_levels: int, unit_hash: int) -> int:
    """
    Give a unit's level of one factor, 0 to n_levels - 1.

    Hashed once more from the salted hash, which is all that late feedback knows of its unit. Straight from 64 bits:
    10,000 buckets do not divide by three.

    >>> [level_of("prompt", 3, unit_hash_of("exp1", f"user-{at}")) for at in range(5)]
    [0, 2, 1, 2, 2]
    """
    salted = unit_hash.to_bytes(8, "big") + factor.encode("utf-8", "surrogatepass")
    return (xxh3_64_intdigest(salted) * n_levels) >> 64


def bucket_of(salt: str, unit_key: str) -> int:
    """
    Give the bucket, 0 to 9,999, of a unit under a salt.

    >>> bucket_of("exp2", "user-1")
    8633
    """
    return slot_of(unit_hash_of(salt, unit_key))
