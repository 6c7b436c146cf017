"""
Factorial releases whose truth is known: how often a verdict that is read every day is wrong, and what it finds.

Verdicts are those of `gates.factorial`, from the sums that a report makes. Whoever looks, looks once a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import is_within, render_bounded, render_share
from bench.rows import Row
from gateway.domain.factors import levels_of
from gateway.gates.factorial import (
    Arrivals,
    FactorialEvidence,
    FactorialState,
    FactorialVerdict,
    decide_factorial,
    mismatch_of,
)
from gateway.gates.factorial_effects import FactorialRule, Held, Judged, judge_effects
from gateway.gates.factorial_plan import feasibility
from gateway.stats.factorial import Levels, fit_cells, fit_rows, interactions_of, pairs_of
from gateway.stats.factorial_sums import CellSums, FactorialSums, UnitRow, sums_of_cells
from gateway.stats.multiple import holm

RUNS = 2_000
MDE = 0.04
BASE = 0.80

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """
    A release whose cells' rates are known.

    Attributes:
        sizes: Levels of each factor.
        rates: (cells,) true ones, without interactions of three.
        per_day: New users a day, each with one outcome.
        days: How long it is looked at.
    """

    sizes: tuple[int, ...]
    rates: tuple[float, ...]
    per_day: int
    days: int

    @property
    def factors(self) -> dict[str, list[str]]:
        """Name them."""
        return {f"f{at}": [f"l{level}" for level in range(size)] for at, size in enumerate(self.sizes)}

    def rule(self) -> FactorialRule:
        """Ask for four points, tuned to half of all users."""
        return FactorialRule(self.factors, planned_units=self.per_day * self.days // 2, smallest=MDE)

    def effects(self) -> dict[Levels, float]:
        """Give every main effect and two-way interaction, as it is."""
        fit = fit_cells(self.sizes, [CellSums(1e6, 1e6 * rate, 1e6 * rate) for rate in self.rates])
        assert fit is not None
        every = [one for at in range(len(self.sizes)) for one in pairs_of(fit, at)] + interactions_of(fit)
        return {one.levels: one.estimate for one in every}


def null(sizes: tuple[int, ...], *, per_day: int, days: int = 28, base: float = BASE) -> Truth:
    """Give a release in which nothing does anything."""
    return Truth(sizes, (base,) * prod(sizes), per_day, days)


ADDED = (0.0, 0.05, 0.03)
"""What the second levels of three factors add."""


def additive(per_day: int = 600, days: int = 28) -> Truth:
    """Give three factors of two levels, of which two matter, independently of each other."""
    rates = [0.75 + sum(add * (cell >> at & 1) for at, add in enumerate(ADDED)) for cell in range(8)]
    return Truth((2, 2, 2), tuple(rates), per_day, days)


def looked(truth: Truth, random: np.random.Generator) -> Iterator[FactorialEvidence]:
    """Give what is known at the end of each day, of users who come once."""
    n, good = np.zeros(len(truth.rates)), np.zeros(len(truth.rates))
    even = (1.0,) * len(truth.rates)
    for _ in range(truth.days):
        came = random.multinomial(truth.per_day, np.full(len(truth.rates), 1 / len(truth.rates)))
        n, good = n + came, good + random.binomial(came, truth.rates)
        sums = sums_of_cells([CellSums(*one) for one in zip(n.tolist(), good.tolist(), good.tolist(), strict=True)])
        yield FactorialEvidence(sums, (Arrivals(tuple(int(each) for each in n), even),))


@dataclass(slots=True)
class Course:
    """
    How one release went.

    Attributes:
        mains: A main effect's interval missed the truth at some look; where there is no effect, it was found.
        interactions: Likewise an interaction's.
        cells: Likewise a cell's beside the baseline's.
        end: The first verdict that decided anything, or the last.
        days: Until then.
        is_alarm: Shares were called wrong at some look.
    """

    mains: bool = False
    interactions: bool = False
    cells: bool = False
    end: FactorialVerdict | None = None
    days: int = 0
    is_alarm: bool = False


def course_of(truth: Truth, rule: FactorialRule, evidence: Iterator[FactorialEvidence]) -> Course:
    """Look every day to the end, whatever was decided before."""
    effects, course = truth.effects(), Course()
    for day, seen in enumerate(evidence, 1):
        verdict = decide_factorial(seen, rule)
        course.is_alarm |= verdict.state is FactorialState.INVALID
        mains = [one for pairs in verdict.mains.values() for one in pairs]
        course.mains |= any(_misses(one, effects[one.levels]) for one in mains)
        course.interactions |= any(_misses(one, effects[one.levels]) for one in verdict.interactions)
        base = truth.rates[rule.baseline]
        course.cells |= any(_misses(one, truth.rates[one.cell] - base) for one in verdict.cells)
        if course.end is None or course.end.state is FactorialState.RUNNING:
            course.end, course.days = verdict, day
    return course


def _misses(one: Judged, truth: float) -> bool:
    return one.is_enough and one.interval.excludes(truth)


def courses(truth: Truth, runs: int, *, seed: int) -> list[Course]:
    """Give how many releases went."""
    random, rule = np.random.default_rng([91, seed]), truth.rule()
    return [course_of(truth, rule, looked(truth, random)) for _ in range(runs)]


def prove_factorial(scale: float) -> list[Row]:
    """Simulate them all."""
    runs = max(4, round(RUNS * scale))
    return [
        *_nothing(runs),
        *_returning(max(3, runs // 2)),
        *_one_look(runs),
        *_power(runs),
        *_additive(max(3, runs // 2)),
        *_apart_only(max(3, runs // 2)),
        *_shares(runs),
    ]


def _nothing(runs: int) -> list[Row]:
    """Look every day at releases in which nothing does anything."""
    rows = []
    settings = (
        ("2 × 2 × 2 at 80 %, 600 users a day", null((2, 2, 2), per_day=600), runs),
        ("2 × 2 at 1 %, 300 users a day", null((2, 2), per_day=300, base=0.01), runs),
        ("5 × 3 × 2 at 80 %, 1,000 users a day", null((5, 3, 2), per_day=1_000), max(3, runs // 4)),
    )
    for at, (name, truth, n_runs) in enumerate(settings):
        those = courses(truth, n_runs, seed=at)
        found = sum(one.mains or one.interactions for one in those)
        anything = sum(one.mains or one.interactions or one.cells for one in those)
        named = f"{name}, nothing matters, looked at on each of 28 days: "
        rows += [
            _at_most(named + "any main effect or two-way interaction found", found, n_runs, 0.075),
            _at_most("… any main effect", sum(one.mains for one in those), n_runs, 0.05),
            _at_most("… anything false said, of cells too", anything, n_runs, 0.075),
            _at_most("… shares called wrong", sum(one.is_alarm for one in those), n_runs, 0.001),
        ]
    return rows


N_USERS = 2_000
MOVED_ON = 14


def returning(random: np.random.Generator, *, days: int = 28, is_clustered: bool = True) -> Iterator[FactorialEvidence]:
    """
    Give, day by day, what users who come back say in a 2 × 2 release, at a correlation of .5 within users.

    On day 14 half of them are moved to the other level of the second factor, as when it is drawn anew: they are in two
    cells, and in two epochs. Without clusters every request is somebody's own.
    """
    habit, level = random.beta(0.8, 0.2, N_USERS), random.integers(0, 2, (2, N_USERS))
    moved = random.random(N_USERS) < 0.5
    asked, good = np.zeros((N_USERS, 8)), np.zeros((N_USERS, 8))
    for day in range(days):
        is_later = day >= MOVED_ON
        cell = 2 * level[0] + (level[1] ^ (moved & is_later)) + 4 * is_later
        here = np.flatnonzero(random.random(N_USERS) < 0.3)
        asked[here, cell[here]] += 1
        good[here, cell[here]] += random.random(len(here)) < habit[here]
        yield FactorialEvidence(_gathered(asked, good, is_clustered=is_clustered), ())


def _gathered(asked: Array, good: Array, *, is_clustered: bool) -> FactorialSums:
    cells, epochs = (0, 1, 2, 3) * 2, (0,) * 4 + (1,) * 4
    if not is_clustered:
        n, total = np.diag(asked.sum(axis=0)), np.diag(good.sum(axis=0))
        return FactorialSums(cells, epochs, n, total, total, int(asked.sum()))
    there = (asked > 0).astype(float)
    means = np.where(asked > 0, good / np.maximum(asked, 1), 0.0)
    n_units = int(there.any(axis=1).sum())
    return FactorialSums(cells, epochs, there.T @ there, means.T @ there, means.T @ means, n_units)


def _returning(runs: int) -> list[Row]:
    truth, rule = null((2, 2), per_day=1, days=28), FactorialRule(null((2, 2), per_day=1).factors, N_USERS, MDE)
    rows = []
    for is_clustered in (True, False):
        random = np.random.default_rng([92, is_clustered])
        those = [course_of(truth, rule, returning(random, is_clustered=is_clustered)) for _ in range(runs)]
        found = sum(one.mains or one.interactions for one in those)
        name = "… counting every request as somebody's own"
        if is_clustered:
            name = (
                "2 × 2, 2,000 users who come back for 28 days, correlation .5 within them, half of them in two cells,"
                " nothing matters, looked at every day: any main effect or interaction found"
            )
        rows.append(_at_most(name, found, runs, 0.075) if is_clustered else Row(name, render_share(found, runs)))
    return rows


def clustered_null(runs: int, *, seed: int, n_units: int = 400, n_cells_each: int = 4) -> list[tuple[float, float]]:
    """
    Give (z by CR1, z by naive OLS) of a factor that does nothing, for units with `n_cells_each` rows at ICC .5.

    A unit keeps its level of the null factor and moves between the other's: rows repeat it without adding units.
    """
    random = np.random.default_rng(seed)
    answers = []
    for _ in range(runs):
        level = random.integers(0, 2, n_units)
        of_unit = random.normal(size=n_units)
        cells = level[:, None] * n_cells_each + np.arange(n_cells_each)
        means = of_unit[:, None] + random.normal(size=cells.shape)
        unit = np.repeat(np.arange(n_units), n_cells_each)
        pairs = list(zip(unit.tolist(), cells.ravel().tolist(), means.ravel().tolist(), strict=True))
        answers.append((_z(pairs, n_cells_each), _z([(at, *one[1:]) for at, one in enumerate(pairs)], n_cells_each)))
    return answers


def _z(rows: list[tuple[int, int, float]], n_levels: int) -> float:
    fit = fit_rows([2, n_levels], [UnitRow(*one) for one in rows])
    assert fit is not None
    one = pairs_of(fit, 0)[0]
    return one.estimate / one.se


def _one_look(runs: int) -> list[Row]:
    z = np.abs(clustered_null(max(3, runs // 4), seed=81)) > 1.96
    robust, naive = z.sum(axis=0).tolist()
    return [
        _at_most(
            "a factor that does nothing, users in four cells at ICC .5, one look: |z| > 1.96", robust, len(z), 0.075
        ),
        Row("… by ordinary standard errors", render_share(naive, len(z))),
    ]


def ever_found(truth: Truth, rule: FactorialRule, levels: Levels, n_last: int, random: np.random.Generator) -> bool:
    """Tell whether a main effect is found at the end of some day, the last of which ends with user `n_last`."""
    n, good, left = np.zeros(len(truth.rates)), np.zeros(len(truth.rates)), n_last
    while left > 0:
        came = random.multinomial(min(left, truth.per_day), np.full(len(truth.rates), 1 / len(truth.rates)))
        left -= truth.per_day
        n, good = n + came, good + random.binomial(came, truth.rates)
        held = [Held(*one) for one in zip(n.tolist(), good.tolist(), strict=True)]
        fit = fit_cells(truth.sizes, [CellSums(one.n, one.good, one.good) for one in held]) if n.min() >= 20 else None
        if fit is None:
            continue
        effects = [one for one in pairs_of(fit, levels[0][0]) if one.levels == levels]
        if judge_effects(effects, held, rule, n_units=int(n.sum()))[0].is_found:
            return True
    return False


def planned(sizes: tuple[int, ...], factor: int, *, per_day: int) -> tuple[Truth, FactorialRule, int]:
    """Give a release in which one level of a factor adds four points, its rule, and the users that a plan asks for."""
    n_after = prod(sizes[factor + 1 :])
    rates = tuple(BASE + MDE * (cell // n_after % sizes[factor] == 1) for cell in range(prod(sizes)))
    truth = Truth(sizes, rates, per_day, 1)
    plan = feasibility(truth.factors, users_per_day=per_day, baseline=BASE, mde=MDE, max_days=365)
    needed = plan.anytime_by_factor[f"f{factor}"]
    assert needed is not None
    return truth, FactorialRule(truth.factors, plan.planned_units, MDE), needed


def _power(runs: int) -> list[Row]:
    """Do what a plan says, and find what it says."""
    rows = []
    for at, (sizes, factor) in enumerate((((2, 2), 0), ((2, 2, 2), 1), ((5, 3, 2), 2), ((5, 3, 2), 0))):
        random = np.random.default_rng([93, at])
        truth, rule, needed = planned(sizes, factor, per_day=500)
        found = sum(ever_found(truth, rule, ((factor, 0, 1),), needed, random) for _ in range(runs))
        name = " × ".join(str(size) for size in sizes)
        rows.append(
            Row(
                f"{name}, 80 → 84 % by a factor of {sizes[factor]} levels, 500 users a day, looked at every day: found"
                f" by user {needed:,}, as planned",
                render_share(found, runs),
                "80 % ± 2",
                abs(found / runs - 0.8) <= 0.02 + sqrt(0.16 / runs),
            )
        )
    return rows


def _additive(runs: int) -> list[Row]:
    """Look at three factors of which two matter; intervals, the recommendation, and what Holm would have added."""
    truth = additive()
    those = courses(truth, runs, seed=10)
    ends = [one.end for one in those if one.end is not None and one.end.state is FactorialState.DECIDED]
    best = levels_of(max(range(8), key=truth.rates.__getitem__), truth.factors)
    worse = sum(_is_harm(end, truth) for end in ends)
    missed = sum(one.mains for one in those)
    anything = sum(one.mains or one.interactions or one.cells for one in those)
    kept = [one.end for one in those if one.end is not None]
    plain, stepped = (sum(_n_found(end, is_holm=is_holm) for end in kept) for is_holm in (False, True))
    said = "2 × 2 × 2, second levels add 0, 5 and 3 points to 75 %, 600 users a day for 28 days: "
    return [
        _at_least(said + "intervals of all main effects hold at all looks", runs - missed, runs, 0.95),
        _at_least("… all intervals of everything hold at all looks", runs - anything, runs, 0.925),
        _at_most("… something worse than the baseline's cell was recommended", worse, runs, 0.05),
        Row(
            "… decided within 28 days; of these, the best cell or one as good recommended",
            f"{render_share(len(ends), runs)}; {sum(_is_as_good(end, best, truth) for end in ends):,}",
        ),
        Row(
            "… main effects found when it ended: by intervals, and had Holm gone on",
            f"{plain / runs:.3f} and {stepped / runs:.3f} of 2",
        ),
    ]


def _is_harm(end: FactorialVerdict, truth: Truth) -> bool:
    return _rate_of(end, truth) < truth.rates[0]


def _is_as_good(end: FactorialVerdict, best: tuple[str, ...], truth: Truth) -> bool:
    return end.recommended == best or _rate_of(end, truth) > max(truth.rates) - 1e-9


def _rate_of(end: FactorialVerdict, truth: Truth) -> float:
    cells = (cell for cell in range(len(truth.rates)) if levels_of(cell, truth.factors) == end.recommended)
    return truth.rates[next(cells)]


def _n_found(end: FactorialVerdict, *, is_holm: bool) -> int:
    pairs = [one for pairs in end.mains.values() for one in pairs]
    if not is_holm:
        return sum(one.is_found for one in pairs)
    # Corrected p-values are m times the plain ones: all factors here have one pair.
    return sum(holm([min(1.0, one.p_value / len(pairs)) for one in pairs])) if pairs else 0


def _apart_only(runs: int) -> list[Row]:
    """Look at factors that help only apart: no main effect, and two best cells."""
    truth = Truth((2, 2), (0.75, 0.81, 0.81, 0.75), 600, 56)
    those = courses(truth, runs, seed=20)
    ends = [one.end for one in those if one.end is not None]
    right = sum(end.recommended is not None and _rate_of(end, truth) > 0.8 for end in ends)
    wrong = sum(end.recommended is not None and _rate_of(end, truth) < 0.8 for end in ends)
    days = [one.days for one in those if one.end is not None and one.end.recommended is not None]
    after = f", after a median of {np.median(days):.0f} days" if days else ""
    return [
        Row(
            "2 × 2, 75 % and 6 points more with either second level but not with both, 600 users a day: a best cell"
            " recommended within 56 days",
            render_share(right, runs) + after,
            "≥ 90 %",
            is_within(runs - right, runs, 0.10),
        ),
        _at_most("… another", wrong, runs, 0.05),
    ]


def _shares(runs: int) -> list[Row]:
    """Break the hash of one factor of 5 × 3 × 2: 47 to 53."""
    random, rule = np.random.default_rng([94]), null((5, 3, 2), per_day=1).rule()
    skewed = np.tile([0.47, 0.53], 15) / 15
    n_named = n_cells = 0
    for _ in range(max(3, runs // 4)):
        counts = tuple(random.multinomial(10_000, skewed).tolist())
        n_named += "the levels of f2" in mismatch_of([Arrivals(counts, (1.0,) * 30)], rule)
        n_cells += bool(mismatch_of([Arrivals(counts, (1.0,) * 30)], _undivided(30)))
    shown = max(3, runs // 4)
    return [
        _at_least(
            "5 × 3 × 2, a factor's levels get 47 to 53 of 10,000 users: alarm that names it", n_named, shown, 0.8
        ),
        Row("… were cells alone looked at", render_share(n_cells, shown)),
    ]


def _undivided(n_cells: int) -> FactorialRule:
    return FactorialRule({"cell": [f"{cell}" for cell in range(n_cells)]}, 1_000, MDE)


def _at_most(what: str, n: int, runs: int, share: float) -> Row:
    return Row(what, render_bounded(n, runs), f"≤ {100 * share:g} %", is_within(n, runs, share))


def _at_least(what: str, n: int, runs: int, share: float) -> Row:
    return Row(what, render_share(n, runs), f"≥ {100 * share:g} %", is_within(runs - n, runs, 1 - share))
