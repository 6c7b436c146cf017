"""
Effects of factors with intervals that all hold at once, however often one looks; and who is too few to be believed.

Main effects share `alpha`: equally among factors, then among the pairs of a factor's levels. Two-way interactions
share a half of `interaction_alpha`, and the comparisons of each cell with the baseline's the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod, sqrt
from typing import NamedTuple

from gateway.domain.factors import Factors, slots_in
from gateway.stats.anytime import always_valid_p, half_width, msprt, tuning
from gateway.stats.factorial import Difference, Effect, Levels, n_interactions
from gateway.stats.interval import Interval

BURN_IN_UNITS = 100
BURN_IN_OF_EITHER = 5


@dataclass(frozen=True, slots=True)
class FactorialRule:
    """
    What is asked.

    Attributes:
        factors: Names and levels, in order.
        planned_units: Units of all cells together at which intervals are narrowest, above 0; fixed beforehand, as
            `gates.factorial_plan` has it.
        smallest: The smallest difference that matters, above 0, in the metric's unit.
        alpha: P(a false main effect is ever found), of all factors together, in (0, 1).
        interaction_alpha: Likewise of interactions and of cells beside the baseline's, half each.
        is_higher_better: Whether more of the metric is good.
        is_rate: Units' means are from 0 to 1, and count as successes.
        baseline: The cell that everything is compared with: by default that of the first levels.
    """

    factors: Factors
    planned_units: int
    smallest: float
    alpha: float = 0.05
    interaction_alpha: float = 0.025
    is_higher_better: bool = True
    is_rate: bool = True
    baseline: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Give the levels of each factor."""
        return tuple(len(levels) for levels in self.factors.values())

    @property
    def n_cells(self) -> int:
        """Give the number of cells."""
        return prod(self.sizes)

    @property
    def cell_alpha(self) -> float:
        """Give what one cell beside the baseline's may spend."""
        return self.interaction_alpha / 2 / (self.n_cells - 1)

    def effect_alpha(self, levels: Levels) -> float:
        """
        Give what one effect may spend: Bonferroni's share, which any dependence keeps.

        >>> rule = FactorialRule({"prompt": list("abcde"), "model": list("xyz"), "heat": list("lh")}, 9_000, 0.02)
        >>> [round(rule.effect_alpha(((factor, 0, 1),)), 6) for factor in range(3)]
        [0.001667, 0.005556, 0.016667]
        """
        if len(levels) > 1:
            return self.interaction_alpha / 2 / n_interactions(self.sizes)
        return main_alpha(self.alpha, len(self.sizes), self.sizes[levels[0][0]])

    def gain(self, difference: float) -> float:
        """Give a difference as what is won by it."""
        return difference if self.is_higher_better else -difference


def main_alpha(alpha: float, n_factors: int, n_levels: int) -> float:
    """
    Give what the difference of two levels may spend: factors share alike, then the pairs of a factor's levels.

    >>> main_alpha(0.05, 1, 2), round(main_alpha(0.05, 2, 3), 5)
    (0.05, 0.00833)
    """
    return alpha / n_factors / (n_levels * (n_levels - 1) / 2)


@dataclass(frozen=True, slots=True)
class Judged:
    """
    A difference, at any look.

    Attributes:
        estimate: In the metric's unit.
        se: Its standard error, clustered by unit.
        interval: Holds at all looks, together with all intervals of its family.
        p_value: Always valid, corrected by its share of alpha: in every family below the rule's alpha when the interval
            excludes 0.
        alpha: The interval's own, in (0, 1).
        is_enough: Its burn-in is over; before, neither found nor negligible, and p_value is 1.
        is_found: The interval excludes 0.
        is_negligible: The whole interval lies within the smallest difference that matters.
    """

    estimate: float
    se: float
    interval: Interval
    p_value: float
    alpha: float
    is_enough: bool
    is_found: bool
    is_negligible: bool


