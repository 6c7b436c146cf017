"""
Bandits whose truth is known: what users lose while it learns, whether it finds the best arm, and leaves it in time.

Weights are those of `stats.bandit`, intervals and verdicts those of `gates.bandit`. Many bandits run side by side; a
batch is what one update sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import is_within, render_bounded, render_share
from bench.rows import Row
from gateway.gates.bandit import (
    DAY_S,
    ArmRewards,
    BanditEvidence,
    BanditPhase,
    BanditRule,
    decide_bandit,
    equal_weights,
    estimates_of,
)
from gateway.stats.bandit import ClusterSums, RewardSums, best_of_rates, design_effect

RUNS = 1_000
RATES = (0.80, 0.84, 0.76, 0.80, 0.72)
BEST = 1
AT_ONCE = 50
"""Bandits whose weights are worked out together: more take memory, and no less time."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """
    What is simulated.

    Attributes:
        rates: Of the arms; (arms,) or (batches, arms).
        n_batches: How many updates.
        batch: Users between two.
        explore: Share that is divided equally for ever.
        half_life: In batches; None where nothing fades.
        delay: Batches until a reward's window is over.
        min_batches: That everybody has an equal chance.
        is_following: Weights follow what was learned; otherwise all is equal.
    """

    rates: tuple[float, ...] | Array = RATES
    n_batches: int = 40
    batch: int = 500
    explore: float = 0.10
    half_life: float | None = None
    delay: int = 0
    min_batches: int = 1
    is_following: bool = True

    def rates_at(self, batch: int) -> Array:
        """Give (arms,) rates of one batch."""
        rates = np.asarray(self.rates)
        return rates if rates.ndim == 1 else rates[batch]


@dataclass(slots=True)
class Course:
    """
    One batch of many bandits, after it.

    Attributes:
        weights: (runs, arms) that it was divided by.
        lost: (runs,) rewards lost against always the best arm, so far.
        sliced: (2, runs, arms) users and successes of the exploration slice so far.
        plain: (2, runs, arms) users and successes of everybody so far whose window is over.
        faded: (2, runs, arms) likewise, discounted.
    """

    weights: Array
    lost: Array
    sliced: Array
    plain: Array
    faded: Array


@dataclass(slots=True)
class _Waiting:
    batches: list[Array] = field(default_factory=list)

    def pass_through(self, came: Array, delay: int) -> Array:
        """Take a batch in, and give the one whose windows are over now."""
        self.batches.append(came)
        return self.batches.pop(0) if len(self.batches) > delay else np.zeros_like(came)


def simulated(setting: Setting, runs: int, *, seed: int) -> Iterator[Course]:
    """Give the course of `runs` bandits, batch by batch."""
    rng, n_arms = np.random.default_rng([61, seed]), len(setting.rates_at(0))
    course = Course(np.full((runs, n_arms), 1 / n_arms), np.zeros(runs), *(np.zeros((2, runs, n_arms)) for _ in "123"))
    waiting, kept = _Waiting(), 1.0 if setting.half_life is None else 2 ** (-1 / setting.half_life)
    rest = np.full((runs, n_arms), 1 / n_arms)
    for at in range(setting.n_batches):
        rates = setting.rates_at(at)
        course.weights = setting.explore / n_arms + (1 - setting.explore) * rest
        n_sliced = rng.binomial(setting.batch, setting.explore, runs)
        sliced = _rewarded(rng, n_sliced, np.full((runs, n_arms), 1 / n_arms), rates)
        others = _rewarded(rng, setting.batch - n_sliced, rest, rates)
        course.lost = course.lost + ((sliced[0] + others[0]) * (rates.max() - rates)).sum(axis=1)
        closed = waiting.pass_through(sliced + others, setting.delay)
        course.sliced = course.sliced + sliced
        course.plain, course.faded = course.plain + closed, course.faded * kept + closed
        yield course
        if setting.is_following:
            rest = _followed(course, is_over=at + 1 >= setting.min_batches)


def _rewarded(rng: np.random.Generator, n: Array, weights: Array, rates: Array) -> Array:
    users = rng.multinomial(n, weights)
    return np.stack([users, rng.binomial(users, rates)]).astype(np.float64)


def _followed(course: Course, *, is_over: bool) -> Array:
    """Give the rest's next weights, (runs, arms)."""
    users, successes = course.plain
    is_explored = (is_over & (users >= 100) & (successes >= 40)).all(axis=1)
    weights = np.full(users.shape, 1 / users.shape[1])
    chosen = np.flatnonzero(is_explored)
    for low in range(0, len(chosen), AT_ONCE):
        some = chosen[low : low + AT_ONCE]
        weights[some] = best_of_rates(1 + course.faded[1, some], 1 + (course.faded[0] - course.faded[1])[some])
    return weights


