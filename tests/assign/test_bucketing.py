"""The hash is pinned: users must not change arms because a library or a version did."""

import pytest
import xxhash

from gateway.assign.bucketing import bucket_of, level_of, slot_in, slot_of, unit_hash_of
from gateway.domain.release import BUCKETS, Arm, Release, ReleaseKind, Role, SlotRange, Unit

FACTORS = (("prompt", 3), ("model", 2))
FACTORIAL = Release(
    "f",
    ReleaseKind.FACTORIAL,
    Unit.USER,
    (Arm("a", Role.BASELINE, BUCKETS),),
    (SlotRange(0, BUCKETS, 0),),
    factors=FACTORS,
)


@pytest.mark.parametrize(
    ("salt", "unit_key", "slot"),
    [
        ("exp1", "user-1", 9235),
        ("exp1", "user-2", 5147),
        ("exp2", "user-1", 8633),
        ("exp1", "日本語", 7767),
        ("exp1:v", "user-1", 5866),
    ],
)
def test_pinned_slots(salt: str, unit_key: str, slot: int) -> None:
    """These five answers never change."""
    assert bucket_of(salt, unit_key) == slot


@pytest.mark.parametrize(("text", "digest"), [("", 0x2D06800538D394C2), ("abc", 0x78AF5F94892F3950)])
def test_hash_is_xxh3(text: str, digest: int) -> None:
    """The library under us is XXH3-64 as published."""
    assert xxhash.xxh3_64_intdigest(text.encode()) == digest


def test_salt_and_key_apart() -> None:
    """Moving a character from the salt to the key is another hash."""
    assert unit_hash_of("ab", "c") != unit_hash_of("a", "bc")


def test_surrogates_hash() -> None:
    """A lone surrogate, which JSON may hold, hashes instead of raising, and unlike its neighbours."""
    assert unit_hash_of("exp1", "\ud800") != unit_hash_of("exp1", "\ud801")


@pytest.mark.parametrize(("unit_hash", "slot"), [(0, 0), (2**64 - 1, 9_999), (2**63, 5_000), (2**63 - 1, 4_999)])
def test_slot_edges(unit_hash: int, slot: int) -> None:
    """The lowest and the highest hash have a bucket, and the middle is the middle."""
    assert slot_of(unit_hash) == slot


def test_slots_are_even() -> None:
    """Over 100,000 units every tenth of the buckets gets a tenth, within five standard errors."""
    counts = [0] * 10
    for number in range(100_000):
        counts[bucket_of("even", f"user-{number}") // 1_000] += 1
    assert max(abs(count - 10_000) for count in counts) < 5 * 95


def test_salts_are_independent() -> None:
    """Who is in the first tenth under one salt is no likelier to be there under another."""
    first = [number for number in range(50_000) if bucket_of("one", str(number)) < 1_000]
    both = sum(bucket_of("two", str(number)) < 1_000 for number in first)
    assert abs(both / len(first) - 0.1) < 0.025


def test_plain_releases_have_plain_slots() -> None:
    """Without factors a unit's bucket is its hash's."""
    plain = Release("f", ReleaseKind.SPLIT, Unit.USER, FACTORIAL.arms, FACTORIAL.ranges)
    assert slot_in(plain, unit_hash_of("f", "user-1")) == bucket_of("f", "user-1")


def test_cells_are_equal() -> None:
    """Each of six cells gets a sixth, to within five standard deviations."""
    slots = [slot_in(FACTORIAL, unit_hash_of("f", f"user-{n}")) for n in range(60_000)]
    counts = {slot: slots.count(slot) for slot in set(slots)}
    assert sorted(counts) == [cell * BUCKETS // 6 for cell in range(6)]
    assert max(abs(count - 10_000) for count in counts.values()) < 5 * (60_000 * 5 / 36) ** 0.5


def test_factors_know_nothing_of_each_other() -> None:
    """Adding a factor leaves everybody's level of the others."""
    hashes = [unit_hash_of("f", f"user-{n}") for n in range(2_000)]
    levels = [level_of("prompt", 3, each) for each in hashes]
    cells = [-(-slot_in(FACTORIAL, each) * 6 // BUCKETS) for each in hashes]
    assert [cell // 2 for cell in cells] == levels
    assert sum(level_of("model", 2, each) == level for each, level in zip(hashes, levels, strict=True)) < 900


@pytest.mark.parametrize(("unit_key", "level"), [("user-1", 2), ("user-2", 1), ("日本語", 1)])
def test_pinned_levels(unit_key: str, level: int) -> None:
    """These answers never change either."""
    assert level_of("prompt", 3, unit_hash_of("exp1", unit_key)) == level
