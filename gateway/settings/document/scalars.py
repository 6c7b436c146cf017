"""
Durations, sizes, shares and names: text with a unit, read strictly.

A bare number is never taken for a duration or a share: `timeout: 30` and `weight: 5` are how outages
begin. Each parser raises ValueError with the way out; each type carries its JSON Schema.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.release import BUCKETS

MAX_NAME_BYTES = 64
"""Names travel inside every request id and response header."""

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE = re.compile(r"([0-9]{1,12})\s?(B|KB|MB|GB|KiB|MiB|GiB)\Z")
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,9}))?\s?(%|pp)\Z")


def parse_duration_s(value: Any) -> float:
    """
    Give seconds.

    >>> parse_duration_s("500ms"), parse_duration_s("4h")
    (0.5, 14400.0)
    """
    if isinstance(value, str) and (match := _DURATION.match(value)):
        return float(match[1]) * _SECONDS[match[2]]
    raise _wrong(value, "a duration", "write it with its unit: 500ms, 2s, 5m, 4h or 1d")


def parse_size_bytes(value: Any) -> int:
    """
    Give bytes.

    >>> parse_size_bytes("32MiB")
    33554432
    """
    if isinstance(value, str) and (match := _SIZE.match(value)):
        return int(match[1]) * _BYTES[match[2]]
    raise _wrong(value, "a size", "write it with its unit: 512KiB, 32MiB or 1GB")


def parse_weight(value: Any) -> int:
    """
    Give buckets out of 10,000.

    >>> parse_weight("12.5%")
    1250
    """
    hundredths = _hundredths_of(value, "%", "a share", "write it in percent: 20% or 0.5%")
    if hundredths != int(hundredths):
        raise _wrong(value, "a share", "0.01% is the finest there is")
    return int(hundredths)


def parse_share(value: Any) -> float:
    """
    Give a ratio in [0, 1], from percent.

    >>> parse_share("20%")
    0.2
    """
    return _hundredths_of(value, "%", "a share", "write it in percent: 20%, at most 100%") / BUCKETS


def parse_percent(value: Any) -> float:
    """
    Give a ratio of 0 to 9.99, from percent: a margin may be over 100 %.

    >>> parse_percent("150%")
    1.5
    """
    return _hundredths_of(value, "%", "a percentage", "write it in percent: 5%", most=99_900) / BUCKETS


def parse_points(value: Any) -> float:
    """
    Give a difference of ratios, from percentage points.

    >>> parse_points("2pp")
    0.02
    """
    return _hundredths_of(value, "pp", "a difference in percentage points", "write it like 2pp") / BUCKETS


def parse_name(value: Any) -> str:
    """Give a name that fits request ids and headers: 1 to 64 bytes, printable, no spaces around it."""
    if not isinstance(value, str) or not value:
        raise _wrong(value, "a name", "write text; quote it if it looks like a number")
    if len(value.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        n_bytes = len(value.encode("utf-8", "replace"))
        raise wrong(problem=f"a name of {n_bytes} bytes", remedy=f"at most {MAX_NAME_BYTES} bytes")
    if not value.isprintable() or value != value.strip():
        raise _wrong(value, "a name", "no control characters, and no spaces around it")
    return value


def wrong(*, problem: str, remedy: str) -> PydanticCustomError:
    """Give the error whose problem and remedy become a finding's."""
    return PydanticCustomError("sluice", "{problem}", {"problem": problem, "remedy": remedy})


def _wrong(value: Any, what: str, remedy: str) -> PydanticCustomError:
    return wrong(problem=f"{shown(value)} is not {what}", remedy=remedy)


def shown(value: Any) -> str:
    """Give a value as an error quotes it: short, on one line, containers only by kind."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    text = text if len(text) <= 40 else text[:37] + "..."
    return repr(text) if isinstance(value, str) else text


def _hundredths_of(value: Any, unit: str, what: str, remedy: str, *, most: int = BUCKETS) -> float:
    """Give hundredths of a percent; whole ones exactly."""
    match = _PERCENT.match(value) if isinstance(value, str) else None
    if match is None or match[3] != unit:
        raise _wrong(value, what, remedy)
    fraction = (match[2] or "").rstrip("0")
    whole = int(match[1]) * 100 + int((fraction + "00")[:2])
    hundredths = whole if len(fraction) <= 2 else whole + int(fraction[2:]) / 10 ** (len(fraction) - 2)
    if hundredths > most:
        raise _wrong(value, what, remedy)
    return hundredths


def _schema(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Duration = Annotated[float, PlainValidator(parse_duration_s), _schema(r"^\d+(\.\d+)?(ms|s|m|h|d)$", "500ms", "2s")]
Size = Annotated[int, PlainValidator(parse_size_bytes), _schema(r"^\d+ ?(B|[KMG]i?B)$", "32MiB")]
Weight = Annotated[int, PlainValidator(parse_weight), _schema(r"^\d{1,3}(\.\d{1,2})? ?%$", "50%", "0.5%")]
Share = Annotated[float, PlainValidator(parse_share), _schema(r"^\d{1,3}(\.\d+)? ?%$", "20%")]
Percent = Annotated[float, PlainValidator(parse_percent), _schema(r"^\d{1,3}(\.\d+)? ?%$", "5%")]
Points = Annotated[float, PlainValidator(parse_points), _schema(r"^\d{1,3}(\.\d+)? ?pp$", "2pp")]
Name = Annotated[str, BeforeValidator(parse_name)]
