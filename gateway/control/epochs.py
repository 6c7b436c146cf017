"""
Epochs: how experiments are divided, noted in the store whenever that changes.

An experiment's users are held against the shares they should have had. What the table says is gone with the next
table, so it is written down, by itself and beside everything else: a store that is away is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from gateway.domain.release import Reason, Release
from gateway.domain.table import RoutingTable
from gateway.record.batch import StoreError
from gateway.record.experiment_query import EpochShares

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 1.0
TRIES_AGAIN_AFTER_S = 2.0

Keep = Callable[[Sequence[EpochShares]], Awaitable[None]]


class EpochNotes:
    """Writes down how experiments are divided."""

    def __init__(
        self,
        *,
        table: Callable[[], tuple[RoutingTable | None, int]],
        contents: Callable[[], Mapping[str, str]],
        keep: Keep,
    ) -> None:
        """
        Make it; nothing is noted yet.

        Args:
            table: Gives the table in use, and when it was published in Unix milliseconds.
            contents: Gives what the arms of each experiment are, by release.
            keep: Writes rows; raises StoreError.
        """
        self._table = table
        self._contents = contents
        self._keep = keep
        self._seen: tuple[int, Mapping[str, str]] | None = None
        self._noted: dict[str, tuple[int, str]] = {}
        # Since when: a store that is away when a table comes into use must not make it younger.
        self._since: dict[str, tuple[int, str, int]] = {}

    def __repr__(self) -> str:
        """Give how many releases are noted."""
        return f"<EpochNotes of {len(self._noted)} releases>"

    async def run(self) -> None:
        """Note, until cancelled."""
        while True:
            try:
                await self.note()
            except StoreError as error:
                log.warning("how experiments are divided cannot be written; trying again", extra={"cause": str(error)})
                await asyncio.sleep(TRIES_AGAIN_AFTER_S)
            await asyncio.sleep(LOOKS_EVERY_S)

    async def note(self) -> None:
        """
        Write what changed since the last time.

        Raises:
            StoreError: It could not be written; it is tried again the next time.
        """
        table, unix_ms = self._table()
        contents = dict(self._contents())
        if table is None or self._seen == (table.head.version, contents):
            return
        shares = [self._dated(one) for one in shares_of(table, contents, since_unix_ms=unix_ms)]
        fresh = [one for one in shares if self._noted.get(one.release) != (one.epoch, one.content)]
        if fresh:
            await self._keep(fresh)
        self._noted.update({one.release: (one.epoch, one.content) for one in fresh})
        self._seen = (table.head.version, contents)

    def _dated(self, shares: EpochShares) -> EpochShares:
        """Give shares with the time at which they were first seen."""
        epoch, content, since = self._since.get(shares.release, (-1, "", 0))
        if (epoch, content) != (shares.epoch, shares.content):
            since = shares.since_unix_ms
            self._since[shares.release] = (shares.epoch, shares.content, since)
        return replace(shares, since_unix_ms=since)


def shares_of(table: RoutingTable, contents: Mapping[str, str], *, since_unix_ms: int) -> list[EpochShares]:
    """
    Give how experiments are divided in a table.

    Args:
        table: In use.
        contents: What the arms of each experiment are, by release; other releases are left out.
        since_unix_ms: When it came into use.
    """
    routes = (route for name in table.route_names if (route := table.route(name)) is not None)
    return [
        EpochShares(release.epoch, since_unix_ms, arms, contents[release.name], release.name)
        for release in (route.release for route in routes)
        if release.name in contents and (arms := compared_arms(release))
    ]


def compared_arms(release: Release) -> tuple[tuple[str, int], ...]:
    """Give (arm, buckets) of those who are compared; cells of factors are alike, whatever buckets round to."""
    buckets = dict.fromkeys((arm.name for arm in release.arms), 0)
    for owned in release.ranges:
        if owned.reason is Reason.BUCKET:
            buckets[release.arms[owned.arm].name] += owned.end - owned.start
    return tuple((arm, 1 if release.factors else n) for arm, n in buckets.items() if n)
