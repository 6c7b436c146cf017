"""
Pairs to rows and back.

A row has what people ask for in columns of its own, and the whole pair as msgpack, which is what the program reads: a
hundred thousand pairs of fifty columns each would take ten times as long. The pair's last two fields are left off:
its judgement comes later, and its texts are kept elsewhere, for they go earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.record.batch import list_of_encoded
from gateway.record.pair import Judged, Judgement, Likeness, Pair, PairKey, PairKind, PairTexts, Side, key_of
from gateway.record.store import schema
from gateway.record.store.rows import Row, encode_segments, plain
from gateway.record.store.statements import Statements

Redact = Callable[[str, str], str]
"""Gives a route's text without what must not be written."""

_NIL = b"\xc0"
_encode = msgspec.msgpack.Encoder().encode
_decode_pairs = msgspec.msgpack.Decoder(list[Pair]).decode

_PAIRS, _TEXTS = schema.shadow_pairs.c, schema.shadow_texts.c
_JUDGEMENT = (
    "judge",
    "judged_unix_ms",
    "vote",
    "vote_primary_first",
    "vote_shadow_first",
    "judge_cost_usd",
    "judge_problem",
)
_NO_LIKENESS: Row = (None,) * 4
_NO_JUDGEMENT: Row = (None,) * len(_JUDGEMENT)


