"""Pieces of HTML: words are escaped, and what has nothing to say is not there."""

from __future__ import annotations

import pytest

from gateway.report import html_parts
from gateway.report.html_parts import alarms, facts, figure, folded, name, paragraphs, section, table, tag, unbroken

ATTACK = "\"'><script>alert(1)</script>"


@pytest.mark.parametrize(
    "html",
    [
        html_parts.words(ATTACK),
        name(ATTACK),
        unbroken(ATTACK),
        tag("good", ATTACK),
        section(ATTACK, "x"),
        paragraphs([ATTACK]),
        facts([(ATTACK, ATTACK)]),
        alarms([ATTACK]),
        table((ATTACK,), [("x",)]),
        folded(ATTACK, "x"),
        figure("x", ATTACK),
    ],
)
def test_words_are_escaped(html: str) -> None:
    """Wherever words are taken they come out as words."""
    assert "<script" not in html and "\"'>" not in html and "&lt;script&gt;" in html


def test_nothing_is_not_there() -> None:
    """A section without parts, a table without rows, a chart without a picture: no heading stands alone."""
    assert [section("A", "", ""), table(("a",), []), facts([]), alarms([]), folded("a", ""), figure("", "a")] == [
        ""
    ] * 6


def test_cells_know_their_column() -> None:
    """On a phone, where there is no head, each cell says what it is."""
    html = table(("arm", "share"), [(name("concise"), "50 %")])
    assert 'data-label="arm"><div><bdi>concise</bdi>' in html and 'data-label="share"' in html
    with pytest.raises(ValueError, match="zip"):
        table(("arm", "share"), [("concise",)])
