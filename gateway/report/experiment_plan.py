"""
What an experiment would need: units, users and days by every way of looking, and what it could find in a given time.

A plan, not a promise: users are taken to come evenly, and the effect to be exactly what was asked for. Everything is
by normal approximation; one look pools the variance, as the usual z test does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import ceil, exp, inf, log, sqrt

from gateway.stats.planning import MOST_LOOKS, chance_at, chances_by_look, drift_found, units_until
from gateway.stats.power import anytime_inflation, bisected, non_inferiority_n, two_means_n, two_rates_n
from gateway.stats.spending import inflation, lan_demets

PATIENCE_DAYS = 90
"""What takes longer is not measured: by then the model, the prompts and the users are others."""
PLANNED_LOOKS = 5
LOOKS_UNTIMED = 14
"""Up to the size of one look, where nobody said how many users come: as though it took two weeks."""
LONGEST = 3.0
"""An always-valid interval needs less than this many times the units of one look."""
MARGIN = 0.05
"""Of the `quality` gate: no worse than this, relatively."""
HISTORY = 0.7
"""A correlation between a user's weeks that is often met; it halves the variance."""


class Kind(StrEnum):
    """What is measured of each unit."""

    RATE = "rate"
    MEAN = "mean"
    RATIO = "ratio"


class Method(StrEnum):
    """How often one looks."""

    FIXED = "fixed"
    SEQUENTIAL = "sequential"
    ANYTIME = "anytime"


class WayOut(StrEnum):
    """What to do where the answer is no."""

    LARGER_EFFECT = "larger_effect"
    MORE_SHARE = "more_share"
    FEWER_ARMS = "fewer_arms"
    MORE_FEEDBACK = "more_feedback"
    ONE_LOOK = "one_look"
    NOT_WORSE = "not_worse"
    HISTORY = "history"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Aim:
    """
    What is to be found, and how surely.

    Attributes:
        kind: Of the metric.
        baseline: Its rate in (0, 1), or its mean, not 0; 1 for a ratio metric.
        effect: Absolute, in the baseline's unit, not 0; None where what can be found in a given time is asked.
        sd: Between units, above 0; of a rate it follows. Of a ratio metric the coefficient of variation.
        alpha: Over all arms, in (0, 1).
        power: P(the effect is found), in (0, 1).
        correlation: Between a unit's value and its own before the experiment, in [0, 1), for CUPED.
    """

    kind: Kind
    baseline: float
    effect: float | None
    sd: float = 0.0
    alpha: float = 0.05
    power: float = 0.8
    correlation: float = 0.0

    @property
    def lift(self) -> float | None:
        """Give the effect as a share of the baseline."""
        return None if self.effect is None else self.effect / self.baseline

    def drift_of(self, effect: float, *, share: float = 0.5) -> float:
        """Give the z value to be expected of one unit per arm; `share` is the candidate's of both arms."""
        there = self.baseline + effect
        both = 2 * self.sd**2
        if self.kind is Kind.RATE:
            # The smaller arm's variance weighs more.
            both = 2 * (share * self.baseline * (1 - self.baseline) + (1 - share) * there * (1 - there))
        return abs(effect) / sqrt(both * (1 - self.correlation**2))

    def n_of(self, effect: float, *, alpha: float, sides: int, share: float = 0.5) -> float:
        """Give the units per arm that one look needs; `share` is the candidate's of both arms."""
        if self.kind is Kind.RATE:
            there = self.baseline + effect
            n = two_rates_n(self.baseline, there, alpha=alpha, power=self.power, sides=sides, share=share)
        else:
            n = two_means_n(self.sd, effect, alpha=alpha, power=self.power, sides=sides)
        return n * (1 - self.correlation**2)


