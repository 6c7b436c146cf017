"""
Looking a planned number of times: classic group-sequential bounds and those that spend alpha over time.

A test statistic looked at K times crosses ±1.96 far oftener than 5 %: .142, .193 and .374 at 5, 10 and 100 looks.
The bounds here take that into account by integrating the statistic's path from look to look. For any number of
unplanned looks see `stats.anytime`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import ceil, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from gateway.stats.proportion import require_open_unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NORMAL = NormalDist()
MOST_POINTS = 400
"""Of quadrature per look: right to five decimals for a hundred looks, in a tenth of a second."""


def crossing_probability(bounds: Sequence[float], times: Sequence[float] | None = None, *, sides: int = 2) -> float:
    """
    Give P(the z statistic crosses its bound at any look) when nothing differs.

    Args:
        bounds: One per look, on the z scale, above 0.
        times: Share of all information at each look, rising, in (0, 1]; evenly spaced where None.
        sides: 1 or 2.

    Raises:
        ValueError: Times do not rise, or lengths differ, or sides are neither 1 nor 2.

    Source:
        Armitage, McPherson & Rowe (1969), JRSS A 132:235-244, by their recursion.

    >>> [round(crossing_probability([1.959964] * looks), 3) for looks in (1, 5, 10)]
    [0.05, 0.142, 0.193]
    """
    exits = exits_of(bounds, times_of(len(bounds), times), sides)
    return sum(exits)


def obrien_fleming(looks: int, *, alpha: float = 0.05, sides: int = 2) -> list[float]:
    """
    Give O'Brien and Fleming's bounds on the z scale for evenly spaced looks.

    Args:
        looks: At least 1.
        alpha: Over all looks and sides, in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        O'Brien & Fleming (1979), Biometrics 35:549-556; Jennison & Turnbull (2000), table 2.3.

    >>> [round(bound, 2) for bound in obrien_fleming(3)]
    [3.47, 2.45, 2.0]
    """
    return scaled(lambda constant: [constant * sqrt(looks / k) for k in range(1, looks + 1)], looks, alpha, sides)


def pocock(looks: int, *, alpha: float = 0.05, sides: int = 2) -> list[float]:
    """
    Give Pocock's bounds, the same at every evenly spaced look.

    Raises:
        ValueError: Something is out of range.

    Source:
        Pocock (1977), Biometrika 64:191-199; Jennison & Turnbull (2000), table 2.1.

    >>> round(pocock(5)[0], 3)
    2.413
    """
    return scaled(lambda constant: [constant] * looks, looks, alpha, sides)


def obrien_fleming_spent(time: float, *, alpha: float = 0.05, sides: int = 2) -> float:
    """
    Give how much of alpha Lan and DeMets' O'Brien–Fleming-like function has spent by `time`.

    Args:
        time: Share of all information, in (0, 1].
        alpha: Over all looks and sides, in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        Lan & DeMets (1983), Biometrika 70:659-663.

    >>> round(obrien_fleming_spent(1.0), 4), round(obrien_fleming_spent(0.5), 5)
    (0.05, 0.00305)
    """
    require_open_unit(alpha)
    if not 0 < time <= 1 or sides not in (1, 2):
        msg = f"time lies in (0, 1] and a test has one side or two, not {time}, {sides}"
        raise ValueError(msg)
    per_side = alpha / sides
    return sides * 2 * NORMAL.cdf(-NORMAL.inv_cdf(1 - per_side / 2) / sqrt(time))


def lan_demets(times: Sequence[float], *, alpha: float = 0.05, sides: int = 2) -> list[float]:
    """
    Give bounds on the z scale that spend alpha as O'Brien and Fleming would, at looks that need not be even.

    Args:
        times: Share of all information at each look, rising, in (0, 1].
        alpha: Over all looks and sides, in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        Lan & DeMets (1983), Biometrika 70:659-663.

    >>> [round(bound, 3) for bound in lan_demets([1 / 3, 2 / 3, 1.0])]
    [3.71, 2.511, 1.993]
    """
    known = times_of(len(times), times)
    bounds: list[float] = []
    look, spent, before = start(), 0.0, 0.0
    for time in known:
        due = obrien_fleming_spent(time, alpha=alpha, sides=sides)
        bound = _bound_spending(look, due - spent, time, time - before, sides)
        bounds.append(bound)
        look, spent, before = stepped(look, bound, time, time - before, sides), due, time
    return bounds


def _bound_spending(look: Look, wanted: float, time: float, passed: float, sides: int) -> float:
    """Give the bound at `time` that is crossed there first with probability `wanted`."""
    # Far out the integral is 0 in floats; 9 standard errors are never crossed either.
    low, high = 0.0, 9.0
    for _ in range(45):
        middle = (low + high) / 2
        if exit_at(look, middle, time, passed, sides) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def scaled(shape: Callable[[float], list[float]], looks: int, alpha: float, sides: int) -> list[float]:
    """Give the bounds of a shape whose constant makes them be crossed with probability alpha."""
    require_open_unit(alpha)
    if looks < 1:
        msg = f"at least one look, not {looks}"
        raise ValueError(msg)
    low, high = 0.1, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        if crossing_probability(shape(middle), sides=sides) > alpha:
            low = middle
        else:
            high = middle
    return shape((low + high) / 2)


def exits_of(bounds: Sequence[float], times: Sequence[float], sides: int) -> list[float]:
    """Give, per look, P(the path is outside there and was inside before)."""
    return [look.exit for look in walked(bounds, times, sides)]


class Look(NamedTuple):
    """
    A path's distribution at one look, when nothing differs.

    Attributes:
        exit: P(it leaves here first).
        grid: (points,) of the sum B(t), which has variance t, inside the bounds.
        mass: (points,) density at them times the quadrature's weights.
    """

    exit: float
    grid: NDArray[np.float64]
    mass: NDArray[np.float64]


def walked(bounds: Sequence[float], times: Sequence[float], sides: int) -> Iterator[Look]:
    """
    Walk the path from look to look.

    Raises:
        ValueError: Sides are neither 1 nor 2.
    """
    if sides not in (1, 2):
        msg = f"a test has one side or two, not {sides}"
        raise ValueError(msg)
    look, before = start(), 0.0
    for bound, time in zip(bounds, times, strict=True):
        look, before = stepped(look, bound, time, time - before, sides), time
        yield look


def start() -> Look:
    """Give the path before its first look: at 0, surely."""
    import numpy as np

    return Look(0.0, np.zeros(1), np.ones(1))


def exit_at(look: Look, bound: float, time: float, passed: float, sides: int) -> float:
    """Give P(the path is outside `bound` at `time`, `passed` after a look at which it was inside)."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    upper, step = bound * sqrt(time), sqrt(passed)
    outside = ndtr((look.grid - upper) / step)
    if sides == 2:
        outside = outside + ndtr((-upper - look.grid) / step)
    return float(look.mass @ outside)


