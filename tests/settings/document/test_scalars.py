"""Text with a unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.settings.document.scalars import (
    parse_duration_s,
    parse_name,
    parse_percent,
    parse_points,
    parse_share,
    parse_size_bytes,
    parse_weight,
    shown,
)

Parse = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration_s, "500ms", 0.5),
        (parse_duration_s, "1.5h", 5_400.0),
        (parse_duration_s, "1d", 86_400.0),
        (parse_size_bytes, "32MiB", 33_554_432),
        (parse_size_bytes, "1 GB", 10**9),
        (parse_weight, "0.01%", 1),
        (parse_weight, "33.3%", 3_330),
        (parse_weight, "100 %", 10_000),
        (parse_share, "0.001%", 0.00001),
        (parse_percent, "150%", 1.5),
        (parse_points, "2pp", 0.02),
        (parse_name, "größer", "größer"),
    ],
)
def test_units_are_read(parse: Parse, text: str, value: Any) -> None:
    """Exactly, where a float could not be trusted to be."""
    assert parse(text) == pytest.approx(value) if isinstance(value, float) else parse(text) == value


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (parse_duration_s, 30),
        (parse_duration_s, "30"),
        (parse_duration_s, "1e3s"),
        (parse_duration_s, "٣s"),
        (parse_size_bytes, 100),
        (parse_weight, 50),
        (parse_weight, "0.001%"),
        (parse_weight, "100.01%"),
        (parse_share, 0.2),
        (parse_share, "101%"),
        (parse_points, "2%"),
        (parse_name, ""),
        (parse_name, " a"),
        (parse_name, "a\n"),
        (parse_name, "é" * 33),
        (parse_name, 3),
    ],
)
def test_guesses_are_refused(parse: Parse, value: Any) -> None:
    """Bare numbers, other scripts' digits and what is too fine or too long."""
    with pytest.raises(ValueError, match=r".+"):
        parse(value)


def test_values_are_shown_short() -> None:
    """Errors quote at most forty characters, and containers by kind."""
    assert (len(shown("x" * 99)), shown({}), shown(True)) == (42, "a mapping", "true")
