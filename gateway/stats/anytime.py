"""
Intervals and odds that hold however often one looks, and whenever one stops.

A 95 % interval is wrong once in twenty looks, not once in twenty experiments. These are wrong, over all looks together,
at most `alpha` of the time. The price is width: about 1.6 times at the size they are tuned to.

The asymptotic ones need a burn-in: ≥ 100 units per arm, and of binary metrics ≥ 5 of either kind in each.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log, sqrt

from gateway.stats.interval import Interval
from gateway.stats.proportion import require_counts, require_open_unit


def tuning(*, alpha: float, n_star: float, sides: int = 2) -> float:
    """
    Give ρ, which makes the sequence narrowest about `n_star` units.

    Args:
        alpha: In (0, 1); one-sided below 0.5.
        n_star: Units, of both arms, above 0.
        sides: 1 or 2.

    Raises:
        ValueError: One of them is outside its range.

    Source:
        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Ann. Statist. 52(6), § B.2; an approximation to the
        exact Lambert-W optimum, 2 % from it and of no consequence for the width.

    >>> round(tuning(alpha=0.05, n_star=5000), 8)
    0.03984007
    """
    both = alpha * 2 if sides == 1 else alpha
    require_open_unit(both)
    if sides not in {1, 2} or n_star <= 0:
        msg = f"no sequence has {sides} sides or is tuned to {n_star} units"
        raise ValueError(msg)
    twice = -2 * log(both)
    return sqrt((twice + log(twice + 1)) / n_star)


def half_width(n: float, *, se: float, alpha: float, n_star: float, sides: int = 2) -> float:
    """
    Give how far an asymptotic confidence sequence reaches from its estimate.

    Args:
        n: Independent units so far, of both arms, above 0.
        se: The estimate's standard error, now; its unit is the answer's.
        alpha: P(ever wrong), in (0, 1); one-sided below 0.5.
        n_star: Units at which it should be narrowest: the planned number. Fixed beforehand, or chosen by nothing that
            depends on the estimate.
        sides: 2 for an interval, 1 for a bound.

    Returns:
        The half width, above 0 where se is.

    Raises:
        ValueError: n or n_star is not above 0, se negative, alpha or sides outside their range.

    Source:
        Waudby-Smith et al. (2024), Ann. Statist. 52(6), Theorem 2.2 (two-sided) and Proposition B.1 (one-sided).

    >>> round(half_width(5000, se=1 / 5000**0.5, alpha=0.05, n_star=5000), 6)
    0.042924
    """
    rho = tuning(alpha=alpha, n_star=n_star, sides=sides)
    if n <= 0 or se < 0:
        msg = f"no estimate comes from {n} units with standard error {se}"
        raise ValueError(msg)
    grown = n * rho * rho + 1
    reach = log(sqrt(grown) / alpha) if sides == 2 else log(1 + sqrt(grown) / (2 * alpha))
    return se * sqrt(n) * sqrt(2 * grown / (n * rho) ** 2 * reach)


def lower_bound(estimate: float, se: float, n: float, alpha: float, n_star: float) -> float:
    """
    Give what the truth is never below, but for `alpha`, over all looks.

    Arguments as of `half_width`, and `estimate` in the unit of se.

    >>> round(lower_bound(0.05, se=0.01, n=2000, alpha=0.05, n_star=2000), 4)
    0.0222
    """
    return estimate - half_width(n, se=se, alpha=alpha, n_star=n_star, sides=1)


def upper_bound(estimate: float, se: float, n: float, alpha: float, n_star: float) -> float:
    """
    Give what the truth is never above, but for `alpha`, over all looks.

    Arguments as of `half_width`, and `estimate` in the unit of se.

    >>> round(upper_bound(0.05, se=0.01, n=2000, alpha=0.05, n_star=2000), 4)
    0.0778
    """
    return estimate + half_width(n, se=se, alpha=alpha, n_star=n_star, sides=1)


def interval(estimate: float, se: float, n: float, alpha: float, n_star: float) -> Interval:
    """
    Give the two-sided confidence sequence's present interval.

    Arguments as of `half_width`, and `estimate` in the unit of se.

    >>> low, high = interval(0.0, se=1.0, n=5000, alpha=0.05, n_star=5000)
    >>> round(high, 3), low == -high
    (3.035, True)
    """
    half = half_width(n, se=se, alpha=alpha, n_star=n_star, sides=2)
    return Interval(estimate - half, estimate + half)


def msprt(estimate: float, *, se: float, tau: float) -> float:
    """
    Give the odds of the mixture sequential probability ratio test against a difference of 0.

    Args:
        estimate: The difference.
        se: Its standard error, above 0.
        tau: Standard deviation of the differences that the alternative expects, in the same unit, above 0; fixed
            beforehand.

    Returns:
        Λ > 0; P(it ever reaches 1/alpha without a difference) ≤ alpha. Infinite where it is too large for a float.

    Raises:
        ValueError: se or tau is not above 0.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409; Johari, Koomen, Pekelis & Walsh (2022), Oper. Res.
        70:1806-1821. With tau = ρ·se·√n it is the sequence above: Λ = 1/alpha where the interval touches 0.

    >>> round(msprt(0.03, se=0.01, tau=0.02), 3)
    16.367
    """
    if se <= 0 or tau <= 0:
        msg = f"odds need a spread above 0, not {se} and {tau}"
        raise ValueError(msg)
    v, t = se * se, tau * tau
    log_odds = 0.5 * log(v / (v + t)) + t * estimate * estimate / (2 * v * (v + t))
    return exp(log_odds) if log_odds < 700 else inf


def always_valid_p(e_value: float) -> float:
    """
    Give the p-value that an e-value stands for: any number of looks, any time to stop.

    Args:
        e_value: 0 or more: odds, or the largest odds so far.

    Raises:
        ValueError: It is negative.

    Source:
        Vovk & Wang (2021), Ann. Statist. 49:1736-1754; Johari et al. (2022).

    >>> always_valid_p(40.0), always_valid_p(0.5)
    (0.025, 1.0)
    """
    if not e_value >= 0:
        msg = f"odds are never {e_value}"
        raise ValueError(msg)
    return 1.0 if e_value <= 1 else 1 / e_value


def log_rate_odds(successes: float, n: float, *, rate: float, alpha: float, n_star: float) -> float:
    """
    Give the log odds of a beta-binomial mixture against the truth being `rate`.

    The prior is Beta(k·rate, k·(1−rate)): centred on what it is held against, as narrow as `n_star` asks for.

    Args:
        successes: 0 ≤ successes ≤ n.
        n: Independent trials, 0 or more.
        rate: In (0, 1).
        alpha: Level it is tuned to, in (0, 1).
        n_star: Trials it is tuned to, above 0.

    Returns:
        ln Λ; P(it ever reaches ln 1/alpha, the rate being the truth) ≤ alpha, exactly and from the first trial on.

    Raises:
        ValueError: One of them is outside its range.

    Source:
        Howard, Ramdas, McAuliffe & Sekhon (2021), Ann. Statist. 49:1055-1080, Proposition 7.

    >>> round(log_rate_odds(135, 625, rate=0.2, alpha=0.05, n_star=625), 6)
    -0.694101
    """
    require_counts(successes, n)
    require_open_unit(rate)
    rho = tuning(alpha=alpha, n_star=n_star)
    weight = max(1 / (rho * rho) - 1, 1e-3)
    a, b = weight * rate, weight * (1 - rate)
    mixed = lgamma(a + successes) + lgamma(b + n - successes) - lgamma(weight + n)
    before = lgamma(a) + lgamma(b) - lgamma(weight)
    return mixed - before - successes * log(rate) - (n - successes) * log(1 - rate)
