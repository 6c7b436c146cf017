"""A shadow report on a terminal."""

from __future__ import annotations

from gateway.report.shadow_summary import ShadowSummary
from gateway.report.shadow_text import WIDTH, render_shadow_text
from tests.fakes.pairs import World
from tests.report.test_shadow_summary import summarized


def test_verdict_is_the_first_line() -> None:
    """What a product owner wants to know stands on top; all the rest is below, eighty columns wide."""
    report = summarized(World(n=2_000, n_users=400, wins=0.8))
    text = render_shadow_text(ShadowSummary("support", "2026-11-22", "", (report,)))
    first = " ".join(text.split("\n\n")[0].split())
    assert first == report.headline
    for title in ("Findings", "Judge", "Segments", "What became of the copies", "Worth a look"):
        assert f"\n{title}" in text
    told = [line for line in text.splitlines() if not line.startswith(("    ", "  plan", "  arm"))]
    assert max(map(len, told)) <= WIDTH + 10


def test_nothing_copied() -> None:
    """An empty report says why it is empty."""
    assert "Nothing of support was copied yet" in render_shadow_text(ShadowSummary("support", "now", "", ()))
