"""
Pairs out of the store: in lots, oldest first, a page at a time and with no transaction between pages.

A lot is decoded at once from its msgpack; texts are read for the few pairs whose texts somebody wants to see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.record.pair import Pair, PairKey, PairTexts, key_of
from gateway.record.shadowed import ShadowCount
from gateway.record.store import schema
from gateway.record.store.pairs import decode_pairs, key_of_row, texts_of

LOT = 5_000
_TEXTS_AT_ONCE = 50
"""A pair's texts may be 384 KiB."""

Rows = Callable[[sa.Select[Any]], Awaitable[list[Any]]]
"""Asks the store; raises StoreError."""

Progress = Callable[[int, int], None]
"""Is told how many pairs are read, and how many there are."""

_pairs, _texts = schema.shadow_pairs.c, schema.shadow_texts.c
_ORDER = (_pairs.unix_ms, _pairs.request_id, _pairs.kind, _pairs.shadow_variant)
_WITH_TEXTS = schema.shadow_pairs.join(
    schema.shadow_texts,
    sa.and_(*[_pairs[key.name] == _texts[key.name] for key in schema.shadow_pairs.primary_key.columns]),
    isouter=True,
)
_SHOWN = [column for column in schema.shadow_pairs.columns if column.name not in ("pair", "judgement")]
_SHOWN_TEXTS = [_texts.prompt, _texts.primary_text, _texts.shadow_text, _texts.judge_reason]
COLUMNS = [str(column.name) for column in (*_SHOWN, *_SHOWN_TEXTS)]
"""Of `exported_pairs`, in the rows' order."""


async def read_pairs(
    rows_of: Rows, route: str, *, since_unix_ms: int, shadow_variant: str | None, progress: Progress | None
) -> AsyncIterator[list[Pair]]:
    """Give a route's pairs in lots; `Reader.pairs` says it all."""
    where, since = [_pairs.route == route], _pairs.unix_ms >= since_unix_ms
    if shadow_variant is not None:
        where.append(_pairs.shadow_variant == shadow_variant)
    n_read, total = 0, 0
    if progress is not None:
        count = sa.select(sa.func.count()).select_from(schema.shadow_pairs).where(*where, since)
        total = int((await rows_of(count))[0][0])
    page = sa.select(_pairs.pair, _pairs.judgement).where(*where).order_by(*_ORDER).limit(LOT)
    # Not beside what a later page begins with: SQLite would take the wrong one of the two for its index.
    after = page.where(since)
    while rows := await rows_of(after):
        lot = decode_pairs(rows)
        yield lot
        n_read += len(lot)
        if progress is not None:
            progress(n_read, max(total, n_read))
        if len(rows) < LOT:
            return
        after = page.where(_behind(lot[-1].unix_ms, key_of(lot[-1])))


async def read_texts(rows_of: Rows, keys: Sequence[PairKey]) -> dict[PairKey, PairTexts]:
    """Give the texts of these pairs; `Reader.pair_texts` says it all."""
    wanted = set(keys)
    ids = sorted({key.request_id for key in wanted})
    found: dict[PairKey, PairTexts] = {}
    for start in range(0, len(ids), _TEXTS_AT_ONCE):
        page = sa.select(schema.shadow_texts).where(_texts.request_id.in_(ids[start : start + _TEXTS_AT_ONCE]))
        for row in await rows_of(page):
            if (key := key_of_row(row)) in wanted:
                found[key] = texts_of(row)
    return found


async def read_unjudged(rows_of: Rows, *, since_unix_ms: int, limit: int, route: str | None) -> list[Pair]:
    """Give pairs that can still be judged; `Reader.unjudged` says it all."""
    where = [_pairs.judge.is_(None), _pairs.unix_ms >= since_unix_ms, _texts.request_id.is_not(None)]
    if route is not None:
        where.append(_pairs.route == route)
    columns = (_pairs.pair, _pairs.judgement, *schema.shadow_texts.columns)
    page = sa.select(*columns).select_from(_WITH_TEXTS).where(*where).order_by(*_ORDER).limit(limit)
    rows = await rows_of(page)
    pairs = decode_pairs([row[:2] for row in rows])
    return [msgspec.structs.replace(pair, texts=texts_of(row)) for pair, row in zip(pairs, rows, strict=True)]


async def read_counts(rows_of: Rows, route: str, since_day: int) -> list[ShadowCount]:
    """Give what became of a route's copies per day; `Reader.shadow_counts` says it all."""
    of = schema.shadow_counts
    wanted = sa.select(of).where(of.c.route == route, of.c.day >= since_day).order_by(*of.primary_key.columns)
    return [ShadowCount(*row) for row in await rows_of(wanted)]


async def exported_pairs(rows_of: Rows, where: Sequence[sa.ColumnElement[bool]]) -> AsyncIterator[Any]:
    """Give pairs as an export shows them: columns, and the texts where they are kept."""
    page = sa.select(*_SHOWN, *_SHOWN_TEXTS).select_from(_WITH_TEXTS).where(*where).order_by(*_ORDER)
    page = page.limit(_TEXTS_AT_ONCE)
    after = page
    while rows := await rows_of(after):
        for row in rows:
            yield row
        if len(rows) < _TEXTS_AT_ONCE:
            return
        after = page.where(_behind(rows[-1].unix_ms, key_of_row(rows[-1])))


def _behind(unix_ms: int, key: PairKey) -> sa.ColumnElement[bool]:
    reached = (unix_ms, key.request_id, int(key.kind), key.shadow_variant)
    return sa.tuple_(*_ORDER) > sa.tuple_(
        *[sa.literal(value, column.type) for value, column in zip(reached, _ORDER, strict=True)]
    )
