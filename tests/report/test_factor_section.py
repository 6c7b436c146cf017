"""A factorial release's report: the verdict is about its factors."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.adaptive import FactorialPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.experiment import ExperimentState, Recommendation
from gateway.record.experiment_query import EpochShares
from gateway.report.experiment_analysis import Traffic
from gateway.report.experiment_question import question_of
from gateway.report.experiment_summary import ExperimentSummary
from tests.fakes.experiment_blocks import DAY_MS, START_DAY, THUMBS, Split, Truth

FACTORS = (("prompt", ("plain", "kind")), ("model", ("big", "small")))
CELLS = ("prompt=plain,model=big", "prompt=plain,model=small", "prompt=kind,model=big", "prompt=kind,model=small")
PLAN = SplitPlan(
    "support",
    "support",
    CELLS[0],
    tuple((cell, 2_500) for cell in CELLS),
    tuple((cell, "") for cell in CELLS),
    (),
    primary_metric="thumbs",
    metrics={"thumbs": THUMBS},
    factorial=FactorialPlan("current", FACTORS),
)
START_MS = START_DAY * DAY_MS


def report(
    goods: tuple[float, ...], *, n: int = 24_000, shares: tuple[float, ...] = (0.25,) * 4, worst_errors: float = 0.01
) -> ExperimentSummary:
    """Give the report of cells of which so much is good."""
    truths = {cell: Truth(good) for cell, good in zip(CELLS, goods, strict=True)}
    truths[CELLS[3]] = replace(truths[CELLS[3]], errors=worst_errors)
    split = Split(truths=truths, n=n, shares=shares)
    epochs = [EpochShares(0, START_MS, tuple((cell, 1) for cell in CELLS), PLAN.content, "support")]
    now_ms = START_MS + split.days * DAY_MS
    question = question_of(PLAN, None, epochs, stopped={}, now_unix_ms=now_ms)
    for block in split.blocks():
        question.include(block)
    return question.summarize(Traffic({}, {}, {}), now_unix_ms=now_ms)


def test_better_factor_is_shipped() -> None:
    """A prompt and a model that are better whatever the other is are found, and their cell recommended."""
    found = report((0.70, 0.76, 0.75, 0.81))
    assert found.factorial is not None
    first = found.factorial.effects[0]
    assert (first.name, first.is_proven, first.is_interaction) == ("prompt: kind − plain", True, False)
    assert first.low < 0.05 < first.high
    assert found.verdict.headline.startswith("Go on with prompt=kind,model=small")
    assert found.verdict.recommendation is Recommendation.SHIP


def test_too_early_to_say() -> None:
    """With few users it keeps running, and every combination is shown."""
    found = report((0.75, 0.75, 0.80, 0.80), n=600)
    assert found.verdict.recommendation is Recommendation.KEEP_RUNNING
    assert found.factorial is not None and [cell.name for cell in found.factorial.cells] == list(CELLS)


def test_harmful_cell_is_not_recommended() -> None:
    """A combination that fails three times as often is told, and is never the best."""
    found = report((0.75, 0.75, 0.80, 0.82), worst_errors=0.05)
    assert [effect.arm for effect in found.effects] == [CELLS[3]]
    assert CELLS[3] not in found.verdict.headline


def test_nothing_while_users_are_missing() -> None:
    """Where users did not come as planned no factor is told."""
    found = report((0.75, 0.75, 0.80, 0.80), shares=(0.31, 0.23, 0.23, 0.23))
    assert (found.answer.state, found.factorial, found.effects) == (ExperimentState.INVALID, None, ())
