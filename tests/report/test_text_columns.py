"""Columns of a terminal: nothing is wider than it may be, and numbers are never cut before words are."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.report.axis import Axis
from gateway.report.text_columns import WIDTH, columns_of, fit, plot, shown, table, wrapped


@given(st.text(), st.integers(2, 90), st.booleans())
def test_fits_exactly(text: str, columns: int, is_right: bool) -> None:
    """Whatever a name is made of, it takes the columns it was given."""
    assert columns_of(fit(shown(text), columns, is_right=is_right)) == columns


@given(st.text(), st.sampled_from(["", "- ", "  ! "]))
def test_never_wider(text: str, first: str) -> None:
    """Lines end in time, whatever stands in them; nothing is lost but spaces."""
    lines = wrapped(text, first)
    assert max(map(columns_of, lines)) <= WIDTH
    assert "".join("".join(lines).split()) == "".join(f"{first}{shown(text)}".split())


def test_marks_stay_in_their_line() -> None:
    """A letter with three hundred accents reaches into no other line; controls are spelt."""
    assert shown("Z" + "\u0301" * 300) == "Z\u0301\u0301" and shown("a\rb\u202e") == "a\\x0db\\u202e"


def test_percent_stays_with_its_number() -> None:
    """A line never begins with a percent sign."""
    assert wrapped("it is 95 % sure", width=8) == ["it is", "95 %", "sure"]


def test_words_give_way() -> None:
    """In a table that is too wide names are cut, numbers are not."""
    lines = table(("name", "n", "m"), [("x" * 200, "1,234", "9" * 20)])
    assert max(map(columns_of, lines)) <= WIDTH and lines[1].endswith(f"…  1,234  {'9' * 20}")
    assert table(("name",), []) == []


def test_many_columns_fit_all_the_same() -> None:
    """Even where numbers alone are too wide."""
    assert max(map(columns_of, table(["a"] * 9, [["9" * 40] * 9]))) <= WIDTH


@pytest.mark.parametrize(
    ("ends", "line"),
    [
        ((-0.4, 0.0, 0.4), "      [---o---]      "),
        ((-5.0, 0.5, 5.0), "<---------|----o---->"),
        ((-inf, 0.5, inf), "          |    o     "),
        ((nan, nan, nan), "          |          "),
    ],
)
def test_interval_as_a_line(ends: tuple[float, float, float], line: str) -> None:
    """Ends within are brackets, ends without are arrows, and what is not known is not drawn."""
    assert plot(Axis(-1.0, 1.0), *ends, columns=21) == line
