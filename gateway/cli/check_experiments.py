"""What `sluice check` says about bandits, factorials and ladders at a given traffic; `sluice plan` says more."""

from __future__ import annotations

from math import ceil

from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan
from gateway.domain.default_plan import DAY_S
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import SplitPlan
from gateway.gates.factorial_plan import feasibility
from gateway.gates.sentence import counted
from gateway.settings.outlook import Traffic

FOUND_LIFT = 0.05
"""The lift that the article plans for."""


def experiment_outlook(plan: SplitPlan, traffic: Traffic) -> tuple[str, bool] | None:
    """Give what an experiment will do at this traffic, and whether it can come to a result; None of a plain split."""
    if plan.bandit is not None:
        return _of_bandit(plan, plan.bandit, traffic), True
    if plan.ladder is not None:
        return _of_ladder(plan, plan.ladder, traffic), True
    return None if plan.factorial is None else _of_factorial(plan, plan.factorial, traffic)


def _of_bandit(plan: SplitPlan, bandit: BanditPlan, traffic: Traffic) -> str:
    smallest = min(weight for _, weight in plan.weights) / BUCKETS
    per_day = traffic.users_per_day * smallest
    rewards_per_day = per_day * traffic.rated * traffic.base_quality
    days = ceil(
        max(
            bandit.min_exploration_s / DAY_S,
            bandit.min_users / per_day,
            bandit.min_conversions / rewards_per_day,
        )
    )
    return (
        f"{plan.route}: {len(plan.weights)} arms share the users equally for {counted(days, 'day')}; then most get what"
        f" is probably best, and {bandit.explore:.0%} stay divided equally."
    )


def _of_ladder(plan: SplitPlan, ladder: LadderPlan, traffic: Traffic) -> str:
    n, per_day = len(ladder.challengers), traffic.users_per_day / 2
    least = max(plan.min_duration_s / DAY_S, 7 * ceil(plan.min_users / per_day / 7))
    most = max(least, ladder.max_round_s / DAY_S)
    if least > ladder.max_round_s / DAY_S:
        return (
            f"{plan.route}: a round ends after {most:g} days without the {plan.min_users:,} users of each arm that a"
            f" verdict wants: every round would be a tie."
        )
    return (
        f"{plan.route}: {counted(n, 'round')} of {least:g} to {most:g} days each, so {n * least:g} to {n * most:g} days"
        " in all."
    )


def _of_factorial(plan: SplitPlan, factorial: FactorialPlan, traffic: Traffic) -> tuple[str, bool]:
    mde = FOUND_LIFT * traffic.base_quality
    needs = feasibility(
        {name: list(levels) for name, levels in factorial.factors},
        users_per_day=traffic.users_per_day,
        baseline=traffic.base_quality,
        mde=mde,
        rated=traffic.rated,
    )
    if needs.refusal is not None:
        return f"{plan.route}: {needs.refusal}", False
    found = f"{100 * mde:.2g} points"
    days = counted(needs.days or 0, "day")
    return f"{plan.route}: {needs.n_cells} combinations; each factor that makes {found} is found within {days}.", True
