"""What looking often does to a test, and to a sequence made for it."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import render_share
from bench.rows import Row
from gateway.stats.anytime import half_width

ARMITAGE = {1: 0.050, 5: 0.142, 10: 0.193, 100: 0.374}
"""P(a 5 % test is ever significant) by looks: Armitage, McPherson & Rowe (1969), JRSS A 132:235-244, table 2."""

LOOK_EVERY, UNITS, BURN_IN = 100, 20_000, 100


def prove_peeking(scale: float) -> list[Row]:
    """Look at a 5 % test again and again, nothing being different."""
    chance, runs = np.random.default_rng(20_261_122), max(2_000, round(200_000 * scale))
    n_false = dict.fromkeys(ARMITAGE, 0)
    for _ in range(0, runs, 2_000):
        path = np.abs(chance.standard_normal((2_000, 100)).cumsum(axis=1)) / np.sqrt(np.arange(1, 101))
        for looks in ARMITAGE:
            n_false[looks] += int((path[:, :looks].max(axis=1) > 1.959964).sum())
    return [
        Row(
            f"5 % test, {looks} looks: ever significant",
            render_share(n_false[looks], runs),
            f"{100 * known:.1f} %",
            abs(n_false[looks] / runs - known) < 0.001 + 4 * sqrt(known * (1 - known) / runs),
        )
        for looks, known in ARMITAGE.items()
    ]


def prove_anytime(scale: float) -> list[Row]:
    """Look at equal arms every 100 users up to 20,000 by confidence sequences, and by a z-test."""
    runs, rows = max(500, round(10_000 * scale)), list[Row]()
    for rate, share in ((0.5, 0.5), (0.2, 0.5), (0.8, 0.05), (0.02, 0.5), (0.02, 0.05), (0.98, 0.05)):
        two, up, down, naive = _ever_false(rate, share, runs)
        limit = 0.05 if 0.1 < rate < 0.9 and share == 0.5 else 0.06
        what = f"equal arms, rate {100 * rate:g} %, candidate {100 * share:g} %, 200 looks, alpha 5 %"
        sequences = {f"{what}: two-sided sequence": two, "… one-sided, above": up, "… one-sided, below": down}
        for name, n_false in sequences.items():
            rows.append(_row(name, n_false, runs, limit))
        rows.append(Row("… the same looks with a 5 % z-test", render_share(naive, runs)))
    return rows


def _row(name: str, n_false: int, runs: int, limit: float) -> Row:
    noise = 2 * sqrt(limit * (1 - limit) / runs)
    return Row(name, render_share(n_false, runs), f"≤ {100 * limit:g} %", n_false / runs <= limit + noise)


def _ever_false(rate: float, share: float, runs: int) -> tuple[int, int, int, int]:
    chance = np.random.default_rng([7, round(rate * 1000), round(share * 1000)])
    looks = UNITS // LOOK_EVERY
    mine = chance.binomial(LOOK_EVERY, share, (runs, looks))
    n = mine.cumsum(axis=1)
    m = np.arange(1, looks + 1) * LOOK_EVERY - n
    good = chance.binomial(mine, rate).cumsum(axis=1)
    others = chance.binomial(LOOK_EVERY - mine, rate).cumsum(axis=1)
    is_ready = (n >= BURN_IN) & (m >= BURN_IN) & (np.minimum.reduce([good, n - good, others, m - others]) >= 5)
    p, q = good / np.maximum(n, 1), others / np.maximum(m, 1)
    se = np.sqrt(p * (1 - p) / np.maximum(n, 1) + q * (1 - q) / np.maximum(m, 1))
    total = n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(is_ready, (p - q) / se, 0.0)
    reach = {sides: _reach(total, sides) for sides in (1, 2)}
    return (
        int((np.abs(z) > reach[2]).any(axis=1).sum()),
        int((z > reach[1]).any(axis=1).sum()),
        int((z < -reach[1]).any(axis=1).sum()),
        int((np.abs(z) > 1.959964).any(axis=1).sum()),
    )


def _reach(total: NDArray[np.int64], sides: int) -> NDArray[np.float64]:
    """Give the half width in standard errors."""
    widths = {int(n): half_width(int(n), se=1.0, alpha=0.05, n_star=UNITS / 2, sides=sides) for n in np.unique(total)}
    sizes = np.unique(total)
    return np.array([widths[int(n)] for n in sizes])[np.searchsorted(sizes, total)]
