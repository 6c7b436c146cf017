"""Numbers are written as people read them."""

from __future__ import annotations

import pytest

from gateway.gates.bound import Answer, Question
from gateway.gates.evidence import EpochUnits, Evidence
from gateway.gates.sentence import at_least_worse, at_most_worse, counted, means, percent, sure, waiting, wanting
from gateway.gates.verdict import Verdict
from gateway.stats.interval import Interval
from tests.fakes.compared import rates, values

MORE, LESS = Question(0.95), Question(2.0, is_more_better=False)


def known(method: str, low: float, high: float) -> Answer:
    """Give an answer with these bounds."""
    return Answer(Verdict.PASS, method, Interval(low, high))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8123, "81.2 %"), (0.05, "5 %"), (0.0042, "0.42 %"), (0.0, "0 %"), (1.0, "100 %"), (-0.021, "-2.1 %")],
)
def test_percent(share: float, text: str) -> None:
    """Percents have as many digits as say something."""
    assert percent(share) == text


def test_counted() -> None:
    """One is singular, thousands have their comma."""
    assert [counted(n, "user") for n in (0, 1, 2, 1_240)] == ["0 users", "1 user", "2 users", "1,240 users"]


def test_means() -> None:
    """Shares are percents, other values are numbers."""
    assert means(rates(0.81, 100, 0.8, 100), is_share=True) == "81 % against 80 %"
    assert means(values((3.21, 1, 9), (3.5, 1, 9), metric="edits"), is_share=False) == "3.21 against 3.5"


@pytest.mark.parametrize(
    ("question", "answer", "most", "least"),
    [
        (MORE, known("log", -0.0202, 0.05), "at worst 2 % below it", "at best 5.1 % above it"),
        (MORE, known("rates", 0.9, 0.97), "at worst 10 % below it", "at best 3 % below it"),
        (LESS, known("rates", 2.3, 4.0), "at worst 4.0 times it", "at best 2.3 times it"),
        (LESS, known("effect", -0.5, 0.25), "at worst 0.25 above it", "at best 0.5 below it"),
        (MORE, known("", 0, 0), "", ""),
    ],
)
def test_bounds(question: Question, answer: Answer, most: str, least: str) -> None:
    """A pass stands on how bad it may be at worst, a fail on how bad it is at best."""
    assert at_most_worse(question, answer) == most
    assert at_least_worse(question, answer) == least


def test_sure() -> None:
    """One-sided alpha is said as certainty."""
    assert (sure(0.05), sure(0.004)) == ("95 % sure", "99.6 % sure")


@pytest.mark.parametrize(
    ("missing", "came", "stage_s", "text"),
    [
        (300, 100, 86_400, " (about 3 days at this traffic)"),
        (50, 100, 86_400, " (about 12 hours at this traffic)"),
        (1, 100, 86_400, " (within the hour at this traffic)"),
        (300, 100, 0, ""),
        (300, 0, 86_400, ""),
    ],
)
def test_waiting(missing: float, came: float, stage_s: float, text: str) -> None:
    """How long it takes is said in hours or days, and not at all where nobody can know."""
    assert waiting(missing, came, stage_s) == text


def test_wanting() -> None:
    """What is missing has its number and its days; only those who say something count towards the pace."""
    evidence = Evidence(0, stage_units=200, stage_s=86_400, epochs=(EpochUnits(1, 500, 9_500, 200, 3_800),))
    assert wanting(651, 10, Evidence(0)) == "651 users wanted, 10 seen"
    assert wanting(651, 50, evidence) == "651 users wanted, 50 seen (about 13 days at this traffic)"
    assert wanting(651, 700, evidence) == "700 users seen, and still too close to call"
    assert wanting(None, 7, evidence) == "7 users seen"
