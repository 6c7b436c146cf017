"""Facts to rows, each a plain tuple in its table's order, the fastest thing a driver takes; and outcomes to bytes."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import msgspec
import orjson

from gateway.record.folded import ArmDay, UnitTally
from gateway.record.outcome import Outcome
from gateway.record.rollup import Exposure, ExposureKey, Rollup, RollupKey, Sketch
from gateway.record.store.schema import signed

Row = tuple[object, ...]

_HALF = 1 << 63
_ALL = 1 << 64
_encode_outcomes = msgspec.msgpack.Encoder().encode
_decode_outcomes = msgspec.msgpack.Decoder(list[Outcome]).decode
_decode_sketch = msgspec.json.Decoder(Sketch).decode
_encode = msgspec.json.encode


class OutcomeRow(NamedTuple):
    """One request as an export shows it: `Outcome` but for its trace, in plain values; `unit_hash` is signed."""

    unix_ms: int
    request_id: str
    api: str | None
    route: str | None
    release: str | None
    epoch: int
    arm: str | None
    served: str | None
    reason: str | None
    unit_hash: int
    segments: str | None
    config_version: int
    provider: str | None
    model_requested: str
    model_sent: str | None
    model_served: str | None
    status: int
    error_code: str | None
    fault: str
    attempts: int
    is_stream: bool
    ttfb_ms: float | None
    ttft_ms: float | None
    duration_ms: float
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int
    reasoning_tokens: int
    is_estimated: bool
    cost_usd: float | None
    finish_reason: str | None
    safety: str
    safety_category: str | None
    is_valid_format: bool | None
    is_truncated: bool
    is_client_gone: bool


def outcome_row(outcome: Outcome) -> OutcomeRow:
    """Give an outcome as an export shows it."""
    values = {name: getattr(outcome, name) for name in OutcomeRow._fields}
    api, reason, segments, cost = outcome.api, outcome.reason, outcome.segments, outcome.cost_usd
    values["api"] = None if api is None else api.value
    values["reason"] = None if reason is None else reason.value
    values["fault"], values["safety"] = outcome.fault.value, outcome.safety.value
    values["unit_hash"] = signed(outcome.unit_hash)
    values["segments"] = encode_segments(segments) if segments else None
    values["cost_usd"] = cost if cost is None or isfinite(cost) else None
    return OutcomeRow(**values)


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """
    Give outcomes as a batch's payload.

    Raises:
        OverflowError: There is a number of more than 64 bits in it.
        UnicodeEncodeError: There is text in it that is none.
    """
    return _encode_outcomes(outcomes)


def decode_outcomes(payload: bytes) -> list[Outcome]:
    """
    Give a payload's outcomes back.

    Raises:
        MsgspecError: It is none.
    """
    return _decode_outcomes(payload)


def encode_unit(unit_hash: int) -> bytes:
    """Give what a payload holds somewhere if it has an outcome of this unit."""
    return _encode_outcomes(unit_hash)


def exposure_row(key: ExposureKey, exposure: Exposure) -> Row:
    """Give an exposure's row."""
    release, unit_hash, epoch, arm = key
    segments = encode_segments(dict(exposure.segments)) if exposure.segments else None
    return (release, signed(unit_hash), epoch, arm, exposure.first_unix_ms, exposure.route, segments)


def unit_day_row(arm_day: ArmDay, unit_hash: int, unit: UnitTally) -> Row:
    """Give a unit's day's row."""
    release, epoch, arm, day = arm_day
    return (release, epoch, arm, unit_hash if unit_hash < _HALF else unit_hash - _ALL, day, *unit.values())


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
