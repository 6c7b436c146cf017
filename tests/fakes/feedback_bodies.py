"""Bodies of feedback that are nearly right, from a seed; and what may be kept of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import orjson

from gateway.domain.metric import Metric, MetricKind
from gateway.record.feedback import Feedback

_VALUES: tuple[Any, ...] = (
    *(True, False, 0, 1, 2, 3.5, -1, 5, 10**9, 10**18, 1e308, -1e-320, 0.1 + 0.2),
    *("", "good", "true", "1", "x" * 4_001, "\u0000", "🙂" * 50, "a\u0000b", "\u202e", None, [], [1], {}, {"a": {}}),
)
_AT: tuple[Any, ...] = (
    *(None, 0, -1, 1_795_351_943, 1_795_351_943.705, 1_795_351_943_705, 1e308, 2**63, True, [], ""),
    *("2026-11-22T10:00:00Z", "2026-11-22T10:00:00", "2026-11-22", "now", "0001-01-01T00:00:00+14:00", "9999-12-31"),
)
_NAMES = ("request_id", "user", "route", "metric", "value", "id", "at", "comment", "score", "", "__proto__")


def body_of(chance: Random, tokens: Sequence[str]) -> bytes:
    """Give a body: often one that is right, or right but for one thing, seldom bytes of any kind."""
    kind = chance.random()
    if kind < 0.5:
        return _mangled(chance, orjson.dumps(_piece(chance, tokens)))
    if kind < 0.9:
        pieces = [_piece(chance, tokens) for _ in range(chance.choice((0, 1, 1, 2, 3, 5)))]
        return _mangled(chance, orjson.dumps(pieces))
    return chance.randbytes(chance.randrange(200))


def is_sound(one: Feedback, metrics: Mapping[str, Metric], now_ms: int) -> bool:
    """Say whether what was kept is something that its metric may say, of a unit and at a time there can be."""
    metric = metrics[one.metric]
    if metric.kind is MetricKind.TEXT:
        says = one.value is None and one.text is not None and 0 < len(one.text) <= 4_000
    else:
        says = one.text is None and one.value is not None and _fits(one.value, metric)
    is_whose = one.arm in ("concise", None) and 0 <= one.unit_hash < 2**64 and one.route == "support"
    is_when = now_ms - 400 * 86_400_000 <= one.at_unix_ms <= now_ms + 300_000
    return says and is_whose and is_when and 0 < len(one.id) <= 128 and "\0" not in f"{one.text}{one.comment}{one.id}"


def _fits(value: float, metric: Metric) -> bool:
    if metric.kind is MetricKind.BINARY:
        return value in (0, 1)
    low, high = metric.range or (0, 1e9)
    return math.isfinite(value) and low <= value <= high and (metric.kind is not MetricKind.COUNT or value % 1 == 0)


def _piece(chance: Random, tokens: Sequence[str]) -> dict[str, Any]:
    metric = chance.choice(("thumbs", "stars", "edits", "words"))
    good = {"thumbs": (True, False, 0, 1), "stars": (1, 4.5, 5), "edits": (0, 3), "words": ("slow", "déjà vu")}[metric]
    piece: dict[str, Any] = {"metric": metric, "value": chance.choice(good)}
    if chance.random() < 0.7:
        piece["request_id"] = chance.choice(tokens)
    else:
        piece |= {"user": chance.choice(("ana", "zoë", " bo ")), "route": "support"}
    if chance.random() < 0.3:
        piece["id"] = f"id-{chance.randrange(200)}"
    if chance.random() < 0.4:
        piece[chance.choice(_NAMES)] = _anything(chance, tokens)
    if chance.random() < 0.1:
        piece.pop(chance.choice(tuple(piece)))
    return piece


def _anything(chance: Random, tokens: Sequence[str]) -> Any:
    token = chance.choice(tokens)
    at = chance.randrange(len(token))
    forged = token[:at] + chance.choice("Aa0_-=é") + token[at + 1 :]
    return chance.choice((*_VALUES, *_AT, forged, token[:-1], "sluice-1", "support", "nowhere", "thumbs"))


def _mangled(chance: Random, body: bytes) -> bytes:
    """Give the body, one time in ten with a byte changed, cut or doubled."""
    if chance.random() > 0.1:
        return body
    at = chance.randrange(len(body))
    return chance.choice((body[:at], body[:at] + chance.randbytes(1) + body[at + 1 :], body[:at] + body[at:] * 2))
