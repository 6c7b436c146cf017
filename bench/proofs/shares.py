"""Sample ratio mismatch: how often the sequential test and a peeked-at χ² are false, and how soon they find one."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.proofs.rows import render_share
from bench.rows import Row
from gateway.stats.srm import ALARM_AT, CONCENTRATION

LOOKS, EVERY = 400, 50


def prove_shares(scale: float) -> list[Row]:
    """Look 400 times, every 50 users, at arms of the planned shares; then at arms of others."""
    rows, runs = [], max(500, round(20_000 * scale))
    for share in (0.5, 0.05, 0.01):
        odds, chi = _watched(share, share, runs, seed=round(share * 1000))
        odds_false, chi_false = (
            int((odds >= np.log(ALARM_AT)).any(axis=1).sum()),
            int((chi > 10.8276).any(axis=1).sum()),
        )
        what = f"planned share {100 * share:g} % kept, {LOOKS} looks up to {LOOKS * EVERY:,} users"
        rows.append(
            Row(f"{what}: sequential, Λ ≥ 1000", render_share(odds_false, runs), "≤ 0.2 %", odds_false / runs <= 0.002)
        )
        rows.append(Row("… χ² at p < 0.001, looked at as often", render_share(chi_false, runs)))
    for planned, real, said in ((0.5, 0.47, 4_700), (0.05, 0.06, 8_200)):
        odds, _ = _watched(planned, real, max(200, runs // 10), seed=3)
        above = odds >= np.log(ALARM_AT)
        users = np.where(above.any(axis=1), (above.argmax(axis=1) + 1) * EVERY, LOOKS * EVERY * 10)
        found = int(np.median(users))
        what = f"planned share {100 * planned:g} %, real {100 * real:g} %: users until found, median (p90)"
        came = f"{found:,} ({int(np.quantile(users, 0.9)):,})"
        rows.append(Row(what, came, f"about {said:,}", abs(found - said) < 0.25 * said))
    return rows


def _watched(planned: float, real: float, runs: int, *, seed: int) -> tuple[Any, Any]:
    from scipy.special import gammaln  # type: ignore[import-untyped]

    chance = np.random.default_rng([31, seed])
    n = np.arange(1, LOOKS + 1) * EVERY
    mine = chance.binomial(EVERY, real, (runs, LOOKS)).cumsum(axis=1)
    a, b = CONCENTRATION * planned, CONCENTRATION * (1 - planned)
    before = gammaln(CONCENTRATION) - gammaln(a) - gammaln(b)
    odds = before + gammaln(a + mine) + gammaln(b + n - mine) - gammaln(CONCENTRATION + n)
    odds -= mine * np.log(planned) + (n - mine) * np.log(1 - planned)
    chi = (mine - n * planned) ** 2 / (n * planned * (1 - planned))
    return odds, chi
