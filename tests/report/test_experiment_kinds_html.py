"""What a bandit, a factorial release and a ladder say of themselves in an HTML report."""

from __future__ import annotations

from dataclasses import replace

from gateway.gates.experiment import Scale
from gateway.report.experiment_kinds_html import kind_sections
from gateway.report.experiment_summary import ExperimentSummary
from tests.fakes.experiments import bandit, clear_win, factorial, hostile, ladder


def rendered(summary: ExperimentSummary) -> str:
    """Give its sections."""
    return "".join(kind_sections(summary))


def test_split_says_nothing() -> None:
    """Of no kind but its own."""
    assert rendered(clear_win()) == ""


def test_bandit_shares() -> None:
    """Who is ahead, how likely each is the best, and its share over time as a picture and as numbers."""
    html = rendered(bandit())
    assert "ahead</span>" in html and "99.6 %" in html and html.count("class=weights") == 2
    assert "share of the traffic over time, now 90.9 %" in html and html.count("2026-11-") == 20


def test_factors_and_cells() -> None:
    """Effects as a picture and as numbers; cells folded away, one that nobody spoke in said to be."""
    html = rendered(factorial())
    assert html.count("<circle") == 3 and "told apart" in html and "whatever the model" in html
    assert html.count("<bdi>prompt=") == 5 and "unknown" in html


def test_factors_in_their_unit() -> None:
    """The line's numbers are of the metric, not of its lift."""
    summary = factorial()
    assert summary.factorial is not None
    html = rendered(replace(summary, factorial=replace(summary.factorial, scale=Scale.SCORE)))
    assert "+0.02</text>" in html and "+0.031 (+0.012 to +0.05)" in html and "+3.10 points" not in html


def test_rounds() -> None:
    """Each round with who met whom and what came of it, the champion and who waits."""
    html = rendered(ladder())
    assert "Champion: concise." in html and "challenger wins" in html and "Waiting: terse." in html
    assert html.count("<tr>") == 4


def test_hostile_names() -> None:
    """Arms, levels, rounds, phases and sentences are words."""
    html = rendered(hostile("\"'><script>alert(1)</script>"))
    assert "<script" not in html and html.count("&lt;script&gt;") > 20