def stepped(look: Look, bound: float, time: float, passed: float, sides: int) -> Look:
    """Give the path's distribution inside `bound` at `time`, `passed` after another look."""
    import numpy as np

    upper, step = bound * sqrt(time), sqrt(passed)
    # One-sided paths have no lower end: nine standard errors down is as good as none.
    lower = -upper if sides == 2 else -9.0 * sqrt(time)
    nodes, weights = quadrature(min(MOST_POINTS, max(48, 32 * ceil(5 * (upper - lower) / step / 32))))
    grid = (lower + upper) / 2 + nodes * (upper - lower) / 2
    density = np.exp(-(((grid[:, None] - look.grid[None, :]) / step) ** 2) / 2) @ look.mass / (step * sqrt(2 * pi))
    return Look(exit_at(look, bound, time, passed, sides), grid, density * weights * (upper - lower) / 2)


@lru_cache(maxsize=16)  # finding the nodes takes longer than using them
def quadrature(points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give Gauss and Legendre's nodes and weights on [−1, 1]: (points,) each."""
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(points)
    return nodes, weights


def times_of(looks: int, times: Sequence[float] | None) -> list[float]:
    """
    Give the looks' times, evenly spaced where None.

    Raises:
        ValueError: They do not rise within (0, 1], or their number is not that of the looks.
    """
    if times is None:
        return [look / looks for look in range(1, looks + 1)]
    rising = all(one < two for one, two in zip([0.0, *times], times, strict=False))
    if len(times) != looks or not rising or times[-1] > 1 + 1e-12:
        msg = f"{looks} looks' times rise within (0, 1], not {list(times)}"
        raise ValueError(msg)
    return list(times)


def inflation(bounds: Sequence[float], *, alpha: float = 0.05, power: float = 0.8, sides: int = 2) -> float:
    """
    Give how many times more units a plan with these evenly spaced bounds needs than one look would.

    Args:
        bounds: From `obrien_fleming`, `pocock` or `lan_demets`.
        alpha: That they keep, in (0, 1).
        power: Wanted, in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        Jennison & Turnbull (2000), table 2.4; by integrating the drifted path.

    >>> round(inflation(obrien_fleming(5)), 3)
    1.028
    """
    require_open_unit(alpha, power)
    single = (NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)) ** 2
    low, high = 1.0, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        if _power_drifted(bounds, sqrt(single * middle), sides) < power:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _power_drifted(bounds: Sequence[float], drift: float, sides: int) -> float:
    """Give P(crossing) when the last z has expectation `drift`: paths are reweighted by their likelihood ratio."""
    import numpy as np

    last = list(walked(bounds, times_of(len(bounds), None), sides))[-1]
    return 1 - float(np.sum(last.mass * np.exp(drift * last.grid - drift * drift / 2)))
