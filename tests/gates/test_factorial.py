"""Factorial verdicts: what is found, what waits, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.factors import levels_of
from gateway.gates.factorial import (
    Arrivals,
    FactorialEvidence,
    FactorialState,
    decide_factorial,
    mismatch_of,
    units_left,
)
from gateway.gates.factorial_effects import FactorialRule
from gateway.stats.factorial_sums import CellSums, UnitRow, sums_of_cells, sums_of_rows

FACTORS = {"prompt": ["kind", "terse"], "model": ["big", "small"]}
RULE = FactorialRule(FACTORS, planned_units=8_000, smallest=0.04)
SEED = FactorialRule({"prompt": list("abcde"), "model": list("xyz"), "heat": list("lh")}, 12_000, 0.04)


def cells(n: float, *rates: float, stopped: tuple[int, ...] = (), counts: tuple[int, ...] = ()) -> FactorialEvidence:
    """Give as many users per cell, of these rates, or as many as said."""
    held = counts or (round(n),) * len(rates)
    sums = sums_of_cells([CellSums(k, k * rate, k * rate) for k, rate in zip(held, rates, strict=True)])
    return FactorialEvidence(sums, (), frozenset(stopped))


def even(n: int, n_cells: int = 4) -> Arrivals:
    """Give as many new users in every cell."""
    return Arrivals((n,) * n_cells, (1.0,) * n_cells)


@pytest.mark.parametrize(
    ("evidence", "state", "reason"),
    [
        (cells(19, 0.1, 0.1, 0.9, 0.9), FactorialState.RUNNING, "needs 20 users"),
        (cells(30, 0.1, 0.1, 0.9, 0.9), FactorialState.RUNNING, "prompt and model are not settled yet"),
        (cells(2_000, 0.80, 0.80, 0.80, 0.80), FactorialState.RUNNING, "no factor matters by itself"),
        (cells(40_000, 0.80, 0.80, 0.80, 0.80), FactorialState.NO_DIFFERENCE, "no difference that matters"),
        (cells(20_000, 0.70, 0.70, 0.80, 0.80), FactorialState.DECIDED, "better by prompt"),
        (cells(20_000, 0.80, 0.80, 0.70, 0.70), FactorialState.DECIDED, "nothing is better than what you have"),
    ],
)
def test_states(evidence: FactorialEvidence, state: FactorialState, reason: str) -> None:
    """It waits for the burn-in and for evidence, then decides, either way."""
    verdict = decide_factorial(evidence, RULE)
    assert (verdict.state, reason in verdict.reason) == (state, True)


def test_recommends_levels() -> None:
    """Better levels are put together; a factor that does not matter stays as it is, whichever looks better."""
    verdict = decide_factorial(cells(20_000, 0.700, 0.705, 0.800, 0.805), RULE)
    assert verdict.recommended == ("terse", "big")
    assert verdict.leader == ("terse", "small")


def test_lower_is_better() -> None:
    """Where less is good, less is recommended."""
    rule = FactorialRule(FACTORS, 8_000, 0.04, is_higher_better=False)
    assert decide_factorial(cells(20_000, 0.30, 0.30, 0.20, 0.20), rule).recommended == ("terse", "big")
    assert decide_factorial(cells(20_000, 0.20, 0.20, 0.30, 0.30), rule).recommended == ("kind", "big")


def test_two_winners_are_enough() -> None:
    """Of three levels the two better ones need not be told apart, once it does not matter which."""
    rule = FactorialRule({"prompt": ["kind", "terse", "warm"]}, 20_000, 0.04)
    verdict = decide_factorial(cells(30_000, 0.70, 0.80, 0.803), rule)
    assert (verdict.state, verdict.recommended) == (FactorialState.DECIDED, ("warm",))
    close = decide_factorial(cells(600, 0.70, 0.80, 0.82), rule)
    assert close.state is FactorialState.RUNNING


def test_other_baseline() -> None:
    """The baseline may be any cell: what is kept are its levels."""
    rule = FactorialRule(FACTORS, 8_000, 0.04, baseline=3)
    assert decide_factorial(cells(20_000, 0.70, 0.70, 0.80, 0.80), rule).recommended == ("terse", "small")


def test_pure_interaction() -> None:
    """Factors that help only apart have no main effect; the best cell is recommended, with what it surely wins."""
    verdict = decide_factorial(cells(10_000, 0.7, 0.8, 0.8, 0.7), RULE)
    assert [one.is_found for one in verdict.interactions] == [True]
    assert (verdict.state, verdict.reason.startswith("prompt and model depend")) == (FactorialState.DECIDED, True)
    assert verdict.recommended in {("kind", "small"), ("terse", "big")}
    beside = verdict.beside_baseline(verdict.recommended or (), FACTORS)
    assert beside is not None
    assert 0.07 < beside.interval.low < 0.1 < beside.interval.high < 0.13


def test_baseline_is_best_cell() -> None:
    """Where factors depend on each other and nothing beats the baseline's cell, it stays."""
    verdict = decide_factorial(cells(10_000, 0.8, 0.7, 0.7, 0.8), RULE)
    assert (verdict.state, verdict.recommended) == (FactorialState.DECIDED, ("kind", "big"))


