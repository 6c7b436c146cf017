"""Ladders speak so that a product owner knows who stays, why, and what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.adaptive import OnTie
from gateway.gates import ladder_words as words
from gateway.gates.ladder import LadderRule, RoundEvidence, decide_ladder, first_state

DAY_S = 86_400.0
STATE = first_state("current", ["terse", "bold"])


def said(rule: LadderRule | None = None, **known: Any) -> str:
    """Give what is said of a week with one point more, changed as given."""
    week = {"n_champion": 7_000, "n_challenger": 6_900, "elapsed_s": 7 * DAY_S, "n_values": 13_900, "is_enough": True}
    given = {**week, "effect": 0.01, "se": 0.0068, "champion_mean": 0.8, "challenger_mean": 0.81, **known}
    return decide_ladder(STATE, RoundEvidence(**given), rule or LadderRule(), unix_ms=0).sentence


def test_won() -> None:
    """Who takes over, from whom, with both means and the interval, and who is next."""
    assert said(effect=0.05, challenger_mean=0.85) == (
        "Round 1: terse is better and takes over from current: 85 % with terse, 80 % with current (+5.0 points, surely"
        " +2.8 to +7.2). Next, round 2: bold against terse."
    )


def test_running() -> None:
    """How it stands, and what it waits for: time first, then users, else its end."""
    assert "surely -1.2 to +3.2). Undecided so far: a tie in 21 days unless it is decided before." in said()
    early = said(elapsed_s=2 * DAY_S, n_challenger=120)
    assert early.endswith("Undecided so far: no verdict before 5 days more; 1,000 users of each wanted, 120 seen.")


def test_first_minutes() -> None:
    """Before anything is known no number is made up."""
    told = decide_ladder(STATE, RoundEvidence(), LadderRule(), unix_ms=0).sentence
    assert told.startswith("Round 1: terse against current, champion. Undecided so far: no verdict before 7 days more")


@pytest.mark.parametrize(
    ("on_tie", "is_cheaper", "ends"),
    [
        (OnTie.CHAMPION, None, "current stays champion, as configured for a tie. Next, round 2: bold against current."),
        (OnTie.CHEAPER, None, "terse has not been shown to cost less. Next, round 2: bold against current."),
        (OnTie.CHEAPER, True, "it has not been shown to be better. Next, round 2: bold against terse."),
        (OnTie.HOLD, None, "until you choose who goes on, or until it is decided after all."),
    ],
)
def test_tied(on_tie: OnTie, is_cheaper: bool | None, ends: str) -> None:
    """A tie says that nothing was decided in its time, and who goes on for what reason."""
    told = said(LadderRule(on_tie=on_tie), elapsed_s=28 * DAY_S, is_cheaper=is_cheaper)
    assert "a tie, nothing was decided in 28 days: 81 % with terse" in told
    assert told.endswith(ends)


def test_close() -> None:
    """A tie before its time says within which margin."""
    told = said(LadderRule(margin=0.05))
    assert "a tie, terse and current are within 5 % of each other" in told


def test_withheld() -> None:
    """Where users did not come as planned no number is told."""
    told = said(is_withheld=True)
    assert "half and half as planned" in told and "81" not in told


def test_scores() -> None:
    """Means that are no shares are written as numbers, their differences not in points."""
    told = said(is_share=False, champion_mean=3.2, challenger_mean=3.31, effect=0.11, se=0.01)
    assert "3.31 with terse, 3.2 with current (+0.11, surely +0.0778 to +0.142)" in told


def test_last() -> None:
    """After the last round the ladder is said to be complete."""
    assert words.complete("terse", 1) == (
        "The ladder is complete: terse is champion after 1 round and gets everything."
    )