@dataclass(frozen=True, slots=True)
class Crowd:
    """
    Who comes, and what is done with them.

    Attributes:
        users_per_day: Distinct users, above 0; None where nobody said.
        users_per_week: Distinct users in seven days, from once to seven times those of a day; None for seven times.
        rated: Share of users whose outcome is ever known, in (0, 1].
        arms: With the baseline, at least 2.
        share: Each candidate's of all users, the baseline has the rest; None for equal arms.
    """

    users_per_day: float | None = None
    users_per_week: float | None = None
    rated: float = 1.0
    arms: int = 2
    share: float | None = None

    @property
    def shares(self) -> tuple[float, float]:
        """Give a candidate's share and the baseline's."""
        if self.share is None:
            return 1 / self.arms, 1 / self.arms
        return self.share, 1 - (self.arms - 1) * self.share

    @property
    def compared_share(self) -> float:
        """Give a candidate's share of those that are compared: it and the baseline."""
        candidate, baseline = self.shares
        return candidate / (candidate + baseline)

    @property
    def freshness(self) -> float:
        """
        Give the exponent by which distinct users grow with time: 1 where everybody is new, 0 where nobody is.

        After d days there are d^freshness times the users of one. As with the words of a text (Heaps' law), newcomers
        grow rarer and never end.
        """
        if self.users_per_day is None or self.users_per_week is None:
            return 1.0
        return log(self.users_per_week / self.users_per_day) / log(7)

    def users_by(self, days: float) -> float:
        """Give the distinct users after so many days."""
        return float((self.users_per_day or 0.0) * days**self.freshness)

    def days_for(self, users: float) -> float | None:
        """Give the days until so many distinct users came; None where the traffic is not known, inf for never."""
        if self.users_per_day is None:
            return None
        if self.freshness <= 0:
            return 1.0 if users <= self.users_per_day else inf
        growth = log(users / self.users_per_day) / self.freshness if users > 0 else -inf
        return inf if growth > 40 else exp(growth)

    def per_arm(self, users: float) -> float:
        """Give the units per arm, as of two equal arms, that a comparison gets from all these users."""
        candidate, baseline = self.shares
        return users * self.rated * 2 * candidate * baseline / (candidate + baseline)

    def users_for(self, n_per_arm: float) -> float:
        """Give all users of an experiment with so many units per arm."""
        return n_per_arm / self.per_arm(1.0)


@dataclass(frozen=True, slots=True)
class Need:
    """
    What one way of looking needs.

    Attributes:
        method: How often one looks.
        sides: 1 where only better counts, 2 where worse is found too.
        n_per_arm: Units with an outcome, of each of two equal arms.
        users: All users of the experiment, rated or not, in all its arms.
        days: Until they came; None where the traffic is not known, inf for never.
    """

    method: Method
    sides: int
    n_per_arm: float
    users: float
    days: float | None

    @property
    def run_days(self) -> int | None:
        """Give the days to run it: whole weeks, since people differ by weekday; None where never or not known."""
        return None if self.days is None or self.days == inf else 7 * ceil(max(1.0, self.days) / 7 - 1e-9)

    @property
    def is_measurable(self) -> bool | None:
        """Tell whether it ends within 90 days; None where the traffic is not known."""
        return None if self.days is None else self.days <= PATIENCE_DAYS


@dataclass(frozen=True, slots=True)
class Found:
    """
    What can be found in a given time.

    Attributes:
        method: How often one looks.
        sides: 1 or 2.
        effect: The smallest, absolute; None where nothing can.
    """

    method: Method
    sides: int
    effect: float | None


@dataclass(frozen=True, slots=True)
class Instead:
    """
    One way out.

    Attributes:
        way: What to do.
        value: An effect, share, number of arms, rate of feedback, margin or correlation; None where it has none.
        days: How long it would take; None where not reckoned.
    """

    way: WayOut
    value: float | None = None
    days: float | None = None


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """
    What an experiment would need and could tell.

    Attributes:
        aim: What is to be found.
        crowd: Who comes.
        needs: By method and sides; empty where no effect was asked for.
        answer: The need that the answer is about: that of the release, unless another was asked for.
        planned_n: Units per arm that one two-sided look needs; None where no effect was asked for.
        chance_then: P(the always-valid interval excludes zero when `planned_n` came).
        chance_by_then: P(it did so at any look until then).
        n_looks: Looks until then.
        days: Given; None where not.
        found: What can be found in `days`, by method and sides.
        ways_out: What to do instead, where it cannot be measured.
    """

    aim: Aim
    crowd: Crowd
    needs: tuple[Need, ...] = ()
    answer: Need | None = None
    planned_n: float | None = None
    chance_then: float | None = None
    chance_by_then: float | None = None
    n_looks: int = 0
    days: float | None = None
    found: tuple[Found, ...] = ()
    ways_out: tuple[Instead, ...] = ()

    @property
    def is_measurable(self) -> bool | None:
        """Tell whether the answer is yes; None where the traffic is not known."""
        if self.answer is not None:
            fits = self.answer.is_measurable
            return fits if self.days is None or not fits else (self.answer.days or inf) <= self.days
        return any(each.effect is not None for each in self.found) if self.found else None


