"""
Many questions at once: which answers still stand.

Every function takes p-values (or e-values) first and gives one bool per value, in their order: True where the null is
rejected. Holm and Hochberg keep the chance of *any* false rejection below alpha; the others keep the expected share
of false ones among the rejected below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, exp, pi, sqrt
from statistics import NormalDist

from gateway.stats.proportion import require_open_unit


def holm(p_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """
    Reject by Holm's step-down rule; under any dependence.

    Args:
        p_values: In [0, 1]; empty is allowed.
        alpha: P(any false rejection), in (0, 1).

    Raises:
        ValueError: A p-value is outside [0, 1] or alpha outside (0, 1).

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    >>> holm([0.01, 0.04, 0.03])
    [True, False, False]
    """
    order = ranked(p_values, alpha)
    rejected = [False] * len(order)
    for position, index in enumerate(order):
        if p_values[index] > alpha / (len(order) - position):
            break
        rejected[index] = True
    return rejected


def hochberg(p_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """
    Reject by Hochberg's step-up rule; for independent or positively dependent values.

    Args:
        p_values: In [0, 1]; empty is allowed.
        alpha: P(any false rejection), in (0, 1).

    Raises:
        ValueError: A p-value is outside [0, 1] or alpha outside (0, 1).

    Source:
        Hochberg (1988), Biometrika 75:800-802.

    >>> hochberg([0.04, 0.045])
    [True, True]
    """
    return stepped_up(p_values, alpha, lambda rank, count: alpha / (count - rank + 1))


def benjamini_hochberg(p_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """
    Reject at a false discovery rate of alpha; for independent or positively dependent values.

    Args:
        p_values: In [0, 1]; empty is allowed.
        alpha: Expected share of false rejections among all, in (0, 1).

    Raises:
        ValueError: A p-value is outside [0, 1] or alpha outside (0, 1).

    Source:
        Benjamini & Hochberg (1995), JRSS B 57:289-300.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [True, True, True]
    """
    return stepped_up(p_values, alpha, lambda rank, count: alpha * rank / count)


def benjamini_yekutieli(p_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """
    Reject at a false discovery rate of alpha, under any dependence.

    Args:
        p_values: In [0, 1]; empty is allowed.
        alpha: Expected share of false rejections among all, in (0, 1).

    Raises:
        ValueError: A p-value is outside [0, 1] or alpha outside (0, 1).

    Source:
        Benjamini & Yekutieli (2001), Annals of Statistics 29:1165-1188.

    >>> benjamini_yekutieli([0.01, 0.04, 0.03])
    [False, False, False]
    """
    harmonic = sum(1 / rank for rank in range(1, len(p_values) + 1))
    return stepped_up(p_values, alpha, lambda rank, count: alpha * rank / (count * harmonic))


def e_benjamini_hochberg(e_values: Sequence[float], *, alpha: float = 0.05) -> list[bool]:
    """
    Reject at a false discovery rate of alpha from e-values, under any dependence and at any number of looks.

    Args:
        e_values: At least 0; empty is allowed.
        alpha: Expected share of false rejections among all, in (0, 1).

    Raises:
        ValueError: An e-value is negative or alpha outside (0, 1).

    Source:
        Wang & Ramdas (2022), JRSS B 84:822-852.

    >>> e_benjamini_hochberg([90.0, 15.0, 1.0, 25.0])
    [True, False, False, False]
    """
    if any(value < 0 for value in e_values):
        msg = "an e-value is at least 0"
        raise ValueError(msg)
    return stepped_up([min(1.0, 1 / value) if value else 1.0 for value in e_values], alpha, lambda k, n: alpha * k / n)


def dunnett_critical(n_arms: int, *, alpha: float = 0.05, sides: int = 2) -> float:
    """
    Give Dunnett's critical value for `n_arms` arms against one control of equal size, with known variance.

    Args:
        n_arms: Arms besides the control, at least 1.
        alpha: P(any false rejection), in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        Dunnett (1955), JASA 50:1096-1121; tables' row for infinite degrees of freedom.

    >>> round(dunnett_critical(4), 2), round(dunnett_critical(1), 2)
    (2.44, 1.96)
    """
    require_open_unit(alpha)
    if n_arms < 1 or sides not in (1, 2):
        msg = f"at least one arm and one or two sides, not {n_arms}, {sides}"
        raise ValueError(msg)
    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        if kept_together(middle, n_arms, sides) < 1 - alpha:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def dunnett_factor(n_arms: int, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2) -> float:
    """
    Give how many times more units each arm needs when `n_arms` are compared with one control.

    Raises:
        ValueError: Something is out of range.

    Source:
        Normal approximation: ((d + z_power) / (z_alpha + z_power))².

    >>> round(dunnett_factor(4), 2)
    1.37
    """
    require_open_unit(alpha, power)
    z = NormalDist()
    plain = z.inv_cdf(1 - alpha / sides) + z.inv_cdf(power)
    return ((dunnett_critical(n_arms, alpha=alpha, sides=sides) + z.inv_cdf(power)) / plain) ** 2


def kept_together(critical: float, n_arms: int, sides: int) -> float:
    """Give P(no arm passes `critical`) when nothing differs: an integral over the control's own deviation."""
    total, steps, width = 0.0, 400, 16.0
    for step in range(steps + 1):
        x = -8.0 + width * step / steps
        upper = phi(x + critical * sqrt(2))
        inside = upper - phi(x - critical * sqrt(2)) if sides == 2 else upper
        total += exp(-x * x / 2) / sqrt(2 * pi) * inside**n_arms * (0.5 if step in (0, steps) else 1.0)
    return total * width / steps


def phi(x: float) -> float:
    """Give the standard normal distribution's share up to x."""
    return (1 + erf(x / sqrt(2))) / 2


def ranked(p_values: Sequence[float], alpha: float) -> list[int]:
    """Give the indexes of `p_values` from small to large; refuse what cannot be one."""
    require_open_unit(alpha)
    if any(not 0 <= value <= 1 for value in p_values):
        msg = "a p-value lies in [0, 1]"
        raise ValueError(msg)
    return sorted(range(len(p_values)), key=p_values.__getitem__)


def stepped_up(p_values: Sequence[float], alpha: float, line: Callable[[int, int], float]) -> list[bool]:
    """Reject the largest value below its line (of rank and count), and all smaller ones."""
    order = ranked(p_values, alpha)
    last = 0
    for rank, index in enumerate(order, start=1):
        # 1/e is not exact: without the breath of tolerance an e-value at its very line would miss it.
        if p_values[index] <= line(rank, len(order)) * (1 + 1e-12):
            last = rank
    rejected = [False] * len(order)
    for index in order[:last]:
        rejected[index] = True
    return rejected
