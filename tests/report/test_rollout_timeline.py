"""Weights over time as positions."""

from __future__ import annotations

from gateway.report.rollout_timeline import lay_out
from tests.report import story


def test_steps_touch() -> None:
    """Stretches cover the time from the first to now without a gap, highest at the highest weight."""
    steps = lay_out(story.rollout(), [], now_unix_ms=story.NOW).steps
    assert [step.x_from for step in steps] == [0.0, 0.5, 0.875]
    assert [step.x_to for step in steps] == [0.5, 0.875, 1.0]
    assert [step.weight_pct for step in steps] == [10.0, 50.0, 0.0]
    assert steps[0].y < steps[1].y < 1.0 and steps[2].y == 0.0


def test_users_of_a_stretch() -> None:
    """Where users are known they are told; where not, nothing is."""
    known = lay_out(story.rollout(), [], now_unix_ms=story.NOW).steps[0].users
    epochs = [story.epoch(0, 0.0, 10.0, 1, 1) | {"users": None}]
    unknown = lay_out(story.rollout(epochs=epochs), [], now_unix_ms=story.NOW).steps[0].users
    assert (known, unknown) == ("3,211 and 28,002", "")


def test_marks_do_not_cover_each_other() -> None:
    """Decisions that fall together stand in different rows."""
    marks = lay_out(story.rollout(), story.entries()[::-1], now_unix_ms=story.NOW).marks
    assert [(mark.number, mark.row) for mark in marks] == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 0)]
    assert [mark.is_bad for mark in marks] == [False, False, False, False, True]


def test_many_marks_still_fit() -> None:
    """However many decisions fall together, rows stay few and positions stay within."""
    crowd = [story.entry(number, 1.0, "alerted", "x") for number in range(50)]
    timeline = lay_out(story.rollout(), crowd, now_unix_ms=story.NOW)
    assert timeline.rows == 3 and all(0 <= mark.x <= 1 for mark in timeline.marks)


def test_journal_alone_will_do() -> None:
    """Without epochs the weights come from the decisions."""
    steps = lay_out(None, story.entries()[::-1], now_unix_ms=story.NOW).steps
    assert [step.weight_pct for step in steps] == [10.0, 50.0, 0.0]


def test_nothing_is_drawable() -> None:
    """A rollout of this very moment, or clocks that went back, give positions all the same."""
    timeline = lay_out(None, [], now_unix_ms=5)
    assert (timeline.steps, timeline.marks, timeline.rows) == ((), (), 1)
    early = lay_out(story.rollout(), story.entries()[::-1], now_unix_ms=story.BEGAN - 1)
    assert all(0 <= step.x_from <= step.x_to <= 1 for step in early.steps)