def test_interaction_undecided() -> None:
    """Where they depend on each other and no cell is sure yet, it runs on, and says for how many users."""
    verdict = decide_factorial(cells(900, 0.80, 0.72, 0.75, 0.835), RULE)
    assert any(one.is_found for one in verdict.interactions)
    assert verdict.state is FactorialState.RUNNING
    assert 1_000 < (units_left(verdict, RULE) or 0) < 100_000


def test_units_left() -> None:
    """What is left is little when it is nearly settled, as many as it then takes, and nothing afterwards."""
    rates, rule = (0.700, 0.700, 0.730, 0.730), FactorialRule(FACTORS, 8_000, 0.02)
    verdict = decide_factorial(cells(2_000, *rates), rule)
    left = units_left(verdict, rule)
    assert (verdict.state, left is not None) == (FactorialState.RUNNING, True)
    before, after = (decide_factorial(cells((8_000 + share * (left or 0)) / 4, *rates), rule) for share in (0.95, 1.05))
    assert (before.state, after.state) == (FactorialState.RUNNING, FactorialState.DECIDED)
    assert units_left(after, rule) is None


HELD = st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 1)), min_size=6, max_size=6)


@settings(max_examples=60)
@given(HELD, st.frozensets(st.integers(0, 5)))
def test_whatever_was_seen(held: list[tuple[int, float]], stopped: frozenset[int]) -> None:
    """Whatever was seen there is a verdict, and it recommends no stopped cell but the baseline's."""
    rule = FactorialRule({"prompt": list("abc"), "model": ["x", "y"]}, 8_000, 0.04)
    counts, rates = tuple(n for n, _ in held), tuple(rate for _, rate in held)
    verdict = decide_factorial(cells(0, *rates, counts=counts, stopped=tuple(stopped)), rule)
    assert (verdict.recommended is None) == (verdict.state is FactorialState.RUNNING)
    names = {levels_of(cell, rule.factors) for cell in stopped - {rule.baseline}}
    assert verdict.recommended not in names and verdict.leader not in names
    assert (units_left(verdict, rule) or 0) >= 0


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 0.9), min_size=6, max_size=6))
def test_order_of_factors(rates: list[float]) -> None:
    """Written in another order, factors give the same verdict."""
    one = FactorialRule({"prompt": list("abc"), "model": ["x", "y"]}, 8_000, 0.04)
    other = FactorialRule({"model": ["x", "y"], "prompt": list("abc")}, 8_000, 0.04)
    first = decide_factorial(cells(1_000, *rates), one)
    second = decide_factorial(
        cells(1_000, *(rates[2 * level + model] for model in (0, 1) for level in range(3))), other
    )
    assert first.state is second.state
    told = [sorted(one.estimate for pairs in each.mains.values() for one in pairs) for each in (first, second)]
    assert told[0] == pytest.approx(told[1], abs=1e-9)


def test_level_that_does_not_fit() -> None:
    """A best level of each factor whose cell was stopped is not recommended."""
    evidence = cells(20_000, 0.70, 0.75, 0.75, 0.80, stopped=(3,))
    assert decide_factorial(evidence, RULE).recommended in {("kind", "small"), ("terse", "big")}


def test_small_cell_holds_back() -> None:
    """One cell with too few users holds everything back, by name."""
    verdict = decide_factorial(cells(0, 0.7, 0.7, 0.9, 0.9, counts=(5_000, 5_000, 5_000, 19)), RULE)
    assert "prompt=terse,model=small has 19" in verdict.reason
    assert (verdict.state, verdict.mains, verdict.leader) == (FactorialState.RUNNING, {}, None)


