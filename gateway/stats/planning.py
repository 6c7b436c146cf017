"""
How soon a comparison that is looked at many times finds an effect, reckoned and not simulated.

What is looked at again and again finds an effect when its path first leaves the interval. The distribution of paths
still inside is walked from look to look, as in `stats.spending`, and reweighted by the likelihood ratio of the effect.
Sizes are units per arm of two equal arms; an effect comes as `drift`, the z value to be expected of one unit per arm:
effect ÷ √(variance of one arm's unit + of the other's).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from statistics import NormalDist

from gateway.stats.anytime import half_width
from gateway.stats.power import bisected
from gateway.stats.proportion import require_open_unit
from gateway.stats.spending import Look, quadrature, walked

NORMAL = NormalDist()
BURN_IN = 100
"""Units per arm before an always-valid interval says anything."""
MOST_LOOKS = 60
"""Walked; twice as many need 1 % fewer units."""
MARGIN = 8.0
"""Standard deviations beyond which a mean is not looked for."""


def chances_by_look(
    looks: Sequence[float],
    drift: float,
    *,
    n_star: float,
    alpha: float = 0.05,
    sides: int = 2,
    burn_in: float = BURN_IN,
) -> Iterator[float]:
    """
    Give, look by look, P(an always-valid interval has found the effect by then).

    Args:
        looks: Units per arm at each look, above 0, rising.
        drift: Expected z of one unit per arm.
        n_star: Units of both arms at which the interval is narrowest.
        alpha: Of the interval, in (0, 1).
        sides: 1 or 2.
        burn_in: Units per arm before which nothing is found.

    Raises:
        ValueError: Looks do not rise, or something is out of range.

    Source:
        The interval of Waudby-Smith et al. (2024), see `stats.anytime`; the recursion of Armitage, McPherson & Rowe
        (1969); the change of measure of Siegmund (1985), Sequential Analysis, ch. 3.

    >>> days = [1446.94 * day / 14 for day in range(1, 15)]
    >>> round(list(chances_by_look(days, 0.07372, n_star=2 * 1446.94))[-1], 2)
    0.48
    """
    heard = [n for n in looks if n >= burn_in]
    yield from [0.0] * (len(looks) - len(heard))
    for n, look in zip(heard, _walked(heard, n_star, alpha, sides), strict=True):
        time = n / heard[-1]
        yield _left(look, drift * sqrt(heard[-1]), time)


def units_until(
    looks: Sequence[float], drift: float, *, n_star: float, power: float = 0.8, alpha: float = 0.05, sides: int = 2
) -> float | None:
    """
    Give the units per arm by which an always-valid interval has found the effect with probability `power`.

    Between the two looks in question it is interpolated: round up to a look.

    Args:
        looks: Units per arm at each look, above 0, rising. Of more than 60 only so many are looked at.
        drift: Expected z of one unit per arm.
        n_star: Units of both arms at which the interval is narrowest.
        power: In (0, 1).
        alpha: In (0, 1).
        sides: 1 or 2.

    Returns:
        Units, or None where the last look is too early.

    Raises:
        ValueError: Something is out of range.

    Source:
        `chances_by_look`.

    >>> days = [1446.94 * day / 14 for day in range(1, 57)]
    >>> round(units_until(days, 0.07372, n_star=2 * 1446.94))
    2499
    """
    require_open_unit(power)
    some = thinned(looks)
    before, least = 0.0, 0.0
    for n, chance in zip(some, chances_by_look(some, drift, n_star=n_star, alpha=alpha, sides=sides), strict=True):
        if chance >= power:
            # Nothing is found before the first look, however sure it is there.
            return n if not before else before + (n - before) * (power - least) / (chance - least)
        before, least = n, chance
    return None


def drift_found(
    looks: Sequence[float], *, n_star: float, power: float = 0.8, alpha: float = 0.05, sides: int = 2
) -> float | None:
    """
    Give the smallest drift that an always-valid interval finds by the last look with probability `power`.

    Args:
        looks: Units per arm at each look, above 0, rising.
        n_star: Units of both arms at which the interval is narrowest.
        power: In (0, 1).
        alpha: In (0, 1).
        sides: 1 or 2.

    Returns:
        The drift, as of `chances_by_look`; None where no look is late enough to say anything.

    Raises:
        ValueError: Something is out of range.

    Source:
        `chances_by_look`, solved for the drift by bisection.

    >>> days = [1446.94 * day / 14 for day in range(1, 15)]
    >>> round(drift_found(days, n_star=2 * 1446.94), 3)
    0.098
    """
    require_open_unit(power)
    heard = [n for n in thinned(looks) if n >= BURN_IN]
    if not heard:
        return None
    *_, last = _walked(heard, n_star, alpha, sides)
    return bisected(lambda z: _left(last, z, 1.0) < power, 0.0, 20.0) / sqrt(heard[-1])


def chance_at(n: float, drift: float, *, n_star: float, alpha: float = 0.05, sides: int = 2) -> float:
    """
    Give P(an always-valid interval excludes zero at `n` units per arm), whatever it said before.

    Args:
        n: Units per arm, above 0.
        drift: Expected z of one unit per arm.
        n_star: Units of both arms at which the interval is narrowest.
        alpha: In (0, 1).
        sides: 1 or 2; of two, the far one is neglected.

    Raises:
        ValueError: Something is out of range.

    Source:
        The interval of Waudby-Smith et al. (2024), see `stats.anytime`; normal approximation.

    >>> round(chance_at(1447, 0.07372, n_star=2 * 1447), 2)
    0.41
    """
    bound = half_width(2 * n, se=1.0, alpha=alpha, n_star=n_star, sides=sides)
    return 0.0 if n < BURN_IN else NORMAL.cdf(abs(drift) * sqrt(n) - bound)


def thinned(looks: Sequence[float]) -> list[float]:
    """
    Give at most 60 of the looks, evenly chosen, the last among them.

    >>> thinned([1.0, 2.0]), len(thinned(list(range(1, 1_001)))), thinned(list(range(1, 1_001)))[-1]
    ([1.0, 2.0], 59, 1000)
    """
    every = ceil(len(looks) / MOST_LOOKS)
    return [*looks][::-1][:: max(1, every)][::-1]


def pick_chance(rates: Sequence[float], n: float) -> float:
    """
    Give P(the best arm has the best rate) after `n` units in each: whether choosing then would be right.

    Args:
        rates: (arms,) true ones, in (0, 1), at least two; the first of the highest is the best.
        n: Units per arm, above 0.

    Raises:
        ValueError: There are fewer than two arms, or something is out of range.

    Source:
        Normal approximation, the others' distributions multiplied and integrated by Gauss and Legendre's rule;
        Bechhofer (1954), Ann. Math. Statist. 25:16-39. Ties between counts are not modelled: .01 of chance.

    >>> round(pick_chance([0.80, 0.84, 0.76, 0.80, 0.72], 400), 2)
    0.88
    """
    require_open_unit(*rates)
    if len(rates) < 2 or n <= 0:
        msg = f"choosing takes two arms and units, not {len(rates)} and {n}"
        raise ValueError(msg)
    best = max(range(len(rates)), key=rates.__getitem__)
    arms = [NormalDist(rate, sqrt(rate * (1 - rate) / n)) for rate in rates]
    nodes, weights = quadrature(96)
    chance = 0.0
    for node, weight in zip(nodes, weights, strict=True):
        z = MARGIN * float(node)
        value = arms[best].mean + z * arms[best].stdev
        beaten = 1.0
        for at, arm in enumerate(arms):
            beaten *= 1.0 if at == best else arm.cdf(value)
        chance += MARGIN * float(weight) * NORMAL.pdf(z) * beaten
    return chance


def _walked(looks: Sequence[float], n_star: float, alpha: float, sides: int) -> Iterator[Look]:
    if not looks:
        return iter(())
    bounds = [half_width(2 * n, se=1.0, alpha=alpha, n_star=n_star, sides=sides) for n in looks]
    return walked(bounds, [n / looks[-1] for n in looks], sides)


def _left(look: Look, drift: float, time: float) -> float:
    """Give P(it left by this look) when the sum at time 1 has expectation `drift`."""
    import numpy as np

    inside = float(look.mass @ np.exp(drift * look.grid - drift * drift * time / 2))
    return min(1.0, max(0.0, 1.0 - inside))
