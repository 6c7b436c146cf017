"""
What `sluice plan` says of an interval that is looked at every day, held against votes that were drawn and looked at.

Sizes and chances are the plan's; whether an effect was found is said by the interval of `stats.anytime` over what came.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import render_share
from bench.rows import Row
from gateway.report.experiment_plan import Aim, Crowd, Kind, Method, alpha_of, need_of, plan_experiment
from gateway.stats.anytime import half_width
from gateway.stats.planning import BURN_IN

RUNS = 20_000
POINTS = 0.02


@dataclass(frozen=True, slots=True)
class Case:
    """
    An experiment that is planned, and then made.

    Attributes:
        name: As it is told.
        aim: With an effect.
        crowd: With users per day.
    """

    name: str
    aim: Aim
    crowd: Crowd


CASES = (
    Case("80 % → 84 %, 210 users a day", Aim(Kind.RATE, 0.8, 0.04), Crowd(210.0)),
    Case("80 % → 84 %, 1,000 users a day, a fifth get it", Aim(Kind.RATE, 0.8, 0.04), Crowd(1_000.0, share=0.2)),
    Case("90 % → 88.2 %, 400 users a day", Aim(Kind.RATE, 0.9, -0.018), Crowd(400.0)),
    Case("5 % → 6 %, three arms, 1,500 users a day", Aim(Kind.RATE, 0.05, 0.01), Crowd(1_500.0, arms=3)),
    Case("80 % → 84 %, 1,000 users a day, a tenth rate", Aim(Kind.RATE, 0.8, 0.04), Crowd(1_000.0, rated=0.1)),
    Case(
        "80 % → 84 %, 500 users a day, 1,500 a week",
        Aim(Kind.RATE, 0.8, 0.04),
        Crowd(500.0, 1_500.0),
    ),
)


def prove_planning(scale: float) -> list[Row]:
    """Run every case for as many days as its plan wants, and look every day."""
    runs = max(200, round(RUNS * scale))
    return [
        row for seed, case in enumerate(CASES) for row in (_daily(case, runs, seed), _at_one_looks_size(case, runs))
    ]


def _daily(case: Case, runs: int, seed: int) -> Row:
    need = need_of(case.aim, case.crowd, Method.ANYTIME, 2)
    assert need.days is not None
    days = ceil(need.days)
    share = float(found_by(case, days, runs, seed=seed).mean())
    short = float(found_by(case, max(1, days - 1), runs, seed=seed + 100).mean())
    # A plan ends at a day's look: power there is at least, and the day before less than, what was asked for.
    is_met = share >= case.aim.power - POINTS and short <= case.aim.power + POINTS
    return Row(
        f"{case.name}: found within {days} days, looking every day (a day less: {100 * short:.1f} %)",
        render_share(round(share * runs), runs),
        "≥ 78 %; a day less ≤ 82 %",
        is_met,
    )


def _at_one_looks_size(case: Case, runs: int) -> Row:
    plan = plan_experiment(case.aim, case.crowd, methods=(Method.ANYTIME,), sides=(2,))
    assert plan.planned_n is not None and plan.chance_then is not None
    candidate, baseline = _sizes(case.crowd, plan.planned_n)
    z = _z(case.aim, np.full(runs, candidate), np.full(runs, baseline), np.random.default_rng([97, candidate]))
    n = 2 * plan.planned_n
    bound = half_width(n, se=1.0, alpha=alpha_of(case.aim, case.crowd), n_star=n)
    share = float((z * np.sign(case.aim.effect or 0) > bound).mean())
    return Row(
        f"… at {ceil(plan.planned_n):,} per arm, which suit one look (reckoned: {100 * plan.chance_then:.1f} %)",
        render_share(round(share * runs), runs),
        "reckoned ± 2",
        abs(share - plan.chance_then) <= POINTS,
    )


def found_by(case: Case, days: int, runs: int, *, seed: int) -> NDArray[np.bool_]:
    """
    Tell of each run whether the interval excluded zero, on the effect's side or the other, at some day's look.

    Args:
        case: What is made.
        days: Looks.
        runs: How many.
        seed: Of the votes.

    Returns:
        (runs,) of bool.
    """
    rng, aim, crowd = np.random.default_rng([96, seed]), case.aim, case.crowd
    planned = aim.n_of(aim.effect or 0.0, alpha=alpha_of(aim, crowd), sides=2, share=crowd.compared_share)
    found = np.zeros(runs, dtype=bool)
    good = np.zeros((2, runs))
    n = np.zeros(2)
    for day in range(1, days + 1):
        now = np.array(_sizes(crowd, crowd.per_arm(crowd.users_by(day))))
        rates = (aim.baseline + (aim.effect or 0.0), aim.baseline)
        for arm in range(2):
            good[arm] += rng.binomial(int(now[arm] - n[arm]), rates[arm], size=runs)
        n = now
        balanced = 2 * n[0] * n[1] / (n[0] + n[1])
        if balanced < BURN_IN:
            continue
        rate = good / n[:, None]
        se = np.sqrt((rate * (1 - rate) / n[:, None]).sum(axis=0))
        bound = half_width(2 * balanced, se=1.0, alpha=alpha_of(aim, crowd), n_star=2 * planned)
        found |= np.abs(rate[0] - rate[1]) > bound * se
    return found


def _z(
    aim: Aim, candidate: NDArray[np.int_], baseline: NDArray[np.int_], rng: np.random.Generator
) -> NDArray[np.float64]:
    one = rng.binomial(candidate, aim.baseline + (aim.effect or 0.0)) / candidate
    two = rng.binomial(baseline, aim.baseline) / baseline
    z: NDArray[np.float64] = (one - two) / np.sqrt(one * (1 - one) / candidate + two * (1 - two) / baseline)
    return z


def _sizes(crowd: Crowd, n_per_arm: float) -> tuple[int, int]:
    users = crowd.users_for(n_per_arm) * crowd.rated
    candidate, baseline = crowd.shares
    return round(users * candidate), round(users * baseline)
