"""
What the other ways of experimenting would need: all combinations at once, a bandit, a ladder; and the article's table.

As `experiment_plan`, by normal approximation, for users that come evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb, inf, prod

from gateway.report.experiment_plan import PATIENCE_DAYS, Aim, Crowd, Kind, Method, Need, need_of
from gateway.stats.alpha import alpha_of_round
from gateway.stats.planning import pick_chance
from gateway.stats.power import bisected, power_of, two_rates_n

INTERACTION = 4.0
"""A difference of two differences has four times the variance of one main effect's."""
LEAST_PER_CELL = 20
"""Below this a cell's own mean says nothing, and its interactions rest on a handful of users."""
LEAST_PER_ARM = 100
LEAST_GOOD = 40
LEAST_EXPLORED_DAYS = 3.0
"""A bandit explores until each of its arms has so many users, so many of them good, and it is so many days old."""
EXPLORED = 0.1
"""Of users, who go on being divided equally."""


@dataclass(frozen=True, slots=True)
class FactorNeed:
    """
    What a factor needs.

    Attributes:
        levels: How many it has.
        pairs: Comparisons among them, which share alpha (Holm's first step).
        n_per_level: Units of each level.
        users: All users, rated or not.
        days: Until they came; None where the traffic is not known, inf for never.
    """

    levels: int
    pairs: int
    n_per_level: float
    users: float
    days: float | None


@dataclass(frozen=True, slots=True)
class FactorialOutlook:
    """
    What all combinations at once need; two-sided, one look at the end.

    Attributes:
        cells: How many combinations.
        factors: (factors,) in the order given.
        users: All users, so that every factor's levels can be told apart.
        per_cell: Of these, in each combination.
        days: Until they came; None where the traffic is not known, inf for never.
        interaction_users: All users, to find a two-way interaction of the same size.
        interaction_days: Until they came.
        one_by_one_users: What the factors would need in experiments one after the other.
    """

    cells: int
    factors: tuple[FactorNeed, ...]
    users: float
    per_cell: float
    days: float | None
    interaction_users: float
    interaction_days: float | None
    one_by_one_users: float

    @property
    def is_fed(self) -> bool | None:
        """Tell whether the traffic can feed the cells within 90 days; None where it is not known."""
        if self.per_cell < LEAST_PER_CELL:
            return False
        return None if self.days is None else self.days <= PATIENCE_DAYS


@dataclass(frozen=True, slots=True)
class BanditOutlook:
    """
    What a bandit needs, if one arm is better by the effect and all others are alike.

    Attributes:
        arms: How many.
        explored_n: Units with an outcome per arm, when exploration ends.
        explored_days: Until then; None where the traffic is not known, inf for never.
        chance: P(the best arm leads then).
        sure_n: Units per arm after which it leads with probability .95.
        sure_days: Until then, were all users divided equally.
        proof: What the slice that goes on exploring needs, by itself, to prove the best arm better than another.
        most: The largest share the best arm can get.
    """

    arms: int
    explored_n: float
    explored_days: float | None
    chance: float
    sure_n: float
    sure_days: float | None
    proof: Need
    most: float


@dataclass(frozen=True, slots=True)
class Round:
    """
    One round of a ladder.

    Attributes:
        number: From 1.
        alpha: That it may spend.
        need: Of the champion and one challenger, in two equal arms.
    """

    number: int
    alpha: float
    need: Need


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """
    A row of the article's table beside what can be reckoned.

    Attributes:
        baseline: Rate.
        target: Rate.
        printed: Users per arm that the article says.
        one_sided: Pooled.
        two_sided: Pooled.
        drop: Two-sided and pooled, for a drop as large.
        power: Of a two-sided test with the article's number.
        is_consistent: Whether the article's number is the one-sided one, but for rounding.
    """

    baseline: float
    target: float
    printed: int
    one_sided: float
    two_sided: float
    drop: float
    power: float

    @property
    def is_consistent(self) -> bool:
        """Tell whether the article's number is the one-sided one, but for rounding."""
        return abs(self.printed / self.one_sided - 1) < 0.1


ARTICLE = ((0.80, 0.84, 1_200), (0.80, 0.824, 3_300), (0.80, 0.816, 7_500), (0.90, 0.927, 2_100), (0.90, 0.918, 4_700))
"""Baseline, target and users per arm, as printed."""


def plan_factorial(aim: Aim, crowd: Crowd, levels: Sequence[int]) -> FactorialOutlook:
    """
    Reckon what all combinations of factors need.

    Args:
        aim: An effect, of one level against another.
        crowd: Who comes; its arms and share do not matter.
        levels: (factors,) of each factor, at least 2.

    Raises:
        ValueError: The aim has no effect, or something is out of range.
    """
    factors = tuple(_factor_need(aim, crowd, each) for each in levels)
    users = max(each.users for each in factors)
    interaction = INTERACTION * 2 * aim.n_of(effect_in(aim), alpha=aim.alpha, sides=2) / crowd.rated
    return FactorialOutlook(
        cells=prod(levels),
        factors=factors,
        users=users,
        per_cell=users * crowd.rated / prod(levels),
        days=crowd.days_for(users),
        interaction_users=interaction,
        interaction_days=crowd.days_for(interaction),
        one_by_one_users=sum(each.users for each in factors),
    )


