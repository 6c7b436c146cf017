"""What a proof tells: how often, of how many, and what that leaves open."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from bench.proofs.kept import KeptTrials
from bench.rows import Row

Part = Callable[[float], list[Row]]
"""Runs one part at a scale: 1 is full size."""

ManyRuns = Callable[[float, int, KeptTrials], list[Row]]
"""Likewise, in so many processes at once, going on from runs that were kept."""


def render_share(n: int, runs: int) -> str:
    """
    Give how often, of how many, and the standard error; of none, what it is surely below.

    >>> render_share(3, 1000), render_share(0, 1000)
    ('0.30 % ± 0.17 (3 of 1,000)', '0 of 1,000 (95 % sure: below 0.30 %)')
    """
    if not n:
        return f"0 of {runs:,} (95 % sure: below {100 * (1 - 0.05 ** (1 / runs)):.2f} %)"
    share = n / runs
    return f"{share:.2%} ± {100 * sqrt(share * (1 - share) / runs):.2f} ({n:,} of {runs:,})".replace("%", " %")


def render_bounded(n: int, runs: int) -> str:
    """
    Give how many of how many, and what the share is surely below: exact, one-sided (Clopper and Pearson, 1934).

    >>> render_bounded(1, 200)
    '1 of 200 (95 % sure: below 2.35 %)'
    """
    return f"{n:,} of {runs:,} (95 % sure: below {100 * _surely_below(n, runs):.2f} %)"


def is_within(n: int, runs: int, share: float) -> bool:
    """
    Tell whether `n` of `runs` may come of a rate of `share`, as far as so many runs can tell: two standard errors.

    >>> is_within(4, 200, 0.008), is_within(5, 200, 0.008)
    (True, False)
    """
    return n / runs <= share + 2 * sqrt(share * (1 - share) / runs)


def _surely_below(n: int, runs: int) -> float:
    from scipy.stats import beta  # type: ignore[import-untyped]

    return 1.0 if n == runs else float(beta.ppf(0.95, n + 1, runs - n))
