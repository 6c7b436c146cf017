"""The verdict on an experiment: what is to be done, in which order of reasons."""

from __future__ import annotations

import pytest

from gateway.gates.experiment import (
    Effect,
    ExperimentState,
    ExperimentVerdict,
    Harm,
    Question,
    RatioCheck,
    Recommendation,
    Scale,
)
from gateway.gates.experiment_verdict import DAY_S, ArmEvidence, ExperimentRule, decide_experiment, told

WEEK_S = 7 * DAY_S
RULE = ExperimentRule(primary="thumbs")
FINE = RatioCheck(1.0, 1_000.0)


def effect(
    low: float, high: float, *, metric: str = "thumbs", arm: str = "new", question: Question = Question.PRIMARY
) -> Effect:
    """Give an effect on a baseline of 80 % (or of 1 %, of guardrails)."""
    harm, mean = (Harm.UP, 0.01) if question is Question.GUARDRAIL else (Harm.DOWN, 0.8)
    middle = (low + high) / 2
    return Effect(
        metric, question, Scale.SHARE, harm, arm, "old", 2_000, 2_000, mean + middle, mean, middle, low, high,
        lift=middle / mean, lift_low=low / mean, lift_high=high / mean, is_enough=True,
        is_better=low > 0 if harm is Harm.DOWN else high < 0, is_worse=high < 0 if harm is Harm.DOWN else low > 0,
        wants_units=None if low > 0 or high < 0 else 4_000,
    )  # fmt: skip


def decide(*effects: Effect, elapsed_s: float = WEEK_S, n_units: int = 2_000, **more: object) -> ExperimentVerdict:
    """Decide about one arm."""
    arm = ArmEvidence("new", n_units, effects, is_stopped=bool(more.get("is_stopped")))
    check = more.get("check", FINE)
    assert check is None or isinstance(check, RatioCheck)
    return decide_experiment([arm], RULE, elapsed_s=elapsed_s, ratio_check=check, units_per_day=500)


BROKEN = effect(0.02, 0.06, metric="errors", question=Question.GUARDRAIL)
BETTER, WORSE, UNSURE, SAME = effect(0.02, 0.06), effect(-0.06, -0.02), effect(-0.02, 0.06), effect(-0.01, 0.012)


@pytest.mark.parametrize(
    ("effects", "state", "recommendation"),
    [
        ((BETTER,), ExperimentState.BETTER, Recommendation.SHIP),
        ((WORSE,), ExperimentState.WORSE, Recommendation.STOP),
        ((UNSURE,), ExperimentState.RUNNING, Recommendation.KEEP_RUNNING),
        ((SAME,), ExperimentState.NO_DIFFERENCE, Recommendation.STOP),
        ((BETTER, BROKEN), ExperimentState.MIXED, Recommendation.REPAIR),
        ((UNSURE, BROKEN), ExperimentState.WORSE, Recommendation.STOP),
        ((SAME, BROKEN), ExperimentState.WORSE, Recommendation.STOP),
        ((BROKEN,), ExperimentState.WORSE, Recommendation.STOP),
        ((), ExperimentState.RUNNING, Recommendation.KEEP_RUNNING),
    ],
)
def test_what_is_to_be_done(
    effects: tuple[Effect, ...], state: ExperimentState, recommendation: Recommendation
) -> None:
    """After a week with users enough each state has one recommendation; harm in the tail is never shipped."""
    found = decide(*effects)
    assert (found.state, found.recommendation) == (state, recommendation)


@pytest.mark.parametrize(
    ("elapsed_s", "n_units", "is_over"),
    [(6 * DAY_S, 2_000, False), (WEEK_S, 999, False), (WEEK_S + 3_600, 1_000, True), (9 * DAY_S, 2_000, False)],
)
def test_not_before_its_time(elapsed_s: float, n_units: int, is_over: bool) -> None:
    """A better arm ships after whole weeks with a thousand users, not before."""
    found = decide(BETTER, elapsed_s=elapsed_s, n_units=n_units)
    assert (found.recommendation is Recommendation.SHIP) is is_over
    assert found.state is ExperimentState.BETTER


def test_harm_waits_for_nothing() -> None:
    """What is surely worse is to be stopped on its first day."""
    assert decide(WORSE, elapsed_s=3_600, n_units=200).recommendation is Recommendation.STOP


def test_no_result_without_the_planned_shares() -> None:
    """A sample ratio mismatch withholds the verdict, of every arm, however good it looks."""
    found = decide(BETTER, check=RatioCheck(5_000.0, 1_000.0))
    assert (found.state, found.recommendation) == (ExperimentState.INVALID, Recommendation.REPAIR)
    assert found.headline.startswith("No result") and "5.0" not in found.headline
    assert all(each.state is ExperimentState.INVALID for each in found.arms)


def test_says_how_long_still() -> None:
    """Keep running says for how many days, of users lately and of the time that is to pass."""
    assert decide(UNSURE).days_left == pytest.approx(8.0)
    assert decide(UNSURE, elapsed_s=DAY_S, n_units=50_000).days_left == pytest.approx(200.0)
    assert decide(BETTER, elapsed_s=4 * DAY_S).days_left == pytest.approx(3.0)
    assert "about 3 days more" in decide(BETTER, elapsed_s=4 * DAY_S).headline


def test_the_best_arm_decides() -> None:
    """With several arms the headline is the best one's: a better one before a harmful one."""
    arms = [
        ArmEvidence("bad", 2_000, (effect(-0.09, -0.02, arm="bad"),)),
        ArmEvidence("good", 2_000, (effect(0.01, 0.03, arm="good"),)),
        ArmEvidence("great", 2_000, (effect(0.02, 0.06, arm="great"),)),
    ]
    found = decide_experiment(arms, RULE, elapsed_s=WEEK_S, ratio_check=FINE, units_per_day=500)
    assert (found.state, "great" in found.headline) == (ExperimentState.BETTER, True)
    assert [each.recommendation.value for each in found.arms] == ["stop", "ship", "ship"]


def test_nobody_yet() -> None:
    """Without an arm or a user it keeps running, and says so."""
    found = decide_experiment([], RULE, elapsed_s=0, ratio_check=None, units_per_day=0)
    assert (found.state, found.headline) == (
        ExperimentState.RUNNING,
        "Nobody has been exposed yet: keep it running.",
    )


def test_stopped_stays_stopped() -> None:
    """An arm that a guardrail stopped is not recommended, whatever its primary."""
    assert decide(UNSURE, is_stopped=True).recommendation is Recommendation.STOP


def test_told() -> None:
    """Each effect gets its sentence."""
    (only,) = told([BETTER])
    assert only.sentence == (
        "Thumbs: 84 % against 80 %, +4.00 points (+2.00 points to +6.00 points). Surely better than old."
    )