def plan_bandit(aim: Aim, crowd: Crowd, arms: int) -> BanditOutlook:
    """
    Reckon what a bandit needs whose best arm is better by the aim's effect than all the others.

    Args:
        aim: Of a rate, with an effect.
        crowd: Who comes; its arms and share do not matter.
        arms: At least 2.

    Raises:
        ValueError: The aim has no effect, or is none of a rate, or something is out of range.
    """
    effect = effect_in(aim)
    if aim.kind is not Kind.RATE:
        msg = "a bandit's chances are reckoned for rates"
        raise ValueError(msg)
    equal = replace(crowd, arms=arms, share=None)
    rates = [aim.baseline + effect, *[aim.baseline] * (arms - 1)] if effect > 0 else _worse(aim, effect, arms)
    least = max(LEAST_PER_ARM, LEAST_GOOD / min(rates))
    came = crowd.users_by(LEAST_EXPLORED_DAYS) * crowd.rated / arms
    explored = max(least, came)
    days = crowd.days_for(least * arms / crowd.rated)
    sure = bisected(lambda n: pick_chance(rates, n) < 0.95, 1.0, 1e9)
    # The slice divides a tenth of all users equally; one pair of its arms is compared.
    sliced = replace(crowd, arms=2, share=None, rated=crowd.rated * EXPLORED * 2 / arms)
    shared = replace(aim, alpha=aim.alpha / (arms - 1))
    return BanditOutlook(
        arms=arms,
        explored_n=explored,
        explored_days=None if days is None else max(LEAST_EXPLORED_DAYS, days),
        chance=pick_chance(rates, explored),
        sure_n=sure,
        sure_days=equal.days_for(sure * arms / crowd.rated),
        proof=need_of(shared, sliced, Method.ANYTIME, 2),
        most=EXPLORED / arms + (1 - EXPLORED),
    )


def plan_ladder(aim: Aim, crowd: Crowd, challengers: int, *, method: Method, sides: int) -> tuple[Round, ...]:
    """
    Reckon what each round of a ladder needs: two at a time, and a smaller alpha every time.

    Raises:
        ValueError: The aim has no effect, there is no challenger, or something is out of range.
    """
    if challengers < 1:
        msg = f"a ladder has a challenger, not {challengers}"
        raise ValueError(msg)
    two = replace(crowd, arms=2, share=None)
    alphas = [alpha_of_round(aim.alpha, number) for number in range(1, challengers + 1)]
    return tuple(
        Round(number, alpha, need_of(replace(aim, alpha=alpha), two, method, sides))
        for number, alpha in enumerate(alphas, start=1)
    )


def days_of(rounds: Sequence[Round]) -> float | None:
    """Give the days of all rounds, each in whole weeks; None where the traffic is not known, inf for never."""
    if any(each.need.days is None for each in rounds):
        return None
    return sum(inf if each.need.run_days is None else each.need.run_days for each in rounds)


def article_rows() -> tuple[ArticleRow, ...]:
    """Give the article's table of sample sizes beside what can be reckoned, at a power of .8 and 5 %."""
    return tuple(
        ArticleRow(
            baseline,
            target,
            printed,
            one_sided=two_rates_n(baseline, target, sides=1),
            two_sided=two_rates_n(baseline, target),
            drop=two_rates_n(baseline, 2 * baseline - target),
            power=power_of(printed, baseline, target),
        )
        for baseline, target, printed in ARTICLE
    )


def effect_in(aim: Aim) -> float:
    """
    Give the aim's effect.

    Raises:
        ValueError: It has none.
    """
    if aim.effect is None:
        msg = "what is needed depends on an effect"
        raise ValueError(msg)
    return aim.effect


def _factor_need(aim: Aim, crowd: Crowd, levels: int) -> FactorNeed:
    pairs = comb(levels, 2)
    if pairs < 1:
        msg = f"a factor has two levels or more, not {levels}"
        raise ValueError(msg)
    n = aim.n_of(effect_in(aim), alpha=aim.alpha / pairs, sides=2)
    users = levels * n / crowd.rated
    return FactorNeed(levels, pairs, n, users, crowd.days_for(users))


def _worse(aim: Aim, effect: float, arms: int) -> list[float]:
    # Asked about a drop: the best arm is the baseline, and all others are worse.
    return [aim.baseline, *[aim.baseline + effect] * (arms - 1)]