def plan_experiment(
    aim: Aim,
    crowd: Crowd,
    *,
    methods: Sequence[Method] = tuple(Method),
    sides: Sequence[int] = (1, 2),
    days: float | None = None,
) -> ExperimentPlan:
    """
    Reckon what an experiment needs, and what it could find in `days`.

    Args:
        aim: What is to be found; without an effect, `days` is needed.
        crowd: Who comes; `days` needs their number.
        methods: To reckon; the last is the one that the answer is about.
        sides: To reckon; the last is the one that the answer is about.
        days: Given, above 0; None where not.

    Raises:
        ValueError: Something is out of range.
    """
    ways = [(method, side) for method in methods for side in sides]
    found = () if days is None else tuple(Found(*way, effect_found(aim, crowd, days, *way)) for way in ways)
    if aim.effect is None:
        return ExperimentPlan(aim, crowd, days=days, found=found)
    needs = tuple(need_of(aim, crowd, *way) for way in ways)
    planned = aim.n_of(aim.effect, alpha=alpha_of(aim, crowd), sides=2, share=crowd.compared_share)
    looks = looks_until(crowd, planned, planned)
    drift, alpha = aim.drift_of(aim.effect, share=crowd.compared_share), alpha_of(aim, crowd)
    plan = ExperimentPlan(
        aim,
        crowd,
        needs=needs,
        answer=needs[-1],
        planned_n=planned,
        chance_then=chance_at(planned, drift, n_star=2 * planned, alpha=alpha),
        chance_by_then=list(chances_by_look(looks, drift, n_star=2 * planned, alpha=alpha))[-1],
        n_looks=len(looks),
        days=days,
        found=found,
    )
    return replace(plan, ways_out=ways_out(plan, needs[-1])) if plan.is_measurable is False else plan


def alpha_of(aim: Aim, crowd: Crowd) -> float:
    """Give what each comparison with the baseline may spend: Bonferroni's share, as the verdict takes it."""
    return aim.alpha / (crowd.arms - 1)


def need_of(aim: Aim, crowd: Crowd, method: Method, sides: int) -> Need:
    """
    Give what one way of looking needs.

    Raises:
        ValueError: The aim has no effect, or something is out of range.
    """
    if aim.effect is None:
        msg = "a need is that of an effect"
        raise ValueError(msg)
    alpha = alpha_of(aim, crowd)
    planned = aim.n_of(aim.effect, alpha=alpha, sides=sides, share=crowd.compared_share)
    n = planned
    if method is Method.SEQUENTIAL:
        n = planned * planned_inflation(alpha, aim.power, sides)
    elif method is Method.ANYTIME:
        looks = looks_until(crowd, planned, LONGEST * planned)
        drift = aim.drift_of(aim.effect, share=crowd.compared_share)
        reached = units_until(looks, drift, n_star=2 * planned, power=aim.power, alpha=alpha, sides=sides)
        n = inf if reached is None else reached
    users = crowd.users_for(n)
    days = crowd.days_for(users) if n < inf else (None if crowd.users_per_day is None else inf)
    return Need(method, sides, n, users, days)


def effect_found(aim: Aim, crowd: Crowd, days: float, method: Method, sides: int) -> float | None:
    """
    Give the smallest effect, in the direction of the aim's, that so many days can find; None where none.

    Raises:
        ValueError: Something is out of range.
    """
    alpha, n = alpha_of(aim, crowd), crowd.per_arm(crowd.users_by(days))
    sign = -1.0 if aim.effect is not None and aim.effect < 0 else 1.0
    room = _room(aim, sign)
    most, least = room * (1 - 1e-9), room * 1e-9
    if method is Method.ANYTIME:
        drift = drift_found(looks_until(crowd, n, n), n_star=2 * n, power=aim.power, alpha=alpha, sides=sides)
        if drift is None:
            return None

        def is_short(effect: float) -> bool:
            return aim.drift_of(sign * effect, share=crowd.compared_share) < drift
    else:
        factor = planned_inflation(alpha, aim.power, sides) if method is Method.SEQUENTIAL else 1.0

        def is_short(effect: float) -> bool:
            return aim.n_of(sign * effect, alpha=alpha, sides=sides, share=crowd.compared_share) * factor > n

    return None if is_short(most) else sign * bisected(is_short, least, most)


