"""
What a factorial release needs, and whether the traffic can feed it: said before it starts.

Two sizes are told. That of one look at the end is the one of textbooks, each factor for itself. The other is that of
`gates.factorial`, which is looked at every day and promises for all factors together; days are of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, prod, sqrt
from statistics import NormalDist

from gateway.domain.factors import Factors, require_factors
from gateway.gates.factorial_effects import BURN_IN_UNITS, main_alpha
from gateway.gates.sentence import counted
from gateway.stats.planning import MOST_LOOKS, drift_found, units_until
from gateway.stats.power import bisected, two_means_n, two_rates_n

MEAN_CELL_UNITS = 35
"""When cells hold so many on average, the smallest of 64 has the 20 that it needs before anything is said."""
LONGEST = 4.0
"""Intervals that are looked at every day need less than this many times the units that they are tuned to."""


@dataclass(frozen=True, slots=True)
class FactorialAim:
    """
    What is to be found, and how surely.

    Attributes:
        baseline: The metric's rate in (0, 1); with `sd` its mean, which does not matter.
        mde: The smallest difference to find, in the metric's unit, not 0: 0.04 is four points of a rate.
        sd: Standard deviation between users, above 0, of what is no rate.
        alpha: Two-sided, in (0, 1); of one look for each factor, of intervals for all factors together.
        power: P(it is found), in (0, 1), for each factor by itself.
    """

    baseline: float
    mde: float
    sd: float | None = None
    alpha: float = 0.05
    power: float = 0.8

    @property
    def drift(self) -> float:
        """Give the z value to be expected of one user per level."""
        return self.drift_of(self.mde)

    def drift_of(self, mde: float) -> float:
        """Give likewise of another difference."""
        if self.sd is not None:
            return abs(mde) / (self.sd * sqrt(2))
        there = self.baseline + mde
        return abs(mde) / sqrt(self.baseline * (1 - self.baseline) + there * (1 - there))

    def per_level(self, alpha: float) -> float:
        """Give the users per level that one look needs."""
        if self.sd is not None:
            return two_means_n(self.sd, self.mde, alpha=alpha, power=self.power)
        return two_rates_n(self.baseline, self.baseline + self.mde, alpha=alpha, power=self.power)


@dataclass(frozen=True, slots=True)
class FactorialNeeds:
    """
    What a factorial release needs.

    Attributes:
        n_cells: Cells.
        per_level: Users with an outcome at every level of each factor, at one look; of a factor that has several pairs
            of levels, at Holm's first step.
        users: Of all cells, for every main effect at one look.
        per_cell: Of those, in each cell.
        interaction_users: Of all cells, for a two-way interaction as large of two two-level factors: four times as many
            as their main effects need, at one look.
        planned_units: Of all cells: what intervals are tuned to (`FactorialRule.planned_units`).
        anytime_by_factor: Of all cells, until each factor is found by intervals that are looked at every day; None
            where not even four times `planned_units` do.
        anytime_users: For all factors, and for the burn-in of every cell; None likewise.
        days: Until then, at this traffic; None likewise.
        refusal: Why not, and the ways out; None where it is feasible.
    """

    n_cells: int
    per_level: Mapping[str, int]
    users: int
    per_cell: int
    interaction_users: int
    planned_units: int
    anytime_by_factor: Mapping[str, int | None]
    anytime_users: int | None
    days: int | None
    refusal: str | None


def feasibility(
    factors: Factors,
    *,
    users_per_day: float,
    baseline: float,
    mde: float,
    sd: float | None = None,
    rated: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
    max_days: int = 28,
) -> FactorialNeeds:
    """
    Tell whether the traffic can feed the cells.

    Args:
        factors: Names and levels.
        users_per_day: New users a day, above 0.
        baseline: As of `FactorialAim`, like mde, sd, alpha and power.
        mde: The smallest difference to find.
        sd: Of what is no rate.
        rated: Share of the users whose outcome is ever known, in (0, 1].
        alpha: Two-sided.
        power: For each factor.
        max_days: The longest one would wait, at least 1.

    Raises:
        ValueError: Something is out of range, or the factors make no release.

    >>> plan = feasibility({"heat": ["low", "high"]}, users_per_day=1_000, baseline=0.8, mde=0.04)
    >>> plan.per_level, plan.planned_units, plan.days
    ({'heat': 1447}, 2894, 5)
    """
    require_factors(factors)
    if users_per_day <= 0 or not 0 < rated <= 1 or max_days < 1:
        msg = "users come, some of them with an outcome, and a day at least is waited"
        raise ValueError(msg)
    aim, known_per_day = FactorialAim(baseline, mde, sd, alpha, power), users_per_day * rated
    plan = _plan(factors, aim, known_per_day)
    if plan.days is not None and plan.days <= max_days:
        return plan
    return replace(plan, refusal=_refusal(factors, aim, plan, known_per_day, max_days, rated))


def _plan(factors: Factors, aim: FactorialAim, known_per_day: float) -> FactorialNeeds:
    sizes = {name: len(levels) for name, levels in factors.items()}
    n_cells, alone = prod(sizes.values()), aim.per_level(aim.alpha)
    exact = {name: alone * _holm_factor(size, aim) for name, size in sizes.items()}
    shares = {name: main_alpha(aim.alpha, len(sizes), size) for name, size in sizes.items()}
    planned = max(ceil(size * aim.per_level(shares[name])) for name, size in sizes.items())
    needs = {
        name: _users_until(aim, known_per_day, planned=planned, size=size, alpha=shares[name])
        for name, size in sizes.items()
    }
    known = [units for units in needs.values() if units is not None]
    burn_in = max(MEAN_CELL_UNITS * n_cells, BURN_IN_UNITS * max(sizes.values()))
    anytime = max(*known, burn_in) if len(known) == len(needs) else None
    users = ceil(max(exact[name] * size for name, size in sizes.items()))
    return FactorialNeeds(
        n_cells=n_cells,
        per_level={name: ceil(n) for name, n in exact.items()},
        users=users,
        per_cell=ceil(users / n_cells),
        interaction_users=ceil(8 * alone),
        planned_units=planned,
        anytime_by_factor=needs,
        anytime_users=anytime,
        days=None if anytime is None else ceil(anytime / known_per_day),
        refusal=None,
    )


def _users_until(aim: FactorialAim, known_per_day: float, *, planned: int, size: int, alpha: float) -> int | None:
    """Give the users of all levels until two of them are told apart; None where not even the longest wait does."""
    horizon, found = ceil(LONGEST * planned / known_per_day), None
    # Of years only some days are walked; then once more of what is left, day by day where that is possible.
    for _ in range(2):
        every = ceil(horizon / MOST_LOOKS)
        looks = [day * known_per_day / size for day in range(every, horizon + every, every)]
        found = units_until(looks, aim.drift, n_star=2 * planned / size, power=aim.power, alpha=alpha)
        if found is None or every == 1:
            break
        horizon = ceil(1.1 * found * size / known_per_day)
    return None if found is None else ceil(found * size)


def _holm_factor(n_levels: int, aim: FactorialAim) -> float:
    # Source: the first step of Holm's rule is Bonferroni's; n grows with the square of the sum of the quantiles.
    normal, pairs = NormalDist(), n_levels * (n_levels - 1) / 2
    beta = normal.inv_cdf(aim.power)
    tail = aim.alpha / 2
    return ((normal.inv_cdf(1 - tail / pairs) + beta) / (normal.inv_cdf(1 - tail) + beta)) ** 2


def _refusal(
    factors: Factors, aim: FactorialAim, plan: FactorialNeeds, known_per_day: float, max_days: int, rated: float
) -> str:
    cells, users = plan.n_cells, plan.anytime_users
    if users is None:
        return (
            f"{cells} cells cannot be fed: {known_per_day / rated:,.0f} users a day never find {_sized(aim, aim.mde)}."
        )
    a_day, come = known_per_day / cells, known_per_day / rated
    each = f"{come:,.0f} a day ({a_day:,.1f} with an outcome in each cell)"
    said = (
        f"{cells} cells need about {ceil(users / cells):,} users with an outcome each, {users:,} in all: "
        f"{counted(plan.days or 0, 'day')} at {each}, and {max_days} are allowed."
    )
    ways = [f"{ceil(users / rated / max_days):,} users a day", *_larger(factors, aim, known_per_day, max_days)]
    ways += _smaller(factors, aim, known_per_day, max_days)
    if len(factors) > 1:
        ways.append("one factor after the other")
    return f"{said} What would do: {'; or '.join(ways)}."


def _larger(factors: Factors, aim: FactorialAim, known_per_day: float, max_days: int) -> list[str]:
    """Give the difference that could be found in time, of every factor; none where no difference could."""
    n_cells = prod(len(levels) for levels in factors.values())
    if max_days * known_per_day < MEAN_CELL_UNITS * n_cells:
        return []
    drifts = []
    for levels in factors.values():
        size = len(levels)
        looks = [day * known_per_day / size for day in range(1, max_days + 1)]
        alpha = main_alpha(aim.alpha, len(factors), size)
        drifts.append(drift_found(looks, n_star=2 * looks[-1], power=aim.power, alpha=alpha))
    if any(drift is None for drift in drifts):
        return []
    wanted, sign = max(drift for drift in drifts if drift is not None), 1 if aim.mde > 0 else -1
    room = (1 - aim.baseline if sign > 0 else aim.baseline) - 1e-9 if aim.sd is None else 100 * aim.sd
    if aim.drift_of(sign * room) <= wanted:
        return []
    least = bisected(lambda difference: aim.drift_of(sign * difference) < wanted, 0.0, room)
    return [f"{_sized(aim, least)} in place of {_sized(aim, aim.mde)}"]


def _smaller(factors: Factors, aim: FactorialAim, known_per_day: float, max_days: int) -> list[str]:
    """Give the most levels of the largest factor that fit; none where not even two do."""
    largest = max(factors, key=lambda name: len(factors[name]))
    for size in range(len(factors[largest]) - 1, 1, -1):
        fewer = {**factors, largest: factors[largest][:size]}
        days = _plan(fewer, aim, known_per_day).days
        if days is not None and days <= max_days:
            return [f"{largest} with {size} levels in place of {len(factors[largest])} ({counted(days, 'day')})"]
    return []


def _sized(aim: FactorialAim, difference: float) -> str:
    return f"{abs(difference):.3g}" if aim.sd is not None else f"{100 * abs(difference):.1f} points"
