"""How experiments are divided is noted whenever it changes, and tried again while the store is away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.epochs import EpochNotes, compared_arms, shares_of
from gateway.domain.identity import Identity
from gateway.domain.release import BUCKETS, Arm, Reason, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import RoutingTable, TableHead, decode_table, encode_table
from gateway.record.batch import StoreError
from gateway.record.experiment_query import EpochShares

SPLIT = Release(
    "s",
    ReleaseKind.SPLIT,
    Unit.USER,
    (Arm("a", Role.BASELINE, 5_000), Arm("b", Role.CANDIDATE, 5_000)),
    (SlotRange(0, 5_000, 1), SlotRange(5_000, BUCKETS, 0)),
    epoch=3,
)
SHARES = EpochShares(3, 77, (("a", 5_000), ("b", 5_000)), "c1", "s")


def table_of(*releases: Release, version: int = 1) -> RoutingTable:
    """Give a table with a route per release."""
    head = TableHead(version, "", {}, None, Identity(), bytes(32))
    return decode_table(encode_table(head, [Route(release.name, {}, release) for release in releases]))


class Notes:
    """What was noted, and a store that may be away."""

    def __init__(self, table: RoutingTable | None) -> None:
        self.table, self.contents, self.kept = table, {"s": "c1"}, list[list[EpochShares]]()
        self.is_away, self.published_ms = False, 77
        self.notes = EpochNotes(
            table=lambda: (self.table, self.published_ms),
            contents=lambda: self.contents,
            keep=lambda rows: self._keep(list(rows)),
        )

    async def _keep(self, rows: list[EpochShares]) -> None:
        if self.is_away:
            msg = "away"
            raise StoreError(msg)
        self.kept.append(rows)


def test_who_is_compared() -> None:
    """Buckets of a closed arm, or beside a control slice, are nobody's."""
    ranges = (SlotRange(0, 100, 1), SlotRange(100, 200, 0, Reason.REST), SlotRange(200, BUCKETS, 0))
    assert compared_arms(replace(SPLIT, ranges=ranges)) == (("a", 9_800), ("b", 100))


def test_cells_are_alike() -> None:
    """A third of 10,000 buckets is rounded; a third of the users is not."""
    assert compared_arms(replace(SPLIT, factors=(("prompt", 2),))) == (("a", 1), ("b", 1))


def test_only_experiments() -> None:
    """Releases that nobody asked about are left out."""
    other = replace(SPLIT, name="other")
    assert shares_of(table_of(SPLIT, other), {"s": "c1"}, since_unix_ms=77) == [SHARES]


async def test_notes_what_changed() -> None:
    """Once per epoch and content, whatever else makes a new table."""
    world = Notes(table_of(SPLIT))
    await world.notes.note()
    world.table = table_of(SPLIT, version=2)
    await world.notes.note()
    assert world.kept == [[SHARES]]
    world.table = table_of(replace(SPLIT, epoch=4), version=3)
    await world.notes.note()
    world.contents = {"s": "c2"}
    await world.notes.note()
    assert [(one.epoch, one.content) for [one] in world.kept[1:]] == [(4, "c1"), (4, "c2")]


async def test_tries_again() -> None:
    """A store that is away loses nothing."""
    world = Notes(table_of(SPLIT))
    world.is_away = True
    with pytest.raises(StoreError):
        await world.notes.note()
    world.is_away = False
    await world.notes.note()
    assert world.kept == [[SHARES]]


async def test_before_the_first_table() -> None:
    """There is nothing to note."""
    world = Notes(None)
    await world.notes.note()
    assert world.kept == []


async def test_as_old_as_it_is() -> None:
    """A store that was away makes no epoch younger, whatever tables came since."""
    world = Notes(table_of(SPLIT))
    world.is_away = True
    with pytest.raises(StoreError):
        await world.notes.note()
    world.is_away, world.table, world.published_ms = False, table_of(SPLIT, version=2), 99
    await world.notes.note()
    assert world.kept == [[SHARES]]
