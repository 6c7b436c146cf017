"""The alpha ledger: what chance of a false alarm each life, month and round may spend."""

from __future__ import annotations

from math import pi

from gateway.stats.proportion import require_open_unit

RENEWED_EVERY_S = 30 * 86_400.0
"""After 100 % a candidate is watched for good; each such month is a rollout of its own, with its own alpha."""


def alpha_of_life(alpha: float, n_resumes: int) -> float:
    """
    Give what the life after the `n_resumes`-th resume may spend.

    A person who resumes after every trip would otherwise get a fresh alpha each time, and any candidate would fall in
    the end. The parts of all lives, however many, add up to `alpha`.

    Args:
        alpha: Of the whole rollout, in (0, 1).
        n_resumes: Resumes after trips so far, 0 or more.

    Returns:
        alpha · 6/(π²·(n_resumes + 1)²), in (0, alpha).

    Raises:
        ValueError: Alpha is outside (0, 1), or n_resumes negative.

    Source:
        Σ 1/k² = π²/6 (Euler, 1735); as alpha-spending over open-ended tests, Foster & Stine (2008), JRSS B 70:429-444.

    >>> [round(alpha_of_life(0.004, k), 5) for k in range(3)]
    [0.00243, 0.00061, 0.00027]
    """
    return alpha_of_round(alpha, n_resumes + 1)


def alpha_of_round(alpha: float, number: int) -> float:
    """
    Give what the `number`-th round of a ladder may spend, so that all rounds together spend `alpha`.

    Args:
        alpha: Of the whole ladder, in (0, 1).
        number: Of the round, from 1.

    Returns:
        alpha · 6/(π²·number²).

    Raises:
        ValueError: Alpha is outside (0, 1), or number below 1.

    >>> round(alpha_of_round(0.05, 1), 5), round(sum(alpha_of_round(0.05, r) for r in range(1, 5000)), 4)
    (0.0304, 0.05)
    """
    require_open_unit(alpha)
    if number < 1:
        msg = f"lives and rounds are counted from the first, not {number}"
        raise ValueError(msg)
    return alpha * 6 / (pi * number) ** 2


def spent(alpha: float, n_resumes: int) -> float:
    """
    Give what all lives so far may have spent, the present one included.

    >>> round(spent(0.004, 0), 5), round(spent(0.004, 9), 5)
    (0.00243, 0.00377)
    """
    return sum(alpha_of_life(alpha, life) for life in range(n_resumes + 1))
