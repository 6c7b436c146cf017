"""Hostile words: all of it is seen, none of it runs."""

from __future__ import annotations

import pytest

from gateway.report.hostile import html_text, printable, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ünïcode 中 🎉", "plain ünïcode 中 🎉"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b\x00", "a\\u2028b\\x00"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\ue0041"),
    ],
)
def test_everything_is_seen(text: str, seen: str) -> None:
    """Controls, turned-around text and halves of characters are spelt out; writing of any kind stays."""
    assert visible(text) == seen
    assert html_text(text).encode()


def test_lines() -> None:
    """A report's line stays one line; in HTML line ends stay."""
    assert printable("a\nb\tc") == "a b c" and visible("a\nb") == "a\nb"


def test_markup_is_text() -> None:
    """Tags and quotes are characters."""
    assert html_text("<script>'\"&") == "&lt;script&gt;&#x27;&quot;&amp;"
