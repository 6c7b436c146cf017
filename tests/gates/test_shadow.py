"""The verdict on a shadow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.gates.shadow import Finding, ShadowRule, ShadowState, ShadowVerdict, decide_shadow
from gateway.gates.shadow_findings import Measured, PairFindings
from gateway.stats.clustered_pairs import Paired
from gateway.stats.paired import rate_difference
from gateway.stats.votes import Tally, tally

SE = 0.02
EQUAL = Paired(1.0, 1.0, 1.0, 0.96, 1.04, 0.99, SE, 300.0, 2_000, 300)
EVEN = Paired(0.02, 0.02, 0.0, -0.004, 0.004, 0.99, 0.002, 300.0, 2_000, 300)


def ratio(effect: float, p: float = 1e-9, *, se: float = SE) -> Paired:
    """Give a ratio that was measured."""
    ends = (effect * np.exp(-2 * se), effect * np.exp(2 * se))
    return replace(EQUAL, second=effect, effect=effect, low=float(ends[0]), high=float(ends[1]), p=p, se=se)


def difference(effect: float, p: float = 1e-9, *, se: float = 0.002) -> Paired:
    """Give a difference that was measured."""
    return replace(EVEN, second=0.02 + effect, effect=effect, low=effect - 2 * se, high=effect + 2 * se, p=p, se=se)


def votes(wins: int, losses: int, ties: int = 0, *, inconsistent: int = 0) -> Tally:
    """Give a tally of votes, each of another user."""
    one = [1.0] * wins + [-1.0] * losses + [0.0] * ties + [-1.0] * inconsistent
    two = [1.0] * wins + [-1.0] * losses + [0.0] * ties + [1.0] * inconsistent
    found = tally(one, two, range(len(one)))
    assert found is not None
    return found


def found(noise: Measured | None = None, beyond: dict[str, Paired] | None = None, **measured: Any) -> PairFindings:
    """Give findings of an equal shadow, but for what is told."""
    usual: dict[str, Any] = {"errors": EVEN, "safety": EVEN, "cost": EQUAL, "duration": EQUAL}
    return PairFindings(Measured(2_000, 300, **(usual | measured)), noise, beyond or {})


def named(verdict: ShadowVerdict, name: str) -> Finding:
    """Give a finding by its name."""
    return next(one for one in verdict.findings if one.name == name)


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        ({}, ShadowState.NO_DIFFERENCE),
        ({"errors": difference(0.03)}, ShadowState.WORSE),
        ({"errors": difference(-0.03)}, ShadowState.BETTER),
        ({"cost": ratio(2.0)}, ShadowState.WORSE),
        ({"cost": ratio(0.5)}, ShadowState.BETTER),
        ({"cost": ratio(0.5), "duration": ratio(1.6)}, ShadowState.MIXED),
        ({"format": difference(-0.05)}, ShadowState.WORSE),
        ({"judged": votes(150, 350)}, ShadowState.WORSE),
        ({"judged": votes(350, 150)}, ShadowState.BETTER),
        ({"judged": votes(1_000, 1_000)}, ShadowState.NO_DIFFERENCE),
        ({"judged": votes(2, 3, ties=900)}, ShadowState.NO_DIFFERENCE),
        ({"judged": votes(20, 25)}, ShadowState.INSUFFICIENT),
        ({"judged": votes(2, 3)}, ShadowState.INSUFFICIENT),
        ({"safety": difference(0.003, 0.6, se=0.006)}, ShadowState.INSUFFICIENT),
        ({"safety": difference(0.003, 0.6, se=0.006), "cost": ratio(2.0)}, ShadowState.WORSE),
        ({"safety": difference(0.003, 0.6, se=0.006), "cost": ratio(0.5)}, ShadowState.INSUFFICIENT),
        ({"duration_p95": ratio(1.6, se=0.05)}, ShadowState.WORSE),
        ({"duration_p95": ratio(1.2, 0.9, se=0.6)}, ShadowState.NO_DIFFERENCE),
    ],
)
def test_states(measured: dict[str, Any], state: ShadowState) -> None:
    """Each state has its reasons; harm that cannot be excluded is no difference unknown, and hides no harm known."""
    assert decide_shadow(found(**measured)).state is state


@pytest.mark.parametrize("small", [{"errors": difference(0.004)}, {"cost": ratio(1.1)}, {"duration": ratio(1.2)}])
def test_tiny_differences(small: dict[str, Any]) -> None:
    """However sure, a difference below the margin is not called worse."""
    assert decide_shadow(found(**small)).state is ShadowState.NO_DIFFERENCE


def test_free() -> None:
    """A shadow that costs nothing is better, and says so."""
    free = replace(EQUAL, second=0.0, effect=0.0, low=0.0, high=0.0, p=0.0, se=0.0)
    for noise in (None, Measured(500, 200, cost=ratio(0.8))):
        verdict = decide_shadow(found(noise=noise, cost=free))
        assert verdict.state is ShadowState.BETTER
        assert "costs 100 % less" in verdict.headline


def test_many_questions() -> None:
    """One p-value of 0.02 among many questions is no surprise; among one it is."""
    assert decide_shadow(found(cost=ratio(1.6, 0.02, se=0.2))).state is not ShadowState.WORSE
    alone = PairFindings(Measured(2_000, 300, cost=ratio(1.6, 0.02, se=0.2)), None, {})
    assert decide_shadow(alone).state is ShadowState.WORSE


def test_margins_are_the_rules() -> None:
    """A stricter rule calls worse what the usual one does not."""
    assert decide_shadow(found(cost=ratio(1.2)), ShadowRule(cost_ratio=1.1)).state is ShadowState.WORSE


@pytest.mark.parametrize(("n_pairs", "n_users"), [(90, 50), (5_000, 15)])
def test_too_few(n_pairs: int, n_users: int) -> None:
    """Below so many pairs and users nothing is said, whatever it looks like."""
    few = PairFindings(Measured(n_pairs, n_users, cost=ratio(9.0)), None, {})
    verdict = decide_shadow(few)
    assert verdict.state is ShadowState.INSUFFICIENT
    assert "Not enough" in verdict.headline


def test_nothing_measured() -> None:
    """With no pair at all there is still an answer."""
    assert decide_shadow(PairFindings(Measured(0, 0), None, {})).state is ShadowState.INSUFFICIENT


def test_wanted() -> None:
    """What is insufficient says about how many pairs more would do, and so many do."""
    rare = np.zeros(200)
    rare[:2] = 1.0
    few = rate_difference(rare, rare[::-1], range(200))
    verdict = decide_shadow(found(safety=few))
    assert verdict.wants_pairs is not None
    assert named(verdict, "safety").wants_pairs == verdict.wants_pairs
    n_times = 1 + -(-verdict.wants_pairs // 200)
    enough = rate_difference(np.tile(rare, n_times), np.tile(rare[::-1], n_times), range(200 * n_times))
    assert decide_shadow(found(safety=enough)).state is ShadowState.NO_DIFFERENCE


def test_wanted_where_nothing_happened() -> None:
    """Where nothing happened yet the wanted pairs grow with the bound, not with its square."""
    none = rate_difference(np.zeros(150), np.zeros(150), range(150))
    wanted = decide_shadow(found(safety=none)).wants_pairs
    assert wanted is not None
    assert 200 < wanted < 600


def test_second_time_is_faster() -> None:
    """Where the primary's variant asked again is as much faster, the shadow is not: its prompt was in a cache."""
    again = Measured(500, 200, duration=ratio(0.6))
    verdict = decide_shadow(found(noise=again, duration=ratio(0.6)))
    assert verdict.state is ShadowState.NO_DIFFERENCE
    assert named(verdict, "duration").is_adjusted
    slower = decide_shadow(found(noise=again, duration=ratio(1.0)))
    assert slower.state is ShadowState.WORSE
    assert "takes 1.7 times as long" in slower.headline


