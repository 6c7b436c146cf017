"""A report as text."""

from __future__ import annotations

from gateway.report.rollout_summary import summarize
from gateway.report.rollout_text import render_text
from tests.report import story

SUMMARY = summarize(story.rollout(), story.entries(), now_unix_ms=story.NOW)


def test_first_line_is_for_a_product_owner() -> None:
    """The first line is the headline."""
    assert render_text(SUMMARY).splitlines()[0] == SUMMARY.headline


def test_everything_is_in_it() -> None:
    """Every decision, gate, signal, latch, number of users and note is told."""
    text = render_text(SUMMARY)
    wanted = [each.sentence for each in SUMMARY.decisions]
    wanted += [each.sentence for each in (*SUMMARY.gates, *SUMMARY.signals)]
    wanted += [each.id for each in SUMMARY.decisions]
    wanted += [*SUMMARY.latches, *SUMMARY.notes, "3,211 and 28,002", "e value 311.2", "why: <b>lunch</b>"]
    assert [part for part in wanted if part not in text] == []


def test_empty_parts_have_no_titles() -> None:
    """A rollout of this moment has no headings over nothing."""
    bare = story.rollout(gates=[], signals=[], latches=[], epochs=[])
    text = render_text(summarize(bare, [], now_unix_ms=story.NOW))
    assert not {"Gates", "Signals", "Latched", "Decisions", "Weights"} & set(text.splitlines())
