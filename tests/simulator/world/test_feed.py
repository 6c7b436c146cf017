"""Feedback on its way."""

from __future__ import annotations

import numpy as np

from gateway.simulator.world.block import Block
from gateway.simulator.world.feed import Feed
from gateway.simulator.world.said import Said
from gateway.simulator.world.scenario import Treatment

_NOTHING = np.empty(0, np.int64)


def block_of(first: int, end: int, *late_minutes: int) -> Block:
    """Give a block whose first minute's requests are spoken of so many minutes later; users are numbered."""
    at_ms = np.full(len(late_minutes), first * 60_000)
    said_ms = at_ms + np.array(late_minutes, np.int64) * 60_000
    users = np.arange(len(late_minutes))
    said = Said(users, np.zeros(len(users), np.int8), at_ms, said_ms, np.ones((2, len(users)), np.int8))
    flags = np.zeros((2, 0), np.bool_)
    return Block(first, np.zeros(end - first + 1, np.int64), _NOTHING, _NOTHING, flags, flags, (Treatment(),) * 2, said)


def heard(feed: Feed, block: Block) -> list[int]:
    """Give who is heard in a block, in order."""
    feed.begin(block)
    return [int(user) for user in feed.heard.users]


def test_late_words_wait() -> None:
    """What is said hours later is heard then, in order."""
    feed = Feed(attribution_ms=np.array([np.inf]), n_arms=2)
    assert heard(feed, block_of(0, 60, 130, 30, 5)) == [2, 1]
    assert heard(feed, block_of(60, 120)) == []
    assert heard(feed, block_of(120, 180)) == [0]


def test_short_blocks_lose_nothing() -> None:
    """A block that ends within its hour leaves the rest of the hour to the next one."""
    feed = Feed(attribution_ms=np.array([np.inf]), n_arms=2)
    assert heard(feed, block_of(0, 30, 10, 40)) == [0]
    assert heard(feed, block_of(30, 60)) == [1]


def test_too_late_counts_for_nothing() -> None:
    """What comes after its metric's window is never heard."""
    feed = Feed(attribution_ms=np.array([600_000.0]), n_arms=2)
    assert heard(feed, block_of(0, 60, 10, 11)) == [0]