def last(setting: Setting, runs: int, *, seed: int) -> Course:
    """Give how many bandits end."""
    course = None
    for each in simulated(setting, runs, seed=seed):
        course = each
    assert course is not None
    return course


def prove_bandit(scale: float) -> list[Row]:
    """Simulate them all."""
    runs = max(4, round(RUNS * scale))
    return [
        *_regret(runs),
        *_sixty_days(runs),
        *_degrading(runs),
        *_late(runs),
        *_weekly(runs),
        *_returning(max(4, runs // 5)),
        *_slice(max(4, runs // 2)),
        *_alike(max(4, runs // 5)),
    ]


def _spread(values: Array) -> str:
    se, worst = values.std() / np.sqrt(len(values)), np.quantile(values, 0.9)
    return f"{values.mean():,.0f} ± {se:.1f} (worst tenth above {worst:,.0f})"


def _regret(runs: int) -> list[Row]:
    """Learn from 20,000 users."""
    ends, even = last(Setting(), runs, seed=1), last(Setting(is_following=False), runs, seed=2)
    n_found = int((ends.weights[:, BEST] >= 0.90).sum())
    lost = ends.lost.mean()
    return [
        Row("five arms 80/84/76/80/72 %, 20,000 users, equal shares: successes lost", _spread(even.lost)),
        Row("… a bandit, an update every 500 users, nothing fades", _spread(ends.lost), "≤ 215", lost <= 215),
        Row(
            "… its share on the best arm at the end is 90 % or more",
            render_share(n_found, runs),
            "≥ 90 %",
            is_within(runs - n_found, runs, 0.10),
        ),
    ]


def _sixty_days(runs: int) -> list[Row]:
    """Run it as it comes: three days of exploring, one update a day, a half-life of 30 days."""
    setting = Setting(n_batches=60, batch=1_000, half_life=30.0, min_batches=3)
    before = np.zeros(runs)
    lost, weights = before, before
    for at, course in enumerate(simulated(setting, runs, seed=3)):
        before = course.lost if at < 53 else before
        lost, weights = course.lost, course.weights[:, BEST]
    even = 1_000 * (max(RATES) - sum(RATES) / len(RATES))
    lately = float((lost - before).mean() / 7)
    return [
        Row(
            f"1,000 users a day, as configured by default: lost by day 60 (equal shares: {60 * even:,.0f})",
            _spread(lost),
        ),
        Row(
            f"… lost a day in the last week (equal shares: {even:.0f})",
            f"{lately:.1f}, {even / lately:.1f} times fewer",
            "5 times fewer",
            even / lately >= 5,
        ),
        Row(
            "… in all",
            f"{60 * even / lost.mean():.1f} times fewer",
            "5 times fewer",
            60 * even / lost.mean() >= 5,
        ),
        Row("… share on the best arm on day 60", f"{weights.mean():.1%}".replace("%", " %")),
    ]


def _degrading(runs: int) -> list[Row]:
    """Make the winner the worst arm on day 30."""
    rates = np.tile(RATES, (61, 1))
    rates[30:, BEST] = 0.72
    rows, after = [], {}
    for half_life in (None, 30.0, 14.0, 7.0):
        setting = Setting(rates, n_batches=61, batch=1_000, half_life=half_life, min_batches=3)
        held = [course.weights[:, BEST].mean() for course in simulated(setting, runs, seed=4)]
        after[half_life] = held[44]
        name = "nothing fades" if half_life is None else f"a half-life of {half_life:.0f} days"
        came = ", ".join(f"{held[30 + days]:.0%}".replace("%", " %") for days in (0, 2, 7, 14, 30))
        rows.append(
            Row(
                f"1,000 users a day; on day 30 the best arm falls from 84 to 72 %; {name}: its share on that day, and"
                " 2, 7, 14 and 30 days later",
                came,
                "" if half_life is None else "14 days later less than without fading",
                half_life is None or after[half_life] < after[None],
            )
        )
    return [*rows, *_quickly(runs)]


def _quickly(runs: int) -> list[Row]:
    """Make it the worst after 10,000 users; look again after 2,000 more."""
    rates = np.tile(RATES, (25, 1))
    rates[20:, BEST] = 0.70
    plain, faded = (
        float(last(Setting(rates, n_batches=25, half_life=half_life), runs, seed=5).weights[:, BEST].mean())
        for half_life in (None, log(2) / -log(0.9))
    )
    return [
        Row(
            "an update every 500 users; after 10,000 the best arm falls from 84 to 70 %; its share 2,000 users later,"
            " nothing fading",
            f"{plain:.3f}",
        ),
        Row("… discounted by 0.9 an update", f"{faded:.3f}", "0.2 less", faded <= plain - 0.2),
    ]


def _weekly(runs: int) -> list[Row]:
    """Let everybody be happier at weekends: shares change while rates do."""
    swings = 0.05 * (np.arange(60) % 7 >= 5)[:, None]
    ends = last(Setting(np.asarray(RATES) + swings, 60, 1_000, half_life=30.0, min_batches=3), runs, seed=10)
    n_right = int((ends.weights.argmax(axis=1) == BEST).sum())
    return [
        Row("1,000 users a day, all arms 5 points better at weekends: lost by day 60", _spread(ends.lost)),
        Row(
            "… the best arm has the largest share",
            render_share(n_right, runs),
            "≥ 95 %",
            is_within(runs - n_right, runs, 0.05),
        ),
    ]


def _returning(runs: int) -> list[Row]:
    """Let the same 1,200 users come every day, each with a habit; the three arms are alike."""
    named = (("each day counted as somebody else's", False), ("… days divided by the design effect", True))
    surest = {is_thinned: _surest(runs, is_thinned=is_thinned) for _, is_thinned in named}
    sure = {is_thinned: int((best > 0.95).sum()) for is_thinned, best in surest.items()}
    before = "1,200 users who come every day for 30 days (intraclass correlation 0.3), three arms alike; "
    return [
        Row(
            (before if not is_thinned else "") + f"{name}: 95 % sure of one on day 30",
            render_share(sure[is_thinned], runs),
            "≤ 10 %" if is_thinned else "",
            not is_thinned or is_within(sure[True], runs, 0.10),
        )
        for name, is_thinned in named
    ]


def _surest(runs: int, *, is_thinned: bool) -> Array:
    """Give (runs,) the probability of whoever is probably the best, on day 30."""
    rng, users, days = np.random.default_rng([61, 11]), 1_200, 30
    found = np.zeros(runs)
    for run in range(runs):
        own, spot = rng.beta(0.8 * 0.7 / 0.3, 0.2 * 0.7 / 0.3, users), rng.random(users)
        arm_in_slice, n, total = rng.integers(0, 3, users), np.zeros((3, users)), np.zeros((3, users))
        best: Array = np.full((1, 3), 1 / 3)
        for _ in range(days):
            follows = np.minimum(2, np.searchsorted(np.cumsum(best[0]), (spot - 0.1) / 0.9))
            arm = np.where(spot < 0.1, arm_in_slice, follows)
            n[arm, np.arange(users)] += 1
            total[arm, np.arange(users)] += rng.random(users) < own
            worth = _worth(n, total) if is_thinned else 1.0
            successes = total.sum(axis=1) / worth
            best = best_of_rates(1 + successes[None], 1 + (n.sum(axis=1) / worth - successes)[None])
        found[run] = best.max()
    return found


def _worth(n: Array, total: Array) -> float:
    """Give the arms' mean design effect, of (arms, users) counts and successes."""
    effects = []
    for counts, sums in zip(n, total, strict=True):
        clusters = ClusterSums(
            int((counts > 0).sum()), float(counts @ counts), float(counts @ sums), float(sums @ sums)
        )
        effects.append(design_effect(RewardSums(counts.sum(), sums.sum(), sums.sum()), clusters))
    return float(np.mean(effects))


def _late(runs: int) -> list[Row]:
    """Let every reward be known two days late."""
    ends = last(Setting(n_batches=60, batch=1_000, half_life=30.0, min_batches=3, delay=2), runs, seed=6)
    n_right = int((ends.weights.argmax(axis=1) == BEST).sum())
    return [
        Row("1,000 users a day, rewards known two days later: lost by day 60", _spread(ends.lost)),
        Row(
            "… the best arm has the largest share",
            render_share(n_right, runs),
            "≥ 95 %",
            is_within(runs - n_right, runs, 0.05),
        ),
    ]


def evidence_of(course: Course, run: int, elapsed_s: float, phase: BanditPhase) -> BanditEvidence:
    """Give one of many bandits as what a decision looks at."""
    kinds = [
        [RewardSums(float(n), float(s), float(s)) for n, s in zip(*part[:, run], strict=True)]
        for part in (course.plain, course.faded, course.sliced)
    ]
    arms = tuple(
        ArmRewards(f"arm-{at}", round(plain.n), plain, faded, sliced)
        for at, (plain, faded, sliced) in enumerate(zip(*kinds, strict=True))
    )
    return BanditEvidence(arms, elapsed_s, None, phase)


def _slice(runs: int) -> list[Row]:
    """Look every day at what the slice says, while the rest follows; and once at what everybody says."""
    setting = Setting(n_batches=60, batch=1_000, half_life=30.0, min_batches=3)
    holds, rule, course = np.ones(runs, dtype=bool), BanditRule(), None
    for course in simulated(setting, runs, seed=7):
        holds &= np.asarray([_is_held(course, run, rule) for run in range(runs)])
    assert course is not None
    n_held = int(holds.sum())
    return [
        Row(
            "the slice's intervals hold the truth of all five arms, on all of 60 days",
            render_share(n_held, runs),
            "≥ 94 %",
            is_within(runs - n_held, runs, 0.06),
        ),
        Row(
            "… bias of its means, in points, by arm",
            _biases(course.sliced),
            "less than three standard errors",
            _is_fair(course.sliced),
        ),
        Row("… bias of everybody's means", _biases(course.plain)),
    ]


def _is_held(course: Course, run: int, rule: BanditRule) -> bool:
    told = estimates_of(evidence_of(course, run, 0.0, BanditPhase.EXPLOITING), rule)
    return all(
        one.low is None or one.high is None or one.low <= rate <= one.high
        for one, rate in zip(told, RATES, strict=True)
    )


def _errors(sums: Array) -> Array:
    off: Array = sums[1] / sums[0] - np.asarray(RATES)
    return off


def _biases(sums: Array) -> str:
    off = _errors(sums)
    both = zip(100 * off.mean(axis=0), 100 * off.std(axis=0) / np.sqrt(len(off)), strict=True)
    return ", ".join(f"{mean:+.2f} ± {se:.2f}" for mean, se in both)


def _is_fair(sums: Array) -> bool:
    off = _errors(sums)
    return bool((np.abs(off.mean(axis=0)) <= 3 * off.std(axis=0) / np.sqrt(len(off)) + 1e-12).all())


def _alike(runs: int) -> list[Row]:
    """Compare three arms that are alike, or not, until the slice can tell."""
    alike, when = _verdicts((0.80, 0.80, 0.80), runs, seed=8)
    apart, _ = _verdicts((0.80, 0.75, 0.80), runs, seed=9)
    after = f", after a median of {np.median(when):,.0f} days" if when else ""
    return [
        Row(
            "three arms alike at 80 %, 1,000 users a day, 360 days, looked at every ten: no difference of 5 %",
            render_share(alike, runs) + after,
            "≥ 80 %",
            is_within(runs - alike, runs, 0.20),
        ),
        Row(
            "… one of them worse by 5 points: called no different",
            render_bounded(apart, runs),
            "≤ 5 %",
            is_within(apart, runs, 0.05),
        ),
    ]


def _verdicts(rates: tuple[float, ...], runs: int, *, seed: int) -> tuple[int, list[float]]:
    """Give how many bandits come to say that there is no difference, and on which days."""
    setting, rule = Setting(rates, n_batches=36, batch=10_000), BanditRule(update_every_s=10 * DAY_S)
    open_runs, when = set(range(runs)), []
    now = equal_weights([f"arm-{at}" for at in range(len(rates))], rule)
    for at, course in enumerate(simulated(setting, runs, seed=seed)):
        elapsed_s = 10 * DAY_S * (at + 1)
        for run in sorted(open_runs):
            found = decide_bandit(evidence_of(course, run, elapsed_s, BanditPhase.EXPLOITING), rule, now)
            if found.phase is BanditPhase.NO_DIFFERENCE:
                open_runs.discard(run)
                when.append(10.0 * (at + 1))
    return len(when), when
