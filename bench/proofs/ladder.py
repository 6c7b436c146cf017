"""
Ladders whose truth is known: whether an equal champion is dethroned, a better challenger ends on top, a worse one wins.

Many ladders run side by side; intervals, parts of alpha and times are those of `gates.ladder`. A day is a look where
the rule lets one decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import is_within, render_share
from bench.rows import Row
from gateway.domain.adaptive import OnTie
from gateway.gates.ladder import LadderRule
from gateway.stats.alpha import alpha_of_round
from gateway.stats.anytime import half_width

RUNS = 20_000
DEFAULT = LadderRule()
DAY_S = 86_400.0
EQUAL = (0.80,) * 5

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """
    What is simulated.

    Attributes:
        champion: Its rate of success, 0 to 1.
        challengers: Theirs, in the order of their turns.
        users: Of both arms a day, each once.
        rule: In force; CHEAPER is not simulated.
        grudge: Points by which users of the last round's loser are less content in the next round, 0 to 1.
        is_divided_anew: Both arms then have half of them; otherwise the next challenger inherits all.
    """

    champion: float = 0.80
    challengers: tuple[float, ...] = EQUAL
    users: int = 2_000
    rule: LadderRule = DEFAULT
    grudge: float = 0.0
    is_divided_anew: bool = True


@dataclass(slots=True)
class Ends:
    """
    How many ladders ended.

    Attributes:
        champion: (runs,) place of the last champion: 0 of the first, r of the challenger of round r.
        is_dethroned: (runs,) the first champion ever lost its place.
        won: (rounds, runs) +1 where the challenger was found better, −1 worse, 0 for a tie.
        days: (rounds, runs) that each round took.
        is_wrong: (runs,) an interval ever excluded the truth when it was looked at.
    """

    champion: Array
    is_dethroned: Array
    won: Array
    days: Array
    is_wrong: Array


def simulated(setting: Setting, runs: int, *, seed: int) -> Ends:
    """Give how `runs` ladders end."""
    rng, n_rounds = np.random.default_rng([63, seed]), len(setting.challengers)
    rates = np.asarray((setting.champion, *setting.challengers))
    ends = Ends(
        np.zeros(runs, dtype=int),
        np.zeros(runs, dtype=bool),
        np.zeros((n_rounds, runs), dtype=int),
        np.zeros((n_rounds, runs), dtype=int),
        np.zeros(runs, dtype=bool),
    )
    for at in range(n_rounds):
        grudges = _grudges(setting, at)
        both = np.stack([rates[ends.champion] - grudges[0], np.full(runs, rates[at + 1] - grudges[1])])
        won, days, is_wrong = _round(rng, setting, at + 1, both)
        ends.won[at], ends.days[at] = won, days
        is_tie_taken = (won == 0) & (setting.rule.on_tie is OnTie.CHALLENGER)
        ends.champion = np.where((won > 0) | is_tie_taken, at + 1, ends.champion)
        ends.is_dethroned |= ends.champion > 0
        ends.is_wrong |= is_wrong
    return ends


def _grudges(setting: Setting, at: int) -> tuple[float, float]:
    """Give by how much champion's and challenger's users are less content."""
    if at == 0:
        return 0.0, 0.0
    return (setting.grudge / 2,) * 2 if setting.is_divided_anew else (0.0, setting.grudge)


def _round(rng: np.random.Generator, setting: Setting, number: int, rates: Array) -> tuple[Array, Array, Array]:
    """Give one round of (2, runs) rates: who won, after how many days, and whether an interval was ever wrong."""
    rule, runs = setting.rule, rates.shape[1]
    came, truth = np.zeros((2, runs)), rates[1] - rates[0]
    won, days, is_wrong = np.zeros(runs, dtype=int), np.zeros(runs, dtype=int), np.zeros(runs, dtype=bool)
    n, before = 0, 0
    for day in looks_of(rule):
        came += rng.binomial(setting.users // 2 * (day - before), rates)
        n, before = setting.users // 2 * day, day
        is_open = days == 0
        effect, half = _measured(came, n, rule, number)
        is_wrong |= is_open & (np.abs(effect - truth) > half)
        reach = 0.0 if rule.margin is None else rule.margin * came[0] / n
        is_close = np.abs(effect) + half < reach
        is_far = np.abs(effect) > half
        is_last = day * DAY_S >= rule.max_duration_s
        won = np.where(is_open & is_far, np.sign(effect), won).astype(int)
        days = np.where(is_open & (is_far | is_close | is_last), day, days)
    return won, days, is_wrong


def looks_of(rule: LadderRule) -> list[int]:
    """Give the days after which a round may be decided."""
    longest = int(np.ceil(rule.max_duration_s / DAY_S))
    return [day for day in range(1, longest + 1) if rule.due_s(day * DAY_S) <= 0]


def _measured(came: Array, n: int, rule: LadderRule, number: int) -> tuple[Array, Array]:
    """Give (runs,) differences and how far their intervals reach, of (2, runs) successes among n users each."""
    shares = came / n
    se = np.sqrt((shares * (1 - shares)).sum(axis=0) / (n - 1))
    reach = half_width(2 * n, se=1.0, alpha=alpha_of_round(rule.alpha, number), n_star=rule.tuned_to_units)
    return shares[1] - shares[0], reach * se


def prove_ladder(scale: float) -> list[Row]:
    """Simulate them all."""
    runs = max(10, round(RUNS * scale))
    return [*_equal(runs), *_better(runs), *_small(runs), *_worse(runs), *_ties(runs), *_grudging(runs)]


def _equal(runs: int) -> list[Row]:
    """Let five equal challengers come, looked at in whole weeks, and every day."""
    rows = []
    daily = LadderRule(min_duration_s=DAY_S, margin=None)
    named = (
        ("whole weeks, as configured by default", LadderRule()),
        ("… no margin: every round may take 28 days", LadderRule(margin=None)),
        ("… every day, no margin", daily),
    )
    for seed, (name, rule) in enumerate(named, start=1):
        ends = simulated(Setting(rule=rule), runs, seed=seed)
        lead = "80 %, 2,000 users a day, five challengers no better: " if seed == 1 else ""
        rows += [
            _at_most(f"{lead}{name}: the champion is ever dethroned", ends.is_dethroned, 0.05),
            _at_most("… any interval is ever wrong", ends.is_wrong, 0.05),
        ]
    return [*rows, Row("… every day, each look at 1.96 standard errors: dethroned", _naively(runs))]


def _naively(runs: int) -> str:
    """Give how often looking at plain 95 % intervals every day dethrones an equal champion."""
    rng, is_dethroned = np.random.default_rng([63, 10]), np.zeros(runs, dtype=bool)
    for _ in range(5):
        came, is_open = np.zeros((2, runs)), np.ones(runs, dtype=bool)
        for day in range(1, 29):
            came += rng.binomial(1_000, 0.80, (2, runs))
            shares = came / (1_000 * day)
            se = np.sqrt((shares * (1 - shares)).sum(axis=0) / (1_000 * day))
            effect = shares[1] - shares[0]
            is_dethroned |= is_open & (effect > 1.96 * se)
            is_open &= np.abs(effect) <= 1.96 * se
    return render_share(int(is_dethroned.sum()), runs)


def _better(runs: int) -> list[Row]:
    """Let one of five be five points better, in each place."""
    rows = []
    for place in (1, 3, 5):
        rates = tuple(0.85 if at == place else 0.80 for at in range(1, 6))
        ends = simulated(Setting(challengers=rates), runs, seed=10 + place)
        lead = "one of the five has 85 %, " if place == 1 else "… "
        rows += [_at_least(f"{lead}in round {place}: it ends as champion", ends.champion == place, 0.80)]
    for users in (500, 200):
        ends = simulated(Setting(challengers=(*EQUAL[:4], 0.85), users=users), runs, seed=10 + users)
        is_best, must = ends.champion == 5, users == 500
        name = f"… in round 5, {users} users a day: it ends as champion"
        rows.append(_at_least(name, is_best, 0.80) if must else _told(name, is_best))
    return rows


def _small(runs: int) -> list[Row]:
    """Let the only challenger be little better, with a margin for ties and without."""
    rows = []
    for points in (1, 2, 3):
        for margin in (0.02, 0.05, None):
            rule = LadderRule(margin=margin)
            ends = simulated(Setting(challengers=(0.80 + points / 100,), rule=rule), runs, seed=20 + points)
            name = "no margin" if margin is None else f"a margin of {margin * 100:.0f} %"
            lead = f"one challenger, {points} point{'s' * (points > 1)} better; " if margin == 0.02 else "… "
            took = f" in {ends.days.mean():.1f} days"
            rows.append(Row(f"{lead}{name}: it takes over", render_share(int(ends.is_dethroned.sum()), runs) + took))
    return rows


def _worse(runs: int) -> list[Row]:
    """Let all five be worse."""
    return [
        _at_most(
            f"five challengers {points} point{'s' * (points > 1)} worse: the champion is ever dethroned",
            simulated(Setting(challengers=(0.80 - points / 100,) * 5), runs, seed=30 + points).is_dethroned,
            0.05,
        )
        for points in (1, 2, 5)
    ]


def _ties(runs: int) -> list[Row]:
    """Count ties, and what it costs to give them to the challenger."""
    rows = []
    for seed, margin in enumerate((0.02, 0.05), start=41):
        ends = simulated(Setting(rule=LadderRule(margin=margin)), runs, seed=seed)
        lead = "five challengers no better, " if seed == 41 else "… "
        name = f"{lead}a margin of {margin * 100:.0f} %: rounds that end as a tie"
        rows += [Row(name, render_share(int((ends.won == 0).sum()), ends.won.size)), *_days(ends)]
    for points in (1, 2, 5):
        setting = Setting(challengers=(0.80 - points / 100,), rule=LadderRule(on_tie=OnTie.CHALLENGER))
        lost = simulated(setting, runs, seed=42 + points).is_dethroned
        name = f"… ties go to the challenger, which is {points} point{'s' * (points > 1)} worse: it takes over"
        rows.append(Row(name, render_share(int(lost.sum()), runs)))
    return rows


def _grudging(runs: int) -> list[Row]:
    """Let users of the last round's loser be two points less content in the next."""
    rows = []
    for is_anew in (False, True):
        rule = LadderRule(margin=None)
        ends = simulated(Setting(rule=rule, grudge=0.02, is_divided_anew=is_anew), runs, seed=50 + is_anew)
        n_decided = (ends.won[1:] != 0).any(axis=0)
        name = (
            "… both have half of them"
            if is_anew
            else (
                "five challengers no better; users of the last loser are 2 points less content, and the next challenger"
                " inherits them"
            )
        )
        name += ": some round after the first is decided"
        rows.append(_at_most(name, n_decided, 0.05) if is_anew else _told(name, n_decided))
    return rows


def _days(ends: Ends) -> list[Row]:
    mean = ends.days.mean()
    return [Row("… days a round takes", f"{mean:.1f} (worst tenth: {np.quantile(ends.days, 0.9):.0f} or more)")]


def _told(name: str, cases: Array) -> Row:
    return Row(name, render_share(int(cases.sum()), len(cases)))


def _at_most(name: str, cases: Array, share: float) -> Row:
    n, runs = int(cases.sum()), len(cases)
    return Row(name, render_share(n, runs), f"≤ {share * 100:.0f} %", is_within(n, runs, share))


def _at_least(name: str, cases: Array, share: float) -> Row:
    n, runs = int(cases.sum()), len(cases)
    return Row(name, render_share(n, runs), f"≥ {share * 100:.0f} %", is_within(runs - n, runs, 1 - share))
