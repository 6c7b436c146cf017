"""The same said again is a repeat, something else under its id a conflict, and arms are found."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.record.feedback import Receipt
from gateway.record.store.attribution import has_feedback_by_user
from gateway.record.store.engine import Location, open_writer
from gateway.record.store.reader import Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, keep, outcome


@pytest.mark.parametrize(
    ("changes", "receipt"),
    [
        ({}, Receipt.REPEATED),
        ({"at_unix_ms": 1, "received_unix_ms": 2, "is_late": True}, Receipt.REPEATED),
        ({"value": 0.0}, Receipt.CONFLICT),
        ({"comment": "hm"}, Receipt.CONFLICT),
        ({"metric": "other"}, Receipt.CONFLICT),
        ({"unit_hash": 8}, Receipt.CONFLICT),
        ({"serial": 6}, Receipt.CONFLICT),
    ],
)
async def test_said_again(store: Store, changes: dict[str, Any], receipt: Receipt) -> None:
    """What makes it the same is what was said of which request, not when."""
    assert await keep(store, [], [feedback()]) == [Receipt.STORED]
    assert await keep(store, [], [feedback(**changes)]) == [receipt]


async def test_said_again_after_a_new_release(store: Store) -> None:
    """By user, the same is the same after the route got another release and another salt."""
    await keep(store, [], [feedback(by_user=True)])
    again = [feedback(by_user=True, release="next", unit_hash=99), feedback(by_user=True, unit_hash=8), feedback()]
    assert await keep(store, [], again) == [Receipt.REPEATED, Receipt.CONFLICT, Receipt.CONFLICT]


async def test_not_about_a_later_exposure(store: Store) -> None:
    """What was said before a unit was exposed is not about that exposure."""
    await keep(store, [batch(outcome())], [feedback(by_user=True, at_unix_ms=NOW_UNIX_MS - 1)])
    assert [row.arm async for row in store.reader.feedback(Within())] == [None]


async def test_many_in_one_go(store: Store) -> None:
    """More than one question's worth is kept in one call."""
    given = [feedback(str(number), by_user=True, unit_hash=number) for number in range(1, 1_301)]
    await keep(store, [batch(*[outcome(number) for number in range(1, 1_301)])], given)
    assert await keep(store, [], given) == [Receipt.REPEATED] * 1_300
    assert {row.arm async for row in store.reader.feedback(Within())} == {"concise"}


async def test_tells_whether_any_is_by_user(store: Store, location: Location) -> None:
    """Whether exposures have to look for feedback is known at the start."""
    await keep(store, [], [feedback()])
    engine = open_writer(location)
    for wanted in (False, True):
        async with engine.connect() as connection:
            assert await has_feedback_by_user(connection) is wanted
        await keep(store, [], [feedback("f2", by_user=True)])
    await engine.dispose()
