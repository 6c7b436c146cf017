"""A shadow report as one file; tests/browser opens it."""

from __future__ import annotations

import re

from gateway.report.shadow_columns import table_of
from gateway.report.shadow_html import render_shadow_html
from gateway.report.shadow_summary import ShadowSummary, summarize_shadow
from gateway.report.shadow_telling import choose_telling, tell
from tests.fakes.pairs import COUNTS, World, pairs_of, texts_of
from tests.report.test_shadow_summary import summarized

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)>",
    '" autofocus onfocus="alert(3)',
    "\u202e\x00\ud800",
)
PARTS = ("class=headline", "<h2>Effects</h2>", "<h2>Judge</h2>", "<h2>Segments</h2>", "What became", "Worth a look")


def rendered(**more: object) -> str:
    """Give the file of a world in which something is found."""
    report = summarized(World(n=1_000, refuses=0.1, wins=0.7))
    return render_shadow_html(ShadowSummary("support", "2026-11-22", "", (report,)))


def test_verdict_and_why() -> None:
    """Verdict, effects, judge, segments, copies, and pairs side by side."""
    html = rendered()
    assert [part for part in PARTS if part not in html] == []
    assert html.count("<article") == 30 and "<mark>" in html


def test_asks_nobody() -> None:
    """No script, no link, no picture from anywhere, and a policy that forbids them."""
    html = rendered()
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|\son\w+=", html)
    assert "default-src 'none'" in html


def test_hostile_words_are_words() -> None:
    """What models, users and files wrote is shown as it is, wherever it stands."""
    table = table_of(pairs_of(World(n=200)))
    telling = tell(choose_telling(table.pairs), texts_of(table.pairs, HOSTILE))
    report = summarize_shadow(HOSTILE[0], table, COUNTS, telling)
    html = render_shadow_html(ShadowSummary(HOSTILE[1], HOSTILE[2], HOSTILE[3], (report,)))
    assert "<script>" not in html and "<img" not in html and 'onfocus="' not in html
    assert html.encode() and html.count("</style>") == 1


def test_nothing_copied() -> None:
    """An empty report says so."""
    assert "Nothing of support was copied yet" in render_shadow_html(ShadowSummary("support", "now", "", ()))
