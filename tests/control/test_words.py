"""Sentences: what a product owner reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control import words
from gateway.control.machine import begin
from gateway.control.rollout import RolloutPhase
from gateway.domain.rollout import Stage, StageKind
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import plan_of, share, verdict_of

ROLLOUT = begin(plan_of(), unix_ms=1, epoch=3)[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (90, "1.5 minutes"), (3_600, "1 hour"), (30 * 86_400, "30 days")],
)
def test_spans(seconds: float, text: str) -> None:
    """A length of time is in its largest unit."""
    assert words.span(seconds) == text


def test_holdback_is_said() -> None:
    """100 % with a holdback is shown as 98 % and 2 % (product.md § 9)."""
    assert words.place_of(plan_of(), 2, 9_800) == "98 % + 2 % holdback"
    assert words.place_of(plan_of(), 2, 10_000) == "100 % of users"


def test_nobody_is_said() -> None:
    """Without buckets it says who gets the candidate all the same."""
    plan = plan_of(stages=(Stage(StageKind.INTERNAL, 0), Stage(StageKind.SHADOW, 0), share(10_000)))
    assert [words.place_of(plan, stage, 0) for stage in range(3)] == ["internal users", "copies of requests", "nobody"]


@pytest.mark.parametrize("phase", RolloutPhase)
def test_every_phase_has_words(phase: RolloutPhase) -> None:
    """A refusal says how it stands, why, and by whom."""
    text = words.standing_words(replace(ROLLOUT, phase=phase, reason="slow", by="ana"))
    assert "by ana: slow" in text and "version 1" in text


def test_promotion_names_its_grounds() -> None:
    """Whoever reads of a promotion reads what was passed, and what is next."""
    after = replace(ROLLOUT, stage=1, weight=5_000)
    text = words.promoted(ROLLOUT, after, [verdict_of(Verdict.PASS)])
    assert "from 10% to 50 % of users: it passed errors" in text and "then errors must pass" in text


def test_last_stage_names_the_holdback() -> None:
    """At the end it is said who stays behind, and for how long."""
    text = words.promoted(ROLLOUT, replace(ROLLOUT, stage=2, weight=9_800), None)
    assert "2 % stay on current for 30 days" in text


def test_missing_is_said() -> None:
    """What is not enough is said in the gates' own words, a silent gate's too."""
    assert words.insufficient([verdict_of(Verdict.INSUFFICIENT)]) == "errors: errors says insufficient."
    assert words.insufficient([]) == "a gate has not answered"
