"""A report as one HTML file."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

import pytest

from gateway.report.rollout_html import render_html
from gateway.report.rollout_summary import RolloutSummary, summarize
from tests.report import story

VOID = {"meta"}
NASTY = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


class Balance(HTMLParser):
    """Notes every element, and what was closed that was not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.stray: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.stray.append(tag)


def parsed(summary: RolloutSummary) -> Balance:
    """Give the elements of the file."""
    balance = Balance()
    balance.feed(render_html(summary))
    return balance


@pytest.fixture
def summary() -> RolloutSummary:
    """Give the story's summary."""
    return summarize(story.rollout(), story.entries(), now_unix_ms=story.NOW)


def test_elements_are_balanced(summary: RolloutSummary) -> None:
    """What is opened is closed, in order."""
    balance = parsed(summary)
    assert (balance.stray, balance.open) == ([], [])


def test_same_words_as_text(summary: RolloutSummary) -> None:
    """Every sentence of the summary is in it, escaped."""
    text = render_html(summary)
    wanted = [summary.headline, *summary.notes, *summary.latches]
    wanted += [each.sentence for each in summary.decisions]
    wanted += [each.sentence for each in (*summary.gates, *summary.signals)]
    assert [part for part in wanted if escape(part) not in text] == []


def test_words_of_others_stay_words() -> None:
    """Whatever is in a reason, a name or a sentence becomes text: no element, no attribute, no script."""
    rollout = story.rollout(candidate=NASTY, sentence=NASTY, waits_for=NASTY, latches=[{"sentence": NASTY}])
    entries = [story.entry(1, 0.0, "paused", NASTY, why=NASTY, who=NASTY, rule=NASTY, evidence={NASTY: NASTY})]
    balance = parsed(summarize(rollout, entries, now_unix_ms=story.NOW))
    assert {"script", "img"} & {tag for tag, _ in balance.seen} == set()
    assert [attrs for _, attrs in balance.seen if any(name.startswith("on") for name in attrs)] == []
    assert (balance.stray, balance.open) == ([], [])


def test_asks_nobody_for_anything(summary: RolloutSummary) -> None:
    """Links lead within the file, and nothing is fetched."""
    balance = parsed(summary)
    links = [attrs["href"] for tag, attrs in balance.seen if tag == "a"]
    assert links == [f"#d{number}" for number in range(1, 6)]
    assert not any("src" in attrs for _, attrs in balance.seen)


def test_marks_lead_to_decisions(summary: RolloutSummary) -> None:
    """Every number on the timeline is that of a decision below."""
    text = render_html(summary)
    assert set(re.findall(r'href="#(d\d+)"', text)) == set(re.findall(r'<li id="(d\d+)"', text))


def test_timeline_stays_in_its_frame(summary: RolloutSummary) -> None:
    """Nothing is drawn outside the picture."""
    balance = parsed(summary)
    width, height = next(attrs["viewbox"] or "" for tag, attrs in balance.seen if tag == "svg").split()[2:]
    xs = [float(attrs[name] or 0) for _, attrs in balance.seen for name in ("x", "x1", "x2", "cx") if name in attrs]
    ys = [float(attrs[name] or 0) for _, attrs in balance.seen for name in ("y", "y1", "y2", "cy") if name in attrs]
    assert min(xs) >= 0 and max(xs) <= float(width) and min(ys) >= 0 and max(ys) <= float(height)


def test_journal_alone_draws() -> None:
    """A release that is gone still has its page."""
    text = render_html(summarize(None, story.entries(), now_unix_ms=story.NOW))
    assert "no longer in the file" in text and "<svg" in text and "<h2>Gates" not in text