def test_stopped_cell_is_modelled() -> None:
    """A stopped cell of eight without users does not hold the others back, and is never the leader."""
    rule = FactorialRule({"prompt": ["a", "b"], "model": ["x", "y"], "heat": ["l", "h"]}, 8_000, 0.04)
    rates, counts = (0.7, 0.7, 0.7, 0.7, 0.8, 0.8, 0.8, 0.99), (9_000,) * 7 + (12,)
    verdict = decide_factorial(cells(0, *rates, counts=counts, stopped=(7,)), rule)
    assert (verdict.state, verdict.recommended) == (FactorialState.DECIDED, ("b", "x", "l"))
    assert verdict.means[7] is None


def test_stopped_cell_of_four() -> None:
    """Of two by two factors a stopped cell leaves their interplay unknown: cells are compared, and it is said."""
    counts = (9_000, 9_000, 9_000, 3)
    verdict = decide_factorial(cells(0, 0.7, 0.7, 0.8, 0.0, counts=counts, stopped=(3,)), RULE)
    assert (verdict.mains, verdict.state, verdict.recommended) == ({}, FactorialState.DECIDED, ("terse", "big"))
    assert "interplay" in verdict.reason


def test_units_count_once() -> None:
    """Users seen in both levels of a factor, day after day, are no more evidence than users."""
    rows = [UnitRow(unit, cell, float(unit % 5 > 0), day) for unit in range(600) for cell in range(4) for day in (0, 1)]
    verdict = decide_factorial(FactorialEvidence(sums_of_rows(rows), ()), RULE)
    assert (verdict.n_units, verdict.counts) == (600, (600,) * 4)
    assert not any(one.is_found for one in verdict.mains["prompt"])


def test_wrong_shares() -> None:
    """Cells that hold other shares than allotted withhold everything, and the factor that is off is named."""
    skewed = Arrivals((1_000, 1_000, 1_300, 1_300), (1.0,) * 4)
    verdict = decide_factorial(FactorialEvidence(cells(1_000, 0.8, 0.8, 0.8, 0.9).sums, (skewed,)), RULE)
    assert (verdict.state, verdict.mains) == (FactorialState.INVALID, {})
    assert "the levels of prompt" in verdict.reason
    assert "the combinations" in mismatch_of([Arrivals((1_300, 1_000, 1_000, 1_300), (1.0,) * 4)], RULE)


def test_ratings_are_no_shares() -> None:
    """A level that gets more ratings is no mismatch, when as many users came to it."""
    evidence = cells(0, 0.8, 0.8, 0.8, 0.8, counts=(1_000, 1_000, 2_000, 2_000))
    verdict = decide_factorial(FactorialEvidence(evidence.sums, (even(5_000),)), RULE)
    assert verdict.state is FactorialState.RUNNING


def test_shares_by_epoch() -> None:
    """What is odd in one epoch is not made good by the plan of another; a stopped cell gets nobody new."""
    before, after = Arrivals((500,) * 4, (1.0,) * 4), Arrivals((1_000, 500, 500, 3), (2.0, 1.0, 1.0, 0.0))
    assert mismatch_of([before, after], RULE) == ""
    assert mismatch_of([Arrivals((500, 500, 500, 400), (1.0, 1.0, 1.0, 0.0))], RULE) == ""
    assert mismatch_of([before, Arrivals((500, 500, 500, 0), (2.0, 1.0, 1.0, 0.0))], RULE) != ""


def test_skewed_factor_of_thirty() -> None:
    """A factor whose hash is 47 to 53 shows among its two levels before it could in thirty cells."""
    counts = tuple(220 if cell % 2 else 250 for cell in range(30))
    assert "the levels of heat" in mismatch_of([Arrivals(counts, (1.0,) * 30)], SEED)


def test_refusals() -> None:
    """Other cells than the factors make, and rules out of range, are refused."""
    with pytest.raises(ValueError, match="4 cells are wanted"):
        mismatch_of([even(10, 3)], RULE)
    with pytest.raises(ValueError, match="is not one of 4 cells"):
        decide_factorial(cells(100, *([0.8] * 6)), RULE)
    with pytest.raises(ValueError, match="smallest difference is above 0"):
        decide_factorial(cells(100, *([0.8] * 4)), FactorialRule(FACTORS, 8_000, 0.0))
