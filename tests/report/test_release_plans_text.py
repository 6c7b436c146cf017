"""Plans of factorials, bandits and ladders as text."""

from __future__ import annotations

import pytest

from gateway.report.experiment_plan import Aim, Crowd, Kind, Method
from gateway.report.release_plans import article_rows, plan_bandit, plan_factorial, plan_ladder
from gateway.report.release_plans_text import render_article, render_bandit, render_factorial, render_ladder

AIM = Aim(Kind.RATE, 0.8, 0.04)


def texts(crowd: Crowd) -> list[str]:
    """Give one of each."""
    return [
        render_factorial(plan_factorial(AIM, crowd, [5, 3, 2]), AIM),
        render_bandit(plan_bandit(AIM, crowd, 5), AIM),
        render_ladder(plan_ladder(AIM, crowd, 3, method=Method.ANYTIME, sides=2), AIM),
        render_article(article_rows(), crowd),
    ]


@pytest.mark.parametrize("crowd", [Crowd(), Crowd(1_000.0), Crowd(5.0, 8.0, rated=0.1), Crowd(10.0, 10.0)])
def test_fits(crowd: Crowd) -> None:
    """No line is wider than 80 columns, and none says nan or inf."""
    for text in texts(crowd):
        assert max(map(len, text.splitlines())) <= 80
        assert not {"nan", "inf"} & set(text.split())


def test_no_is_said_first() -> None:
    """At ten users a day none of the three can be."""
    assert [text.startswith("No: ") for text in texts(Crowd(10.0))[:3]] == [True] * 3


def test_too_many_cells() -> None:
    """Cells without users are refused for that, whatever the traffic."""
    said = render_factorial(plan_factorial(AIM, Crowd(), [2] * 10), AIM)
    assert "= 1024 cells cannot be fed here: too few users per cell." in " ".join(said.split())


def test_article_names_the_odd_rows() -> None:
    """The two rows from 90 % are marked, and what their numbers are near to is said."""
    said = render_article(article_rows(), Crowd())
    assert said.count("(!)") == 3 and "90 % → 92.7 % and 90 % → 91.8 % are not" in said