def _is_it(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [key == sa.bindparam(f"of_{key.name}") for key in table.primary_key.columns]


_JUDGE = (
    sa.update(schema.shadow_pairs)
    .where(*_is_it(schema.shadow_pairs))
    .values({name: sa.bindparam(f"new_{name}") for name in (*_JUDGEMENT, "judgement")})
)
_GIVE_REASON = (
    sa.update(schema.shadow_texts)
    .where(*_is_it(schema.shadow_texts))
    .values(judge_reason=sa.bindparam("new_judge_reason"))
)


class PairRows:
    """
    A group of pairs and late judgements, redacted and ready to be written.

    Attributes:
        pairs: Rows of shadow_pairs, by key.
        texts: Rows of shadow_texts, likewise; fewer.
        judged: Judgements of pairs that were kept before, or are among these.
        reasons: The judgements' reasons, redacted, in their order.
    """

    __slots__ = ("judged", "pairs", "reasons", "texts")

    def __init__(self, rows: Iterable[Pair | Judged], redact: Redact, routes: Mapping[PairKey, str]) -> None:
        """
        Make them; of a pair that is there twice the first counts.

        Args:
            rows: In the order they came.
            redact: Takes out what must not be written.
            routes: Of pairs that were kept before, as far as judgements are of them.
        """
        self.pairs: dict[PairKey, Row] = {}
        self.texts: dict[PairKey, Row] = {}
        self.judged: list[Judged] = []
        self.reasons: list[str] = []
        routes = dict(routes)
        for row in rows:
            key = key_of(row)
            if isinstance(row, Judged):
                self.judged.append(row)
                self.reasons.append(redact(routes.get(key, ""), plain(row.judgement.reason) or ""))
            elif key not in self.pairs:
                routes[key] = row.route
                self.pairs[key] = _pair_row(row, redact)
                if row.texts is not None:
                    self.texts[key] = _text_row(row, row.texts, redact)


async def write_pairs(connection: AsyncConnection, statements: Statements, rows: PairRows) -> None:
    """Write what is not there yet, then the judgements; a judgement of a pair that is not there changes nothing."""
    there = await _keys_there(connection, rows.pairs)
    if fresh := [row for key, row in rows.pairs.items() if key not in there]:
        await connection.exec_driver_sql(statements.add_pairs, fresh)
    if texts := [row for key, row in rows.texts.items() if key not in there]:
        await connection.exec_driver_sql(statements.add_pair_texts, texts)
    if rows.judged:
        await connection.execute(_JUDGE, [_judging(judged) for judged in rows.judged])
        reasons = [
            _of(judged) | {"new_judge_reason": reason} for judged, reason in zip(rows.judged, rows.reasons, strict=True)
        ]
        await connection.execute(_GIVE_REASON, reasons)


def routes_of(judged: Iterable[Judged]) -> sa.Select[Any]:
    """Give the question for the routes of the pairs that were judged: their keys, and the route."""
    wanted = {each.request_id for each in judged}
    return sa.select(*schema.shadow_pairs.primary_key.columns, _PAIRS.route).where(_PAIRS.request_id.in_(wanted))


def decode_pairs(rows: Sequence[Sequence[Any]]) -> list[Pair]:
    """
    Give pairs back, without texts.

    Args:
        rows: The columns `pair` and `judgement` of each.

    Raises:
        MsgspecError: They are none.
    """
    encoded = [part for pair, judgement in rows for part in (pair, judgement or _NIL, _NIL)]
    return _decode_pairs(list_of_encoded(b"".join(encoded), len(rows)))


def texts_of(row: Any) -> PairTexts:
    """Give the texts of a row that has shadow_texts' columns by name."""
    return PairTexts(row.prompt, row.primary_text, row.shadow_text, row.expires_unix_ms, row.judge_reason)


def key_of_row(row: Any) -> PairKey:
    """Give the key of a row that has it by name."""
    return PairKey(row.request_id, PairKind(row.kind), row.shadow_variant)


async def _keys_there(connection: AsyncConnection, keys: Iterable[PairKey]) -> set[PairKey]:
    wanted = {plain(key.request_id) for key in keys}
    find = sa.select(*schema.shadow_pairs.primary_key.columns).where(_PAIRS.request_id.in_(wanted))
    return {key_of_row(row) for row in await connection.execute(find)} if wanted else set()


def _of(row: Judged) -> dict[str, Any]:
    return {"of_request_id": row.request_id, "of_kind": int(row.kind), "of_shadow_variant": row.shadow_variant}


def _judging(judged: Judged) -> dict[str, Any]:
    columns = zip(_JUDGEMENT, _judgement_row(judged.judgement), strict=True)
    values = {f"new_{name}": value for name, value in columns}
    return _of(judged) | values | {"new_judgement": _encoded_judgement(judged.judgement)}


def _pair_row(pair: Pair, redact: Redact) -> Row:
    likeness, judgement = pair.likeness, pair.judgement
    if likeness is not None and likeness.changed_fields:
        # Names of fields are a model's own words.
        shown = [redact(pair.route, path) for path in likeness.changed_fields]
        likeness = msgspec.structs.replace(likeness, changed_fields=shown)
    bare = msgspec.structs.replace(pair, likeness=likeness, judgement=None, texts=None)
    return (
        plain(pair.request_id),
        int(pair.kind),
        plain(pair.shadow_variant),
        pair.unix_ms,
        plain(pair.route),
        plain(pair.release),
        pair.epoch,
        plain(pair.arm),
        schema.signed(pair.unit_hash),
        pair.has_unit,
        plain(encode_segments(pair.segments)) if pair.segments else None,
        plain(pair.api),
        pair.is_stream,
        plain(pair.primary.variant),
        plain(pair.shadow.variant),
        *_side_row(pair.primary),
        *_side_row(pair.shadow),
        *(_NO_LIKENESS if likeness is None else _likeness_row(likeness)),
        *(_NO_JUDGEMENT if judgement is None else _judgement_row(judgement)),
        _encode(bare).removesuffix(_NIL + _NIL),
        None if judgement is None else _encoded_judgement(judgement),
    )


def _text_row(pair: Pair, texts: PairTexts, redact: Redact) -> Row:
    reason = texts.reason if pair.judgement is None else pair.judgement.reason
    shown = [redact(pair.route, plain(each) or "") for each in (texts.prompt, texts.primary, texts.shadow, reason)]
    of = (plain(pair.request_id), int(pair.kind), plain(pair.shadow_variant))
    return (*of, pair.unix_ms, texts.expires_unix_ms, schema.signed(pair.unit_hash), *shown)


def _side_row(side: Side) -> Row:
    return (
        side.status,
        plain(side.error_code),
        plain(side.model_served),
        _finite(side.ttft_ms),
        _finite(side.duration_ms) or 0.0,
        side.input_tokens,
        side.output_tokens,
        _finite(side.cost_usd),
        plain(side.finish_reason),
        side.safety.value,
        side.is_valid_format,
        side.is_truncated,
        side.n_chars,
    )


def _likeness_row(likeness: Likeness) -> Row:
    return (likeness.is_exact, likeness.is_equal, _finite(likeness.similarity), likeness.tool_calls)


def _judgement_row(judgement: Judgement) -> Row:
    votes = (judgement.vote, judgement.primary_first, judgement.shadow_first)
    return (
        plain(judgement.judge),
        judgement.unix_ms,
        *[None if vote is None else int(vote) for vote in votes],
        _finite(judgement.cost_usd),
        plain(judgement.problem),
    )


def _encoded_judgement(judgement: Judgement) -> bytes:
    # Its reason is text, and kept where texts are.
    return _encode(msgspec.structs.replace(judgement, reason=""))


def _finite(value: float | None) -> float | None:
    return value if value is None or isfinite(value) else None