def test_biased_judge() -> None:
    """A judge that prefers one of two answers of the same variant is not believed, and exposed."""
    noise = Measured(500, 200, judged=votes(160, 40))
    verdict = decide_shadow(found(noise=noise, judged=votes(400, 100)))
    assert verdict.state is ShadowState.INSUFFICIENT
    assert not named(verdict, "quality").is_better
    assert any("judge is biased" in said for said in verdict.warnings)
    assert "judge is biased" in verdict.headline


def test_judge_that_takes_the_first() -> None:
    """A preference for a place is exposed; it makes ties, and the rest of the votes still count."""
    verdict = decide_shadow(found(judged=votes(350, 150, inconsistent=300)))
    assert verdict.state is ShadowState.BETTER
    assert any("prefers what stands first" in said for said in verdict.warnings)


def test_different_and_unjudged() -> None:
    """Answers that surely differ from what the primary's own would, and that nobody judged, are no "no difference"."""
    gap = replace(EVEN, first=0.9, second=0.5, effect=-0.4, low=-0.45, high=-0.35, p=1e-9)
    noise = Measured(500, 200, similarity=replace(EVEN, effect=0.9))
    verdict = decide_shadow(found(noise=noise, beyond={"similarity": gap}))
    assert verdict.state is ShadowState.INSUFFICIENT
    assert "Add a judge" in verdict.headline
    judged = decide_shadow(found(noise=noise, beyond={"similarity": gap}, judged=votes(1_000, 1_000)))
    assert judged.state is ShadowState.NO_DIFFERENCE


def test_order() -> None:
    """Worse stands first, grave before dear; then better, undecided, and what decides nothing."""
    verdict = decide_shadow(
        found(
            cost=ratio(2.0), safety=difference(0.05), duration=ratio(0.5), errors=difference(0.0, se=0.02), length=EQUAL
        )
    )
    assert [one.name for one in verdict.findings] == ["safety", "cost", "duration", "errors", "length"]