def _room(aim: Aim, sign: float) -> float:
    """Give how far the metric can move at all; a mean may go anywhere."""
    if aim.kind is Kind.RATE:
        return 1 - aim.baseline if sign > 0 else aim.baseline
    return aim.baseline if aim.kind is Kind.RATIO and sign < 0 else 1e3 * aim.sd


@lru_cache(maxsize=64)  # asked for again and again while an effect is sought
def planned_inflation(alpha: float, power: float, sides: int) -> float:
    """
    Give how many times more units five planned looks need than one.

    >>> round(planned_inflation(0.05, 0.8, 2), 3)
    1.025
    """
    bounds = lan_demets([look / PLANNED_LOOKS for look in range(1, PLANNED_LOOKS + 1)], alpha=alpha, sides=sides)
    return inflation(bounds, alpha=alpha, power=power, sides=sides)


def looks_until(crowd: Crowd, planned: float, n_last: float) -> list[float]:
    """
    Give the units per arm at each day's look, until there are `n_last`.

    Where the traffic is not known, or one day is enough, there are fourteen looks until there are `planned`.
    """
    last = crowd.days_for(crowd.users_for(n_last))
    first = crowd.days_for(crowd.users_for(planned))
    if last is None or first is None or first < 1 or last == inf:
        many = ceil(LOOKS_UNTIMED * n_last / planned)
        return [n_last * look / many for look in range(1, many + 1)]
    every = max(1.0, last / MOST_LOOKS)
    many = ceil(last / every - 1e-9)
    return [*(crowd.per_arm(crowd.users_by(day * every)) for day in range(1, many)), n_last]


def ways_out(plan: ExperimentPlan, answer: Need) -> tuple[Instead, ...]:
    """Give what to do instead, most promising first; each that helps says how long it would take."""
    aim, crowd = plan.aim, plan.crowd
    limit = PATIENCE_DAYS if plan.days is None else min(PATIENCE_DAYS, plan.days)

    def days_of(aim: Aim = aim, crowd: Crowd = crowd, method: Method = answer.method) -> float:
        return need_of(aim, crowd, method, answer.sides).days or inf

    ways = [Instead(WayOut.LARGER_EFFECT, effect_found(aim, crowd, limit, answer.method, answer.sides), limit)]
    if crowd.arms > 2:
        ways.append(Instead(WayOut.FEWER_ARMS, 2, days_of(crowd=replace(crowd, arms=2, share=None))))
    elif crowd.share is not None and abs(crowd.share - 0.5) > 0.01:
        ways.append(Instead(WayOut.MORE_SHARE, 0.5, days_of(crowd=replace(crowd, share=0.5))))
    if crowd.rated < 0.5:
        more = min(1.0, 3 * crowd.rated)
        ways.append(Instead(WayOut.MORE_FEEDBACK, more, days_of(crowd=replace(crowd, rated=more))))
    if answer.method is Method.ANYTIME:
        ways.append(Instead(WayOut.ONE_LOOK, None, days_of(method=Method.FIXED)))
    if aim.kind is Kind.RATE:
        n = non_inferiority_n(aim.baseline, MARGIN, alpha=alpha_of(aim, crowd), power=aim.power)
        inflated = n * anytime_inflation(alpha=alpha_of(aim, crowd), power=aim.power)
        ways.append(Instead(WayOut.NOT_WORSE, MARGIN, crowd.days_for(crowd.users_for(inflated))))
    if not aim.correlation:
        ways.append(Instead(WayOut.HISTORY, HISTORY, days_of(aim=replace(aim, correlation=HISTORY))))
    return (*ways, Instead(WayOut.SHADOW))
