"""What feedback says and when: values by their metric's kind, texts, and times; checked one by one."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from gateway.domain.metric import Metric, MetricKind
from gateway.errors import BadRequestError

MAX_TEXT_CHARS = 4_000
"""Of a text value, and of a comment."""

MAX_COUNT = 1_000_000_000
"""Of counts, and of seconds: more is a mistake, and its square must keep its digits in sums."""

MAX_AGE_MS = 400 * 86_400_000
"""Older requests and older sayings are refused: nobody keeps facts so long."""

MAX_AHEAD_MS = 5 * 60_000
"""How far a sender's clock may be ahead of ours."""


def wrong(message: str, *, param: str, code: str) -> BadRequestError:
    """Give the error for a field; its message begins with the field's name."""
    return BadRequestError(f"`{param}`: {message}", code=code, param=param)


def check_text(value: Any, max_chars: int, *, param: str, code: str) -> None:
    """
    Check that a value is text, says something, and is not too long.

    Raises:
        BadRequestError: With `code`; it is none of that, or holds a NUL character.
    """
    if not isinstance(value, str):
        message = "It must be a string."
        raise wrong(message, param=param, code=code)
    if not value.strip():
        message = "It is empty."
        raise wrong(message, param=param, code=code)
    if len(value) > max_chars:
        message = f"It has {len(value)} characters; at most {max_chars} are taken."
        raise wrong(message, param=param, code=code)
    if "\0" in value:
        # PostgreSQL keeps no such text, and one piece must not make a whole commit fail.
        message = "It holds a NUL character."
        raise wrong(message, param=param, code=code)


def parse_value(value: Any, metric: Metric, *, param: str) -> tuple[float | None, str | None]:
    """
    Give a value as number and text; one of them is None.

    Raises:
        BadRequestError: `invalid_value`; the message says what the metric takes.
    """
    if metric.kind is MetricKind.TEXT:
        check_text(value, MAX_TEXT_CHARS, param=param, code="invalid_value")
        return None, str(value)
    if metric.kind is MetricKind.BINARY:
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            message = f"`{metric.name}` is binary: it must be true, false, 1 or 0."
            raise wrong(message, param=param, code="invalid_value")
        return float(value), None
    number = _number_of(value)
    low, high = metric.range or (0, MAX_COUNT)
    is_whole = metric.kind is not MetricKind.COUNT or (number is not None and number == int(number))
    if number is None or not low <= number <= high or not is_whole:
        what = {MetricKind.COUNT: "a whole number", MetricKind.DURATION: "seconds"}.get(metric.kind, "a number")
        message = f"`{metric.name}` is a {metric.kind}: it must be {what} from {low:g} to {high:g}."
        raise wrong(message, param=param, code="invalid_value")
    return number, None


def _number_of(value: Any) -> float | None:
    """Give a finite number; None for everything else, also for booleans."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def parse_at(value: Any, *, param: str, received_unix_ms: int) -> int | None:
    """
    Give a time in milliseconds since 1970; None where none is told.

    Args:
        value: ISO 8601 with a time zone, or seconds since 1970.
        param: The field's name, for the error.
        received_unix_ms: When it came; times more than 400 days before or 5 minutes after are refused.

    Raises:
        BadRequestError: `invalid_time`.
    """
    if value is None:
        return None
    unix_s = _unix_s_of(value)
    if unix_s is None:
        message = "It must be ISO 8601 with a time zone, as 2026-01-31T12:00:00Z, or seconds since 1970."
        raise wrong(message, param=param, code="invalid_time")
    # Compared as a float: what comes out of a JSON number times 1,000 may be infinite.
    at_unix_ms = unix_s * 1000
    if at_unix_ms > received_unix_ms + MAX_AHEAD_MS:
        is_ms = abs(unix_s - received_unix_ms) <= MAX_AGE_MS
        hint = " Is it in milliseconds? It must be in seconds." if is_ms else " Is the sender's clock right?"
        message = f"It is more than 5 minutes in the future.{hint}"
        raise wrong(message, param=param, code="invalid_time")
    if at_unix_ms < received_unix_ms - MAX_AGE_MS:
        message = "It is more than 400 days ago."
        raise wrong(message, param=param, code="invalid_time")
    return round(at_unix_ms)


def _unix_s_of(value: Any) -> float | None:
    if not isinstance(value, str):
        return _number_of(value)
    try:
        at = datetime.fromisoformat(value)
        return None if at.tzinfo is None else at.timestamp()
    except (ValueError, OverflowError):
        return None
