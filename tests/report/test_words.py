"""Times, numbers and evidence in words."""

from __future__ import annotations

import pytest

from gateway.report.words import duration, evidence_words, moment, number, one_line, share


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (3_660, "1 h 1 min"), (86_400, "1 d"), (90_061, "1 d 1 h")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """The two largest units that matter, and never less than nothing."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (1e6, "1,000,000"), (0.5, "0.5"), (1e20, "1e+20"), (1 / 3, "0.3333")]
)
def test_numbers(value: float, words: str) -> None:
    """Whole numbers whole, others with four digits that matter."""
    assert number(value) == words


def test_shares() -> None:
    """Weights as people write them."""
    assert [share(value) for value in (0.0, 2.5, 100.0)] == ["0 %", "2.5 %", "100 %"]


def test_moments_of_nonsense() -> None:
    """A time nobody can read is said to be one."""
    assert moment(0) == "1970-01-01 00:00:00 UTC" and moment(10**18) == "an unknown time"


def test_evidence_is_flat() -> None:
    """Nested names are joined, lists are cut, and nothing that is unknown looks like a number."""
    evidence = {"a_b": None, "c": {"d": {"e": 1.5}}, "f": list(range(10)), "g": [{"h": True}]}
    assert evidence_words(evidence) == (
        ("a b", "unknown"),
        ("c d e", "1.5"),
        ("f", "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"),
        ("g", "h yes"),
    )


def test_terminals_are_left_alone() -> None:
    """Text of others moves no cursor and starts no line."""
    assert one_line("a\r\n\x1b[31mb\u202e") == "a [31mb"
