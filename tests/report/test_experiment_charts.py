"""The charts: better to the right, nothing outside the frame, and numbers for those who see no picture."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf

import pytest

from gateway.gates.experiment import DayLook, Effect, Harm
from gateway.report.experiment_charts import ForestRow, forest, lift_row, looks_chart, weights_chart
from gateway.report.experiment_summary import WeightsAt
from tests.fakes.experiments import effect, harm, looks


def row(one: Effect) -> ForestRow:
    """Give an effect's row."""
    return lift_row(one, "thumbs", "+1 %", "good")


def middle(svg: str) -> float:
    """Give where the first point is, in percent."""
    found = re.search(r'<circle cx="([\d.]+)%"', svg)
    assert found is not None
    return float(found.group(1))


def zero(svg: str) -> float:
    """Give where the line of no effect is, in percent."""
    found = re.search(r'<line x1="([\d.]+)%"[^>]*class="zero"', svg)
    assert found is not None
    return float(found.group(1))


@pytest.mark.parametrize(
    ("one", "is_right"),
    [
        (effect(0.05, 0.02), True),
        (effect(-0.05, 0.02), False),
        (harm("cost", 0.02, 0.01, 0.001), False),
        (harm("cost", 0.01, 0.02, 0.001), True),
        (effect(0.05, 0.02, harm=Harm.NEITHER), True),
    ],
)
def test_better_is_to_the_right(one: Effect, is_right: bool) -> None:
    """Whichever way a number gets worse; what is neither keeps its direction."""
    svg = forest([row(one)])
    assert (middle(svg) > zero(svg)) is is_right


def test_stays_in_its_frame() -> None:
    """An effect without measure is cut at the edge, with a sign; the others stay readable."""
    rows = [row(effect(0.05, 0.02)), row(effect(0.04, 0.02)), row(effect(50.0, 60.0))]
    svg = forest(rows)
    places = [float(each) for each in re.findall(r'(?:cx|x1|x2)="([\d.]+)%"', svg)]
    assert all(0 <= each <= 100 for each in places) and "›" in svg and middle(svg) - zero(svg) > 5


def test_no_lift_is_not_drawn() -> None:
    """A row without a lift keeps its words, and one alone has no line below it."""
    html = forest([row(effect(0.05, 0.02, lift=None))])
    assert "+1&nbsp;%" in html and "<svg" not in html and forest([]) == ""
    assert "<svg" not in forest([row(effect(0.05, 0.02, lift_high=inf))])


def test_numbers_beside_the_picture() -> None:
    """Who sees no picture is told what is in it, in rows and in days."""
    assert 'role="img" aria-label="thumbs: +1 %"' in forest([row(effect(0.05, 0.02))])
    svg = looks_chart(looks(0.05, 0.02, 7), effect(0.05, 0.02), "points")
    assert 'aria-label="7 days; on 2026-11-07 +5.00 (+3.00 to +7.00) points"' in svg
    assert svg.count("<title>") == 7


def test_days_narrow_in_the_frame() -> None:
    """Intervals of every day are in the frame, the last the narrowest, the first cut where it is out of measure."""
    svg = looks_chart(looks(0.05, 0.02, 7), effect(0.05, 0.02), "points")
    ends = [(float(b), float(t)) for t, b in re.findall(r'y1="([\d.]+)" y2="([\d.]+)" class="whisker', svg)]
    tall = [low - high for low, high in ends]
    assert tall[0] == max(tall) > 4 * tall[1] and tall[-1] == min(tall) and all(8 <= t < b <= 208 for b, t in ends)


def test_one_day_or_none() -> None:
    """One day is a whisker without a funnel; a day without bounds is none."""
    one = looks_chart(looks(0.05, 0.02, 1), None, "")
    assert "<polygon" not in one and one.count("<circle") == 1
    assert looks_chart((DayLook("a", "2026-11-01", 3, 0.1, -inf, inf),), None, "") == looks_chart((), None, "") == ""


def test_colours_of_days() -> None:
    """A day that is clear of no effect is green where more is better, red where it is worse, and else has no colour."""
    better, last = effect(0.05, 0.02), looks(0.05, 0.02, 1)
    clear = [replace(last[0], low=0.03)]
    assert 'class="point good"' in looks_chart(clear, better, "")
    assert 'class="point bad"' in looks_chart(clear, replace(better, harm=Harm.UP), "")
    assert 'class="point "' in looks_chart(clear, replace(better, harm=Harm.NEITHER), "")


def test_hostile_days_and_labels() -> None:
    """Names are words in titles, labels and alternatives."""
    attack = '"><script>alert(1)</script>'
    weights = [WeightsAt("a", (("x", 0.1),)), WeightsAt("b", (("x", 0.9),))]
    html = forest([ForestRow(attack, attack, (-1, 0, 1), "bad")])
    html += looks_chart((DayLook("a", attack, 3, 0.1, 0.0, 0.2),) * 2, None, attack) + weights_chart(
        "x", weights, attack
    )
    assert "<script" not in html and html.count("&quot;&gt;&lt;script&gt;") >= 5


def test_weights_over_time() -> None:
    """A line from the first share to the last; an arm that was not there had none; one point is no line."""
    weights = [WeightsAt("a", (("x", 1.0),)), WeightsAt("b", (("x", 0.25), ("y", 0.75)))]
    assert "0.00,0.00 100.00,30.00" in weights_chart("x", weights, "x")
    assert "0.00,40.00 100.00,10.00" in weights_chart("y", weights, "y") and weights_chart("x", weights[:1], "x") == ""
