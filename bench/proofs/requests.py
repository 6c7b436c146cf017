"""Why users are counted and not requests: a test for one look, on both, where some users fail persistently."""

from __future__ import annotations

from math import sqrt

import numpy as np

from bench.proofs.failures import Flags, Ints
from bench.proofs.population import Population
from bench.proofs.rows import is_within, render_share
from bench.rows import Row

SHARE = 0.05
SURE = 2.3263478740408408
"""What a one-sided test at 1 % needs, in standard errors."""


def prove_requests(scale: float) -> list[Row]:
    """Compare arms that are alike once, after a day and after a week: failing requests, then failing users."""
    runs, rows = max(50, round(5_000 * scale)), list[Row]()
    alike = Population(spread=0.0, persistent=0.0)
    for name, people in (("all users alike", alike), ("1 % of users fail half of the time", Population())):
        for days in (1, 7):
            chance = np.random.default_rng([71, days, people == alike])
            looked = [_looked(chance, people, days) for _ in range(runs)]
            by_request, by_user = (sum(column) for column in zip(*looked, strict=True))
            rows.append(
                Row(f"{name}, {days} d: a 1 % test of failing requests says worse", render_share(by_request, runs))
            )
            # The few failing users of a small arm are no normal variable: up to half as often again.
            is_met = is_within(by_user, runs, 0.015)
            rows.append(Row("… of users who ever failed", render_share(by_user, runs), "about 1 %", is_met))
    return rows


def _looked(chance: np.random.Generator, people: Population, days: int) -> tuple[bool, bool]:
    slot, activity, rate = people.drawn(chance)
    requests = chance.poisson(activity * days)
    failing, mine = chance.binomial(requests, rate), slot < SHARE
    return _is_worse(failing, requests, mine), _is_worse((failing > 0).astype(int), (requests > 0).astype(int), mine)


def _is_worse(failing: Ints, of: Ints, mine: Flags) -> bool:
    n, other = int(of[mine].sum()), int(of[~mine].sum())
    rate = failing.sum() / (n + other)
    apart = failing[mine].sum() / n - failing[~mine].sum() / other
    return bool(apart > SURE * sqrt(rate * (1 - rate) * (1 / n + 1 / other)))
