"""Tests for gateway.wire.feedback_value: values, texts and times, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.metric import Metric, MetricKind
from gateway.errors import BadRequestError
from gateway.wire.feedback_value import (
    MAX_AGE_MS,
    MAX_AHEAD_MS,
    MAX_COUNT,
    MAX_TEXT_CHARS,
    check_text,
    parse_at,
    parse_value,
    wrong,
)

NOW_MS = 1_795_351_943_705
THUMBS = Metric("thumbs", MetricKind.BINARY)
STARS = Metric("stars", MetricKind.SCORE, range=(-1, 5))
EDITS = Metric("edits", MetricKind.COUNT)
SPENT = Metric("spent", MetricKind.DURATION)
WORDS = Metric("words", MetricKind.TEXT)


@pytest.mark.parametrize(
    ("metric", "value", "parsed"),
    [
        (THUMBS, True, 1.0),
        (THUMBS, False, 0.0),
        (THUMBS, 1, 1.0),
        (THUMBS, 0.0, 0.0),
        (STARS, -1, -1.0),
        (STARS, 5, 5.0),
        (STARS, 0.3, 0.3),
        (EDITS, 0, 0.0),
        (EDITS, 3.0, 3.0),
        (EDITS, MAX_COUNT, 1e9),
        (SPENT, 0.25, 0.25),
    ],
)
def test_numbers(metric: Metric, value: Any, parsed: float) -> None:
    """What a metric takes is a number afterwards, the ends of its range included."""
    assert parse_value(value, metric, param="value") == (parsed, None)


NEVER_A_NUMBER: list[Any] = [None, "1", "up", [], {}, [1], 10**400, float("inf"), float("nan")]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        *((metric, value) for metric in (THUMBS, STARS, EDITS, SPENT) for value in NEVER_A_NUMBER),
        *((THUMBS, value) for value in (2, -1, 0.5)),
        *((STARS, value) for value in (True, 5.001, -1.001)),
        *((EDITS, value) for value in (False, -1, 1.5, MAX_COUNT + 1)),
        *((SPENT, value) for value in (True, -0.1, MAX_COUNT * 2)),
        *((WORDS, value) for value in (None, "", "  ", 1, True, ["a"], "x" * (MAX_TEXT_CHARS + 1), "a\0b")),
    ],
)
def test_wrong_values(metric: Metric, value: Any) -> None:
    """What it does not take is refused, by the field's name and with what it takes."""
    with pytest.raises(BadRequestError, match=r"\[3\]\.value") as caught:
        parse_value(value, metric, param="[3].value")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "[3].value")


def test_words() -> None:
    """Text is kept as it is, up to its limit."""
    assert parse_value("x" * MAX_TEXT_CHARS, WORDS, param="value") == (None, "x" * MAX_TEXT_CHARS)


@pytest.mark.parametrize("value", [1, None, "", "\t", "long", "\0"])
def test_check_text(value: Any) -> None:
    """Text says something and is not too long."""
    with pytest.raises(BadRequestError) as caught:
        check_text(value, 3, param="user", code="some_code")
    assert (caught.value.code, caught.value.param) == ("some_code", "user")


@pytest.mark.parametrize(
    ("value", "at_unix_ms"),
    [
        (None, None),
        (NOW_MS // 1000, NOW_MS // 1000 * 1000),
        (NOW_MS / 1000, NOW_MS),
        ("2026-11-22T10:00:00Z", 1_795_341_600_000),
        ("2026-11-22T10:00:00.250+02:00", 1_795_334_400_250),
        ((NOW_MS + MAX_AHEAD_MS) / 1000, NOW_MS + MAX_AHEAD_MS),
        ((NOW_MS - MAX_AGE_MS) / 1000, NOW_MS - MAX_AGE_MS),
    ],
)
def test_times(value: Any, at_unix_ms: int | None) -> None:
    """Seconds and ISO 8601 mean the same; the ends of what is taken are taken."""
    assert parse_at(value, param="at", received_unix_ms=NOW_MS) == at_unix_ms


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("2026-11-22T10:00:00", "time zone"),
        ("2026-11-22", "time zone"),
        ("yesterday", "ISO 8601"),
        ("", "ISO 8601"),
        (True, "ISO 8601"),
        ([], "ISO 8601"),
        (10**400, "ISO 8601"),
        (1e308, "clock right"),
        (NOW_MS, "milliseconds"),
        ((NOW_MS + MAX_AHEAD_MS) / 1000 + 1, "clock right"),
        ((NOW_MS - MAX_AGE_MS) / 1000 - 1, "400 days"),
        (-1e308, "400 days"),
        ("0001-01-01T00:00:00+14:00", "400 days"),
        ("9999-12-31T23:59:59-14:00", "future"),
    ],
)
def test_wrong_times(value: Any, hint: str) -> None:
    """A time without a zone, out of reach or in milliseconds is refused, and the message says which."""
    with pytest.raises(BadRequestError, match=hint) as caught:
        parse_at(value, param="at", received_unix_ms=NOW_MS)
    assert (caught.value.code, caught.value.param) == ("invalid_time", "at")


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.lists(st.integers())


@given(metric=st.sampled_from([THUMBS, STARS, EDITS, SPENT, WORDS]), value=JSON)
def test_any_value(metric: Metric, value: Any) -> None:
    """Whatever comes is within what the metric takes, or refused."""
    try:
        number, text = parse_value(value, metric, param="value")
    except BadRequestError:
        return
    low, high = metric.range or (0, MAX_COUNT)
    assert (number is None) != (text is None)
    assert number is None or low <= number <= high


@given(JSON | st.datetimes().map(str) | st.integers(0, 4 * 10**9))
def test_any_time(value: Any) -> None:
    """Whatever comes is within reach, or refused."""
    try:
        at_unix_ms = parse_at(value, param="at", received_unix_ms=NOW_MS)
    except BadRequestError:
        return
    assert at_unix_ms is None or NOW_MS - MAX_AGE_MS <= at_unix_ms <= NOW_MS + MAX_AHEAD_MS


def test_wrong_names_the_field() -> None:
    """The message begins with the field, because SDKs show nothing else."""
    assert wrong("It is.", param="at", code="c").message == "`at`: It is."
