"""An experiment's report on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.gates.experiment import SegmentEffect
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.experiment_text import LAST_DAYS, render_experiment_text
from gateway.report.text_columns import WIDTH, columns_of
from tests.browser.payloads import PAYLOADS
from tests.fakes.experiments import (
    EVERY,
    SKEWED,
    clear_win,
    effect,
    harmful,
    hostile,
    keep_running,
    mismatched,
    no_difference,
    nothing_yet,
    only_guardrails,
    three_arms,
    unbounded,
)

TITLES = (
    "Arms",
    "Primary metric: thumbs",
    "Day by day",
    "Secondary metrics",
    "Guardrails",
    "Segments",
    "What could be found by now",
    "Did units come as planned?",
    "Not analysed",
    "Cost",
    "Method",
)
NAMES = (
    "計画" * 60,
    "a" * 500,
    "\ud800",
    "Z" + "\u0301" * 300,
    "👩‍🚀" * 50,
    "",
    "\x1b[2J\x1b[31m",
    "a\r\nb\x00",
    "%" * 200,
)


@pytest.mark.parametrize("make", EVERY)
def test_verdict_is_first(make: Callable[[], ExperimentSummary]) -> None:
    """What a product owner wants to know stands on top, and no line is wider than a terminal."""
    summary = make()
    text = render_experiment_text(summary)
    assert " ".join(text.split("\n\n")[0].split()).startswith(summary.verdict.headline)
    assert max(map(columns_of, text.splitlines())) <= WIDTH and "nan" not in text


def test_sections_in_their_order() -> None:
    """From the verdict to the method, each once."""
    lines = render_experiment_text(clear_win()).splitlines()
    assert [line for line in lines if line in TITLES] == list(TITLES)


def test_interval_is_drawn() -> None:
    """The primary effect's interval lies right of no effect, and its ends are named better and worse."""
    lines = render_experiment_text(clear_win()).splitlines()
    at = next(number for number, line in enumerate(lines) if "worse" in line and "better" in line)
    assert lines[at - 1].strip().startswith("|") and lines[at - 1].strip().endswith("]") and "o" in lines[at - 1]


def test_days_narrow() -> None:
    """A line a day, each interval no wider than some day's before; what is further out ends in an arrow."""
    lines = render_experiment_text(keep_running()).splitlines()
    days = [line for line in lines if line.startswith("  2026-11-0")]
    assert len(days) == 3 and "<" in days[0] and "[" in days[1] and "+2.10 (−3.90 to +8.10)" in days[2]


def test_first_and_last_days() -> None:
    """Of a month the first day is shown and the last two weeks; between them a sign that some are missing."""
    lines = render_experiment_text(no_difference()).splitlines()
    days = [line.split()[0] for line in lines if line.startswith(("  2026-11-", "  …"))]
    assert days[:3] == ["2026-11-01", "…", "2026-11-15"] and len(days) == LAST_DAYS + 2


def test_alarm_shows_no_lift() -> None:
    """While units do not come as planned no number that compares arms is in the whole text, and it says why."""
    text = render_experiment_text(mismatched())
    assert "6.7 %" not in text and "points" not in text and "locale=de" not in text and "p 0" not in text
    assert "sample ratio mismatch" in text and "48,211 to 1" in text and "withheld" in text
    careless = render_experiment_text(replace(clear_win(), ratio_check=SKEWED))
    assert careless.startswith("No result") and "6.7 %" not in careless


def test_harm_is_marked() -> None:
    """A guardrail that got worse has a minus, and the arm that was stopped says when and by what."""
    text = render_experiment_text(harmful())
    assert "  - Failed requests" in text and "! concise was stopped: 2026-11-19 11:02:40 UTC, error_rate" in text


def test_several_arms() -> None:
    """Each arm has its verdict, and its own metrics."""
    text = render_experiment_text(three_arms())
    assert text.count("\n  kind") >= 4 and "stop: bigger is worse" in text and "keep running: kind" in text


def test_many_segments() -> None:
    """A screenful of them, what is proven first, then the largest, and how many there are beside."""
    many = tuple(SegmentEffect(f"locale={n}", effect(0.01, 0.02, n=n), is_proven=n == 3) for n in range(50))
    lines = [line for line in render_experiment_text(replace(clear_win(), segments=many)).splitlines() if line]
    shown = [line.split()[0] for line in lines if line.startswith("    locale=")]
    assert shown[:3] == ["locale=3", "locale=49", "locale=48"] and len(shown) == 20
    assert "    and 30 smaller ones" in lines


def test_nothing_yet() -> None:
    """Before anybody came there are arms, and no empty headings."""
    text = render_experiment_text(nothing_yet())
    assert "Nobody has been exposed yet" in text and "Day by day" not in text and "Did units" not in text


def test_no_primary_metric() -> None:
    """Without one it says so, shows the guardrails, and ends with what else is to be known."""
    text = render_experiment_text(only_guardrails())
    assert "No primary metric is named" in text and "Guardrails" in text and "the last 24 h is still open" in text


def test_without_bounds() -> None:
    """Intervals without ends and prices nobody knows are said, below the verdict."""
    below = render_experiment_text(unbounded()).split("\n\n", 1)[1]
    assert "unknown" in below and "inf" not in below


@pytest.mark.parametrize("attack", [*NAMES, *PAYLOADS[::25]])
def test_hostile_names(attack: str) -> None:
    """Whatever things are called, lines stay within the terminal, and nothing moves its cursor."""
    text = render_experiment_text(hostile(attack))
    assert max(map(columns_of, text.splitlines())) <= WIDTH and text.encode()
    assert not {"\x1b", "\r", "\x00", "\u202e"} & set(text)
