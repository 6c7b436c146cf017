"""A plan as text: the answer first, and nothing wider than 80 columns."""

from __future__ import annotations

import pytest

from gateway.report.experiment_plan import Aim, Crowd, Kind, plan_experiment
from gateway.report.experiment_plan_text import (
    cell_days,
    change_words,
    days_words,
    paragraph,
    render_experiment_plan,
    sentence_of,
)

RATE = Aim(Kind.RATE, 0.8, 0.04)
CROWDS = [
    Crowd(),
    Crowd(1_000.0),
    Crowd(40.0, 90.0, rated=0.05, share=0.05),
    Crowd(3.0, 3.0),
    Crowd(123_456_789.0, arms=6),
]


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("aim", [RATE, Aim(Kind.RATIO, 1.0, -0.001, sd=3.0), Aim(Kind.MEAN, -4.0, 0.2, sd=1.0)])
def test_fits(aim: Aim, crowd: Crowd) -> None:
    """Whoever comes and whatever is measured, no line is wider than 80 columns, nothing ends in nan or inf."""
    plan = plan_experiment(aim, crowd, days=None if crowd.users_per_day is None else 14)
    text = render_experiment_plan(plan)
    assert max(map(len, text.splitlines())) <= 80
    assert "nan" not in text.split() and "inf" not in text.split()


@pytest.mark.parametrize(
    ("crowd", "opening"),
    [
        (Crowd(), "Finding a lift of 5 % (80 % to 84 %) takes"),
        (Crowd(1_000.0), "Yes: a lift of 5 % (80 % to 84 %) can be found within 6 days"),
        (Crowd(30.0), "No: a lift of 5 % (80 % to 84 %) cannot be measured here: it would take"),
        (Crowd(30.0, 30.0), "No: a lift of 5 % (80 % to 84 %) cannot be measured here: it would never end"),
    ],
)
def test_first_sentence(crowd: Crowd, opening: str) -> None:
    """It is the answer, with what it is an answer to."""
    plan = plan_experiment(RATE, crowd)
    assert sentence_of(plan).startswith(opening)
    assert ("What to do instead:" in render_experiment_plan(plan)) is opening.startswith("No")


def test_says_the_convention() -> None:
    """How it was reckoned is said, and what daily looks do to a size for one."""
    text = " ".join(render_experiment_plan(plan_experiment(RATE, Crowd(210.0))).split())
    assert "normal approximation, with the variance pooled" in text
    assert "1,447 per arm suit one look" in text and "excludes zero with a chance of 0.41" in text


def test_what_is_found() -> None:
    """Without an effect the sentence names the smallest one found, or that there is none."""
    aim = Aim(Kind.RATE, 0.8, None)
    assert "a lift of 3.07 % (80 % to 82.5 %) or more" in sentence_of(plan_experiment(aim, Crowd(1_000.0), days=14))
    assert sentence_of(plan_experiment(aim, Crowd(2.0), days=14)).startswith("No: in 14 days nothing")


def test_words() -> None:
    """Drops are drops, whatever the baseline's sign; times have a unit."""
    assert change_words(RATE, -0.04) == "a drop of 5 % (80 % to 76 %)"
    assert change_words(Aim(Kind.MEAN, -4.0, None, sd=1), 1.0).startswith("a lift of 25 %")
    assert (days_words(90.2), days_words(1e9), cell_days(1e9)) == ("91 days", "more than a century", "never")


def test_percent_stays_with_its_number() -> None:
    """No line begins with a percent sign."""
    assert not any(line.startswith("%") for line in paragraph("a lift of 5 % " * 40))
