"""What experiments say of themselves, day by day, through the code that reports on real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import SplitPlan
from gateway.simulator.world.answers import best_of, counted_measures, truths_of
from gateway.simulator.world.scenario import Opinion, Population, Scenario, Treatment
from gateway.simulator.world.summary import summarize
from gateway.simulator.world.text import plain_of, render_text
from gateway.simulator.world.trial import Trial, run_trial

THUMBS = Metric("thumbs", MetricKind.BINARY, role="satisfaction", attribution_s=3_600.0)
ARMS = (("x", 3_334), ("y", 3_333), ("z", 3_333))
SPLIT = SplitPlan(
    "s",
    "r",
    "x",
    (("x", 5_000), ("y", 5_000)),
    (("x", "0"), ("y", "1")),
    (),
    primary_metric="thumbs",
    min_duration_s=2 * 86_400.0,
    min_users=200,
    metrics={"thumbs": THUMBS},
)
THREE = replace(SPLIT, weights=ARMS, contents=(("x", "0"), ("y", "1"), ("z", "2")))
BANDIT = replace(THREE, bandit=BanditPlan("thumbs", min_exploration_s=86_400.0))
LADDER = replace(
    THREE, weights=(("x", 5_000), ("y", 5_000), ("z", 0)), ladder=LadderPlan("x", ("y", "z"), max_round_s=3 * 86_400.0)
)


def opinion(good: float) -> Treatment:
    """Give an arm that people like so much, and say so."""
    return Treatment(errors=0.0, unsafe=0.0, opinions={"thumbs": Opinion(good, said=0.9, after_s=60.0)})


SCENARIO = Scenario(
    "liked",
    lasts_s=5 * 86_400.0,
    settles_s=0.0,
    population=Population(rate_per_s=0.02, n_users=4_000, returns=0.5, raters=1.0, swing=0.0),
    baseline=opinion(0.6),
    candidate=opinion(0.6),
    arms={"y": opinion(0.9)},
)


def run(plan: SplitPlan, scenario: Scenario = SCENARIO) -> Trial:
    """Run a plan once."""
    return run_trial(plan, scenario, seed=1)


def test_split_says_so_and_no_sooner() -> None:
    """A far better arm is shipped once its time is over, and the run ends; before, it keeps running."""
    trial = run(SPLIT)
    assert [answer.what for answer in trial.answers] == ["keep_running", "ship"]
    assert trial.answer is not None and trial.answer.arm == "y"
    assert trial.decided_s == 2 * 86_400.0


def test_alike_arms_are_not_told_apart() -> None:
    """Nobody ships what is no better."""
    alike = replace(SCENARIO, arms={})
    summary = summarize(SPLIT, alike, [run_trial(SPLIT, alike, seed=seed) for seed in (1, 2)])
    assert (summary.values["shipped"], summary.values["shipped_wrong"]) == (0.0, 0.0)


def test_bandit_moves_to_the_best() -> None:
    """After a day of equal shares most users get it, and the text says so."""
    trial = run(BANDIT)
    assert trial.answers[0].what == "exploring"
    assert trial.answer is not None and (trial.answer.what, trial.answer.arm) == ("exploiting", "y")
    assert dict(trial.answer.weights)["y"] > 8_500
    summary = summarize(BANDIT, SCENARIO, [trial])
    assert (summary.values["best_share"] or 0.0) > 0.85
    told = render_text(BANDIT, SCENARIO, summary)
    assert told.startswith("In liked, 100 % of the run of s have y ahead") and "users in the end" in told
    assert plain_of(summary)["trials"][0]["answers"][0]["says"] == "exploring"


def test_ladder_climbs() -> None:
    """The better challenger is champion, and the next one's round begins."""
    trial = run(LADDER, replace(SCENARIO, lasts_s=4 * 86_400.0))
    assert trial.answer is not None and trial.answer.arm == "y"
    assert dict(trial.answer.weights)["x"] == 0


def test_factorial_knows_levels() -> None:
    """A level that is described by name is in every combination with it."""
    cells = ("p=a,m=c", "p=a,m=d", "p=b,m=c", "p=b,m=d")
    plan = replace(
        SPLIT,
        baseline=cells[0],
        weights=tuple((cell, 2_500) for cell in cells),
        contents=tuple((cell, cell) for cell in cells),
        factorial=FactorialPlan("v", (("p", ("a", "b")), ("m", ("c", "d")))),
        min_users=100,
    )
    levels = replace(
        SCENARIO, arms={"p=b": opinion(0.9), "m=d": opinion(0.6), "p=b,m=d": opinion(0.95)}, lasts_s=86_400.0 * 3
    )
    assert truths_of(plan, levels) == {cells[0]: 0.6, cells[1]: 0.6, cells[2]: 0.9, cells[3]: 0.95}
    assert best_of(truths_of(plan, levels)) == [cells[3]]
    trial = run(plan, levels)
    assert all(set(dict(answer.weights)) == set(cells) for answer in trial.answers)


def test_only_what_is_counted() -> None:
    """A world knows failures, safety and words; not how long answers take."""
    assert [measure.name for measure in counted_measures(SPLIT)] == ["thumbs", "errors", "safety"]


@pytest.mark.parametrize("plan", [SPLIT, BANDIT])
def test_same_seed_same_run(plan: SplitPlan) -> None:
    """Everything comes from the seed."""
    short = replace(SCENARIO, lasts_s=86_400.0)
    assert run(plan, short) == run(plan, short)
