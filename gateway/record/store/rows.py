"""Facts to rows, each a plain tuple in its table's order: the fastest thing a driver takes."""

from __future__ import annotations

from math import isfinite

import msgspec
import orjson

from gateway.record.outcome import Outcome
from gateway.record.rollup import MAX_TOKENS, Exposure, ExposureKey, Rollup, RollupKey, Sketch, UnitDayKey, UnitSums
from gateway.record.store.schema import signed

Row = tuple[object, ...]

_HALF = 1 << 63
_ALL = 1 << 64
_decode_sketch = msgspec.json.Decoder(Sketch).decode
_encode = msgspec.json.encode


def outcome_row(outcome: Outcome) -> Row:
    """Give an outcome's row, without the id that the store gives it."""
    reason, api, segments, cost = outcome.reason, outcome.api, outcome.segments, outcome.cost_usd
    unit_hash, tokens_in, tokens_out = outcome.unit_hash, outcome.input_tokens, outcome.output_tokens
    return (
        outcome.unix_ms,
        outcome.request_id,
        None if api is None else api._value_,
        outcome.route,
        outcome.release,
        outcome.epoch,
        outcome.arm,
        outcome.served,
        None if reason is None else reason._value_,
        unit_hash if unit_hash < _HALF else unit_hash - _ALL,
        encode_segments(segments) if segments else None,
        outcome.config_version,
        outcome.provider,
        plain(outcome.model_requested),
        outcome.model_sent,
        plain(outcome.model_served),
        outcome.status,
        outcome.error_code,
        outcome.fault._value_,
        outcome.attempts,
        outcome.is_stream,
        outcome.ttfb_ms,
        outcome.ttft_ms,
        outcome.duration_ms,
        # A provider may claim any number, and a database's end at 64 bits.
        tokens_in if tokens_in is None or tokens_in <= MAX_TOKENS else MAX_TOKENS,
        tokens_out if tokens_out is None or tokens_out <= MAX_TOKENS else MAX_TOKENS,
        outcome.cached_tokens if outcome.cached_tokens <= MAX_TOKENS else MAX_TOKENS,
        outcome.reasoning_tokens if outcome.reasoning_tokens <= MAX_TOKENS else MAX_TOKENS,
        outcome.is_estimated,
        cost if cost is None or isfinite(cost) else None,
        plain(outcome.finish_reason),
        outcome.safety._value_,
        plain(outcome.safety_category),
        outcome.is_valid_format,
        outcome.is_truncated,
        outcome.is_client_gone,
    )


def exposure_row(key: ExposureKey, exposure: Exposure) -> Row:
    """Give an exposure's row."""
    release, unit_hash, epoch, arm = key
    segments = encode_segments(dict(exposure.segments)) if exposure.segments else None
    return (release, signed(unit_hash), epoch, arm, exposure.first_unix_ms, exposure.route, segments)


def unit_day_row(key: UnitDayKey, sums: UnitSums) -> Row:
    """Give a unit's day's row."""
    release, epoch, arm, unit_hash, day = key
    return (release, epoch, arm, unit_hash if unit_hash < _HALF else unit_hash - _ALL, day, *sums)


def rollup_row(key: RollupKey, rollup: Rollup) -> Row:
    """Give a rollup's row."""
    return (*key, *rollup.sums, encode_sketch(rollup.durations), encode_sketch(rollup.ttfts))


def encode_sketch(sketch: Sketch) -> str:
    """Give a sketch as JSON that sqlite3's and PostgreSQL's own functions read."""
    return _encode(sketch).decode()


def decode_sketch(text: str) -> Sketch:
    """Give the sketch back."""
    return _decode_sketch(text)


def encode_segments(segments: dict[str, str]) -> str:
    """Give segments as a JSON object."""
    return orjson.dumps(segments).decode()


def plain(text: str | None) -> str | None:
    """Give text without NULs, which PostgreSQL cannot keep."""
    return text.replace("\0", "") if text and "\0" in text else text
