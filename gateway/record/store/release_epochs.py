"""How releases were divided, epoch by epoch: what users' shares are held against. Some rows per change of weights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.record.experiment_query import EpochShares
from gateway.record.store import schema
from gateway.record.store.rows import plain

_OF = schema.release_epochs.c
_KEY = (_OF.release, _OF.epoch, _OF.content)


async def write_epochs(connection: AsyncConnection, epochs: Iterable[EpochShares]) -> None:
    """Write what is not there yet: an epoch of the same content stays as it was first written."""
    for each in epochs:
        release, content = plain(each.release) or "", plain(each.content) or ""
        there = sa.select(sa.literal(1)).where(_OF.release == release, _OF.epoch == each.epoch, _OF.content == content)
        if (await connection.execute(there.limit(1))).scalar() is not None:
            continue
        rows = [
            {
                "release": release,
                "epoch": each.epoch,
                "content": content,
                "arm": plain(arm),
                "buckets": buckets,
                "since_unix_ms": each.since_unix_ms,
            }
            for arm, buckets in each.arms
        ]
        if rows:
            await connection.execute(sa.insert(schema.release_epochs), rows)


async def read_epochs(rows_of: Callable[[sa.Select[Any]], Awaitable[Sequence[Any]]], release: str) -> list[EpochShares]:
    """Give a release's epochs, oldest first, arms in the order of their names."""
    wanted = sa.select(*_KEY, _OF.since_unix_ms, _OF.arm, _OF.buckets).where(_OF.release == release)
    found: dict[tuple[int, str, int], list[tuple[str, int]]] = {}
    for _, epoch, content, since, arm, buckets in await rows_of(wanted.order_by(_OF.since_unix_ms, *_KEY, _OF.arm)):
        found.setdefault((epoch, content, since), []).append((arm, buckets))
    return [EpochShares(epoch, since, tuple(arms), content, release) for (epoch, content, since), arms in found.items()]
