"""What both renderers say: every number that can come, written as people read it."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest

from gateway.gates.experiment import ArmRow, Harm, RatioCheck, Scale, SegmentEffect
from gateway.report.experiment_phrases import (
    by_arm,
    cost_of,
    cost_row,
    detectable_sentences,
    difference_of,
    lift_of,
    look_number,
    look_unit,
    more_of,
    ratio_rows,
    ratio_sentence,
    reason_of,
    scaled,
    segment_word,
    sentence_of,
    span_of,
    tag_of,
    told_of,
)
from tests.fakes.experiments import EVEN, SKEWED, clear_win, effect, harm, nothing_yet, unbounded


@pytest.mark.parametrize(
    ("changes", "tag"),
    [
        ({}, ("good", "better")),
        ({"is_better": False, "is_worse": True}, ("bad", "worse")),
        ({"is_better": False}, ("", "undecided")),
        ({"is_enough": False}, ("", "too little")),
        ({"is_better": False, "harm": Harm.NEITHER}, ("", "more")),
        ({"is_better": False, "harm": Harm.NEITHER, "low": -0.2, "high": -0.1}, ("", "less")),
        ({"is_better": False, "harm": Harm.NEITHER, "low": -0.2}, ("", "undecided")),
    ],
)
def test_tags(changes: dict[str, object], tag: tuple[str, str]) -> None:
    """Green is better, red is worse; more of something that is neither has no colour."""
    assert tag_of(effect(0.05, 0.02, **changes)) == tag


def test_lift_or_difference() -> None:
    """The lift with its interval, and the difference where the baseline's mean is 0."""
    assert lift_of(effect(0.05, 0.027)) == "+6.7 % (+3.1 % to +10.3 %)"
    assert lift_of(effect(0.05, 0.027, lift=None)) == difference_of(effect(0.05, 0.027))
    assert difference_of(effect(0.05, 0.027)) == "+5.00 points (+2.30 points to +7.70 points)"


@pytest.mark.parametrize("end", [inf, nan])
def test_no_bound_is_said(end: float) -> None:
    """An interval without an end says so, and nobody reads `inf` or `nan`."""
    open_ended = effect(0.1, 0.1, low=-end, high=end, lift_low=None, lift_high=end, mean=end)
    told = f"{lift_of(open_ended)} {difference_of(open_ended)} {told_of(open_ended)} {look_number(open_ended, end)}"
    assert "inf" not in told and "nan" not in told and told.count("no bound") >= 6


def test_sentence_is_made_where_there_is_none() -> None:
    """An effect without a sentence is told all the same, with its lift; one without a lift without."""
    assert sentence_of(effect(0.05, 0.027)).startswith("thumbs: 80 % against 75 %, +5.00 points")
    assert told_of(effect(0.05, 0.027, sentence="Good.")) == "Good. Lift +6.7 % (+3.1 % to +10.3 %)."
    assert told_of(effect(0.05, 0.027, sentence="Good.", lift=None)) == "Good."


def test_more_of_the_primary() -> None:
    """How many said something, and how many are wanted."""
    said = more_of(effect(0.05, 0.027, wants_units=9_120), "user")
    assert "4,991 users of concise" in said[0] and "9,120 users more" in said[1]


def test_costs() -> None:
    """A sum of known prices, said to be one where some are unknown; nothing is divided by nobody."""
    known, unknown = ArmRow("a", True, 0.5, 10, 100, 2.5), ArmRow("b", False, 0.5, 0, 0, None)
    assert (cost_of([known]), cost_of([known, unknown])) == ("$2.50", "at least $2.50")
    assert cost_of([unknown]).startswith("unknown") and cost_row(known) == ("$2.50", "$0.025", "$0.25")
    assert cost_row(unknown) == ("unknown",) * 3 and cost_row(replace(unknown, usd=1.0))[1:] == ("unknown",) * 2


def test_shares_of_units() -> None:
    """Each epoch's arms with what was seen and planned; an epoch nobody came in has no shares."""
    assert ratio_rows(SKEWED)[0] == ("1", "current", "5,312", "53.1 %", "50 %")
    assert ratio_rows(RatioCheck(0.0, 1.0, ((2, (("a", 0, 1.0),)),))) == [("2", "a", "0", "none", "100 %")]
    assert "did not come" in ratio_sentence(SKEWED) and "Units came" in ratio_sentence(EVEN)
    assert "over 1,000,000,000 to 1" in ratio_sentence(RatioCheck(1e200, 1_000.0))


def test_last_epochs() -> None:
    """Of a bandit's hundreds of epochs the last are shown, and it says so."""
    check = RatioCheck(0.1, 1_000.0, tuple((epoch, (("a", 5, 0.5), ("b", 5, 0.5))) for epoch in range(240)))
    assert len(ratio_rows(check)) == 20 and ratio_rows(check)[-1][0] == "239" and "10 of 240" in ratio_sentence(check)


def test_segments_are_not_oversold() -> None:
    """Only what is proven after the correction is called better or worse, the right way round."""
    found = effect(0.05, 0.02)
    assert segment_word(SegmentEffect("a=b", found)) == ("", "undecided")
    assert segment_word(SegmentEffect("a=b", found, is_proven=True)) == ("good", "better")
    costly = harm("cost", 0.02, 0.01, 0.001)
    assert segment_word(SegmentEffect("a=b", costly, is_proven=True)) == ("bad", "worse")
    neither = effect(0.05, 0.02, harm=Harm.NEITHER, is_better=False)
    assert segment_word(SegmentEffect("a=b", neither, is_proven=True)) == ("", "more")


def test_reasons() -> None:
    """Known reasons have words, unknown ones keep theirs."""
    assert reason_of("no_user") == "no user is known" and reason_of("some_day") == "some day"


def test_times_and_power() -> None:
    """How long it has been running, and what could be found by now."""
    assert span_of(clear_win()).startswith("14 d 4 h since 2026") and span_of(nothing_yet()) == "nobody exposed yet"
    assert "4.1 %" in detectable_sentences(clear_win())[0] and "no lift" in detectable_sentences(unbounded())[0]


def test_days_have_one_unit() -> None:
    """A table of days has its unit in its head and bare numbers below."""
    assert (look_number(effect(0.05, 0.02), -0.031), look_unit(effect(0.05, 0.02))) == ("−3.10", "points")
    assert (look_number(None, 812.4), look_unit(None)) == ("+812", "") and scaled(Scale.SHARE, inf) == "unknown"


def test_arms_keep_their_order() -> None:
    """Effects that come mixed are told arm by arm."""
    mixed = [effect(0.1, 0.2, arm=arm) for arm in ("b", "a", "b")]
    assert [(arm, len(those)) for arm, those in by_arm(mixed)] == [("b", 2), ("a", 1)]
