"""An experiment's report as one file; tests/browser opens it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.gates.experiment import ExperimentState
from gateway.report.experiment_html import render_experiment_html
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.hostile import html_text
from tests.fakes.experiments import (
    EVERY,
    SKEWED,
    clear_win,
    harmful,
    hostile,
    keep_running,
    mismatched,
    nothing_yet,
    only_guardrails,
    three_arms,
    unbounded,
)

TITLES = (
    "Arms",
    "Primary metric: thumbs",
    "Day by day",
    "Every metric",
    "Secondary metrics",
    "Guardrails",
    "Segments",
    "What could be found by now",
    "Did units come as planned?",
    "Not analysed",
    "Cost",
    "Method",
)
HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)>",
    '" autofocus onfocus="alert(3)',
    "\u202e\x00\ud800",
)


@pytest.mark.parametrize("make", EVERY)
def test_verdict_and_why(make: Callable[[], ExperimentSummary]) -> None:
    """The verdict is the first thing, and tags are closed; numbers that are none are not shown as numbers."""
    summary = make()
    html = render_experiment_html(summary)
    head = html[html.index("<header>") : html.index("</header>")]
    assert html_text(summary.verdict.headline).replace(" %", "&nbsp;%") in head
    assert all(html.count(f"<{tag}") == html.count(f"</{tag}>") for tag in ("section", "svg", "table", "figure", "bdi"))
    assert "nan" not in html and not re.search(r"\binf\b", html.replace(head, ""))


def test_sections_in_their_order() -> None:
    """From the arms to the method, each once."""
    assert tuple(re.findall(r"<h2>(.*?)</h2>", render_experiment_html(clear_win()))) == TITLES


@pytest.mark.parametrize("make", EVERY)
def test_asks_nobody(make: Callable[[], ExperimentSummary]) -> None:
    """No script, no link, no picture from anywhere, and a policy that forbids them."""
    html = render_experiment_html(make())
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|\son\w+=", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("make", [mismatched, lambda: replace(clear_win(), ratio_check=SKEWED)])
def test_alarm_shows_no_lift(make: Callable[[], ExperimentSummary]) -> None:
    """While units do not come as planned nothing that compares arms is a result: it is folded away, at the end."""
    html = render_experiment_html(make())
    folded = html[html.index("<details class=withheld>") :]
    above = html.replace(folded, "")
    assert not re.search(
        r"6\.7|\d points|locale=de|Secondary|<circle|better</span>|ship", above[above.index("<main>") :]
    )
    assert "sample ratio mismatch" in above and "48,211 to 1" in above and "5,312" in above
    assert above.index("Did units come") < above.index("<h2>Arms") and "6.7" in folded and "not results" in folded


def test_recommendation_has_its_colour() -> None:
    """Green to ship, red to stop what harms, none while it is running."""
    tags = [
        re.search(r'<p class=headline><span class="tag (\w*)">(.*?)</span>', render_experiment_html(make()))
        for make in (clear_win, harmful, keep_running, mismatched)
    ]
    found = [each.groups() for each in tags if each is not None]
    assert found == [("good", "ship"), ("bad", "stop"), ("", "keep running"), ("bad", "invalid")]


def test_several_arms() -> None:
    """Each arm has its verdict, its own days, and its name beside each metric."""
    html = render_experiment_html(three_arms())
    assert html.count("class=days") == 3 and "<bdi>bigger: failed requests</bdi>" in html
    assert "<h2>Verdicts</h2>" in html and "<h2>Verdicts" not in render_experiment_html(clear_win())


def test_what_is_missing_is_said() -> None:
    """No primary metric, nobody yet, no bound, an arm that was stopped: each in words, without empty headings."""
    assert "No primary metric is named" in render_experiment_html(only_guardrails())
    assert tuple(re.findall(r"<h2>(.*?)</h2>", render_experiment_html(nothing_yet()))) == ("Arms",)
    assert "no bound to no bound" in render_experiment_html(unbounded())
    assert "concise was stopped: 2026-11-19" in render_experiment_html(harmful())


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("state", [ExperimentState.BETTER, ExperimentState.INVALID])
def test_hostile_words_are_words(attack: str, state: ExperimentState) -> None:
    """What people called things is shown as it is, wherever it stands."""
    html = render_experiment_html(hostile(attack, state))
    assert "<script>" not in html and "<img" not in html and 'onfocus="' not in html
    assert html.encode() and html.count("</style>") == 1
