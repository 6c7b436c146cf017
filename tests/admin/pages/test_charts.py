"""The geometry of small charts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.pages.charts import BAR_WIDTH, SPARK_HEIGHT, SPARK_WIDTH, spark, weight_bar


def arm(name: str, weight_pct: float | None, role: str = "candidate", *, is_stopped: bool = False) -> dict[str, Any]:
    """Give an arm as a bar wants it."""
    return {"arm": name, "role": role, "weight_pct": weight_pct, "is_stopped": is_stopped}


@given(st.lists(st.floats(0, 100), max_size=40))
def test_pieces_stay_in_the_bar(weights: list[float]) -> None:
    """However many arms there are and whatever they add up to, nothing is drawn outside."""
    pieces = weight_bar([arm(str(index), weight) for index, weight in enumerate(weights)])
    assert all(0 <= piece.x <= BAR_WIDTH and piece.x + piece.width <= BAR_WIDTH + 1 for piece in pieces)


def test_tones_say_who_is_who() -> None:
    """Grey for the baseline, red for what is stopped, shades to tell candidates apart; who has nobody is not drawn."""
    arms = [arm("b", 20), arm("c", 20), arm("d", 10, is_stopped=True), arm("a", 50, "control"), arm("e", None)]
    told = [(piece.arm, piece.tone, piece.order) for piece in weight_bar(arms)]
    assert told == [("a", "baseline", 0), ("b", "candidate", 0), ("c", "candidate", 1), ("d", "bad", 0)]


def test_nothing_is_no_chart() -> None:
    """No requests, no bars: an empty picture would say zero."""
    assert spark([]) is None
    assert spark([{"unix_s": 1, "n_requests": 0, "n_errors": 0}]) is None


def test_one_failure_is_seen() -> None:
    """Beside ten thousand requests a single failure still has a bar."""
    points = [{"unix_s": index, "n_requests": 10_000, "n_errors": int(index == 3)} for index in range(60)]
    chart = spark(points)
    assert chart is not None and (chart.n_requests, chart.n_errors, len(chart.failed)) == (600_000, 1, 1)
    assert chart.failed[0][3] >= 1
    assert all(x + width <= SPARK_WIDTH and y + height <= SPARK_HEIGHT + 0.01 for x, y, width, height in chart.bars)


def test_few_stretches_stand_at_the_right() -> None:
    """A gateway that has just begun shows its first quarter minute where now is."""
    chart = spark([{"unix_s": 1, "n_requests": 9, "n_errors": 0}])
    assert chart is not None and chart.bars[0][0] == SPARK_WIDTH - 4