@dataclass(frozen=True, slots=True)
class FactorialEffect(Judged):
    """
    A main effect or an interaction.

    Attributes:
        levels: (factor, from level, to level), of one factor or of two.
    """

    levels: Levels


@dataclass(frozen=True, slots=True)
class CellEffect(Judged):
    """
    A cell beside the baseline's, by their own units alone.

    Attributes:
        cell: Its index.
    """

    cell: int


class Held(NamedTuple):
    """
    What a cell holds; of one that was in several epochs, its largest: units of the others may be the same.

    Attributes:
        n: Units with a value.
        good: Sum of their means: of a rate, successes.
    """

    n: float
    good: float


def judge_effects(
    effects: Sequence[Effect], held: Sequence[Held], rule: FactorialRule, *, n_units: int
) -> tuple[FactorialEffect, ...]:
    """
    Judge main effects or interactions.

    Args:
        effects: As estimated.
        held: (cells,) what stands behind them.
        rule: What is asked.
        n_units: Distinct units so far, of all cells.
    """
    found = []
    for one in effects:
        behind = [_together(held, cells) for cells in _behind(rule.sizes, one.levels)]
        is_enough = all(_is_burnt_in(each, rule) for each in behind)
        alpha = rule.effect_alpha(one.levels)
        judged = _judged(one.estimate, one.se, alpha, rule, n_units=n_units, is_enough=is_enough)
        found.append(FactorialEffect(*judged, one.levels))
    return tuple(found)


def judge_cells(
    differences: Sequence[Difference], held: Sequence[Held], rule: FactorialRule, *, n_units: int
) -> tuple[CellEffect, ...]:
    """Judge cells beside the baseline's; arguments as of `judge_effects`."""
    found = []
    for one in differences:
        is_enough = all(_is_burnt_in(held[cell], rule) for cell in (one.cell, rule.baseline))
        judged = _judged(one.estimate, one.se, rule.cell_alpha, rule, n_units=n_units, is_enough=is_enough)
        found.append(CellEffect(*judged, one.cell))
    return tuple(found)


def _judged(
    estimate: float, se: float, alpha: float, rule: FactorialRule, *, n_units: int, is_enough: bool
) -> tuple[float, float, Interval, float, float, bool, bool, bool]:
    """Give the fields of `Judged`."""
    reach = half_width(n_units, se=se, alpha=alpha, n_star=rule.planned_units)
    interval = Interval(estimate - reach, estimate + reach)
    # Units that are all alike have no spread to judge by.
    is_enough = is_enough and se > 0
    p_value = 1.0
    if is_enough:
        tau = tuning(alpha=alpha, n_star=rule.planned_units) * se * sqrt(n_units)
        p_value = min(1.0, always_valid_p(msprt(estimate, se=se, tau=tau)) * rule.alpha / alpha)
    is_found = is_enough and interval.excludes(0.0)
    is_negligible = is_enough and -rule.smallest < interval.low and interval.high < rule.smallest
    return estimate, se, interval, p_value, alpha, is_enough, is_found, is_negligible


def _is_burnt_in(held: Held, rule: FactorialRule) -> bool:
    if held.n < BURN_IN_UNITS:
        return False
    return not rule.is_rate or BURN_IN_OF_EITHER <= held.good <= held.n - BURN_IN_OF_EITHER


def _together(held: Sequence[Held], cells: Sequence[int]) -> Held:
    return Held(sum(held[cell].n for cell in cells), sum(held[cell].good for cell in cells))


@lru_cache(maxsize=1_024)  # the same at every look
def _behind(sizes: tuple[int, ...], levels: Levels) -> tuple[tuple[int, ...], ...]:
    """Give the cells that stand behind each level of an effect; of an interaction, behind each pair of levels."""
    slots = [slots_in(cell, sizes) for cell in range(prod(sizes))]
    wanted = product(*([(factor, low), (factor, high)] for factor, low, high in levels))
    return tuple(
        tuple(cell for cell, one in enumerate(slots) if all(one[factor] == level for factor, level in combination))
        for combination in wanted
    )
