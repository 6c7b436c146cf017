"""What the verdict on a shadow says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gates.shadow_findings import Measured, PairFindings
from gateway.gates.shadow_verdict import Finding, Harm, ShadowRule, ShadowState
from gateway.gates.shadow_words import headline, sentence, warnings_of

COST = Finding(
    "cost", "ratio", 0.01, 0.019, 1.9, 1.8, 2.0, 1.0, 1.5, Harm.UP, 0.001, is_worse=True, is_decisive=True, n_pairs=900
)
SAFETY = Finding("safety", "difference", 0.02, 0.06, 0.04, 0.03, 0.05, 0.0, 0.005, Harm.UP, 0.001, is_decisive=True)
QUALITY = Finding(
    "quality", "share", 0.62, 0.38, 0.38, 0.33, 0.43, 0.5, 0.05, Harm.DOWN, 0.001, is_decisive=True, n_pairs=400
)
ALIKE = Finding("similarity", "difference", 0.9, 0.6, -0.3, -0.4, -0.2, 0.0, 0.05, Harm.NEITHER, 0.001)
SEEN = PairFindings(Measured(1_240, 310), None, {})


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (COST, "The cost is 1.90 (1.80 to 2.00) times the primary's. Worse, by more than matters."),
        (
            SAFETY,
            "Answers are blocked or flagged 6 % of the time, 2 % with the primary: +4.00 (+3.00 to +5.00) points. "
            "No difference that matters.",
        ),
        (
            replace(SAFETY, is_enough=False, wants_pairs=1_200),
            "Answers are blocked or flagged 6 % of the time, 2 % with the primary: +4.00 (+3.00 to +5.00) points. "
            "Too few to exclude harm: about 1,200 more pairs.",
        ),
        (
            replace(QUALITY, is_worse=True),
            "The judge preferred the shadow in 38 % of 400 decisive pairs (33 % to 43 %). Worse, by more than matters.",
        ),
        (
            replace(QUALITY, is_decisive=False),
            "The judge preferred the shadow in 38 % of 400 decisive pairs (33 % to 43 %). "
            "Not believed: the judge is biased.",
        ),
        (
            ALIKE,
            "Similarity to the primary's answer (share of common words): 60 %; the primary's variant against itself "
            "90 %. It differs more than the primary does from itself.",
        ),
        (
            replace(ALIKE, p=0.3),
            "Similarity to the primary's answer (share of common words): 60 %; the primary's variant against itself "
            "90 %. It differs no more than the primary does from itself.",
        ),
    ],
)
def test_sentences(finding: Finding, said: str) -> None:
    """A finding says what, how sure and what it means."""
    assert sentence(finding) == said


@pytest.mark.parametrize("name", ["judge_noise", "judge_position"])
def test_of_judge(name: str) -> None:
    """What is known of the judge says what it should be."""
    assert "it should be half" in sentence(replace(QUALITY, name=name))


@pytest.mark.parametrize(
    ("state", "findings", "said"),
    [
        (
            ShadowState.WORSE,
            (replace(SAFETY, is_worse=True), COST),
            "The shadow is worse: it has more answers blocked or flagged (6 % against 2 %) and costs 1.9 times as much "
            "(95 % sure, from 1,240 pairs of 310 users). Mend that before any user sees it.",
        ),
        (
            ShadowState.MIXED,
            (replace(COST, effect=0.5, is_worse=False, is_better=True), replace(QUALITY, is_worse=True)),
            "The shadow costs 50 % less, but it loses 62 % of what the judge decided (95 % sure, from 1,240 pairs of "
            "310 users). Decide which matters more, or mend what is worse.",
        ),
        (
            ShadowState.NO_DIFFERENCE,
            (QUALITY,),
            "No difference that matters, in anything measured (95 % sure, from 1,240 pairs of 310 users). "
            "It is safe to begin a rollout.",
        ),
        (
            ShadowState.INSUFFICIENT,
            (replace(SAFETY, is_enough=False, wants_pairs=3_000),),
            "Not enough was seen to exclude harm in safety (1,240 pairs of 310 users). "
            "About 3,000 more pairs are wanted.",
        ),
    ],
)
def test_headlines(state: ShadowState, findings: tuple[Finding, ...], said: str) -> None:
    """The headline says what, how sure, and what next."""
    wants = max((one.wants_pairs or 0 for one in findings), default=0) or None
    assert headline(state, findings, SEEN, ShadowRule(), wants) == said


def test_better_without_a_judge() -> None:
    """Where nobody judged, a good verdict says so."""
    cheap = replace(COST, effect=0.5, is_worse=False, is_better=True)
    said = headline(ShadowState.BETTER, (cheap,), SEEN, ShadowRule(), None)
    assert "costs 50 % less" in said
    assert "Nobody judged" in said


def test_slow_at_both() -> None:
    """Who is slow is slow at the slow end: it is said once."""
    slow = tuple(replace(COST, name=name) for name in ("ttft", "ttft_p95"))
    assert "slow end" not in headline(ShadowState.WORSE, slow, SEEN, ShadowRule(), None)
    assert "slow end" in headline(ShadowState.WORSE, slow[1:], SEEN, ShadowRule(), None)


def test_warnings() -> None:
    """Without noise pairs and judge both are missed; a judge's leaning is told in numbers."""
    assert len(warnings_of((), SEEN, ShadowRule())) == 2
    leaning = replace(QUALITY, name="judge_position", effect=0.7)
    assert "first: 70 %" in warnings_of((leaning,), SEEN, ShadowRule())[0]
