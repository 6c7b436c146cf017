"""Effects of factors: their shares of alpha, their intervals, and who is too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gates.factorial_effects import FactorialRule, Held, judge_cells, judge_effects, main_alpha
from gateway.stats.factorial import Difference, Effect

SEED = {"prompt": list("abcde"), "model": list("xyz"), "heat": ["low", "high"]}
RULE = FactorialRule({"prompt": ["kind", "terse"], "model": ["big", "small"]}, planned_units=4_000, smallest=0.04)
MANY = [Held(1_000.0, 800.0)] * 4


def effect(estimate: float, se: float, *levels: tuple[int, int, int]) -> Effect:
    """Give an effect, by default of the first factor."""
    return Effect(levels or ((0, 0, 1),), estimate, se, 0.5)


def test_shares_add_up() -> None:
    """All main effects of 5 × 3 × 2 together spend alpha; all interactions and all cells, interaction_alpha."""
    rule = FactorialRule(SEED, planned_units=10_000, smallest=0.02)
    pairs = {0: 10, 1: 3, 2: 1}
    assert sum(n * rule.effect_alpha(((at, 0, 1),)) for at, n in pairs.items()) == pytest.approx(0.05)
    assert 43 * rule.effect_alpha(((0, 0, 1), (1, 0, 1))) + 29 * rule.cell_alpha == pytest.approx(0.025)


def test_factors_share_alike() -> None:
    """A factor of two levels does not pay for the ten pairs of another."""
    assert main_alpha(0.05, 3, 2) == pytest.approx(10 * main_alpha(0.05, 3, 5))


@given(st.floats(-0.2, 0.2), st.floats(0.001, 0.2), st.integers(400, 100_000))
def test_table_is_decision(estimate: float, se: float, n_units: int) -> None:
    """Found, the interval without 0, and a corrected p below 5 % are one and the same, in every family."""
    for levels in ((0, 0, 1),), ((0, 0, 1), (1, 0, 1)):
        (one,) = judge_effects([effect(estimate, se, *levels)], MANY, RULE, n_units=n_units)
        assert one.is_found == one.interval.excludes(0.0)
        assert one.is_found == (one.p_value < 0.05) or one.p_value == pytest.approx(0.05)
        assert not (one.is_negligible and abs(one.estimate) >= RULE.smallest)


@pytest.mark.parametrize(
    ("held", "is_enough"),
    [
        ([Held(50, 40)] * 4, True),
        ([Held(50, 40), Held(49, 40), Held(50, 40), Held(50, 40)], False),
        ([Held(50, 50), Held(50, 46), Held(50, 40), Held(50, 40)], False),
        ([Held(50, 2), Held(50, 2), Held(50, 40), Held(50, 40)], False),
    ],
)
def test_burn_in(held: list[Held], is_enough: bool) -> None:
    """Of each level 100 users, five successes and five failures, or nothing is found: however far apart."""
    (one,) = judge_effects([effect(0.5, 0.01)], held, RULE, n_units=200)
    assert (one.is_enough, one.is_found, one.p_value < 1) == (is_enough, is_enough, is_enough)


def test_burn_in_of_two() -> None:
    """An interaction waits for every pair of levels, where main effects no longer do."""
    held = [Held(150, 100), Held(90, 60), Held(150, 100), Held(150, 100)]
    both = effect(0.5, 0.01, (0, 0, 1), (1, 0, 1))
    first, second = judge_effects([effect(0.5, 0.01), both], held, RULE, n_units=540)
    assert (first.is_enough, second.is_enough) == (True, False)


def test_burn_in_of_cells() -> None:
    """A cell waits for itself and for the baseline's."""
    held = [Held(100, 60), Held(99, 60), Held(100, 60), Held(100, 100)]
    found = judge_cells([Difference(cell, 0.4, 0.01) for cell in (1, 2, 3)], held, RULE, n_units=400)
    assert [one.is_enough for one in found] == [False, True, False]


def test_scores_have_no_successes() -> None:
    """Of what is no rate only users are counted."""
    rule = FactorialRule(RULE.factors, 4_000, 0.04, is_rate=False)
    (one,) = judge_effects([effect(50.0, 10.0)], [Held(60, 1e6)] * 4, rule, n_units=240)
    assert one.is_enough


def test_all_alike() -> None:
    """Users who all said the same have no spread, and nothing is found by it."""
    (one,) = judge_effects([effect(0.1, 0.0)], MANY, RULE, n_units=4_000)
    assert (one.is_found, one.is_negligible, one.p_value) == (False, False, 1.0)
