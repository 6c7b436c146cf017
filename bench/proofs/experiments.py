"""
Experiments whose truth is known: how often a report that is read every day is wrong, and what it finds.

Effects are those of `gates.experiment_effects`, from the sums that a report makes of the store. Whoever looks, looks
every hundred users.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import is_within, render_bounded, render_share
from bench.rows import Row
from gateway.gates.experiment import Effect, Harm, Question, Scale
from gateway.gates.experiment_effects import EffectRule, Sample, effect_of
from gateway.gates.experiment_metrics import Measure
from gateway.stats.cells import CellContrast, CellPair, mean_contrast
from gateway.stats.products import CellProducts
from gateway.stats.srm import sequential

RUNS = 2_000
UNITS = 20_000
EVERY = 100
RULE = EffectRule()
THUMBS = Measure("thumbs", Question.PRIMARY, Scale.SHARE, Harm.DOWN, "total", "count", "thumbs")
SURELY_INSIDE_Z = 2.3
"""At its narrowest the interval reaches 2.9 standard errors: nearer ones need not be asked."""

Counts = NDArray[np.int64]


def prove_experiments(scale: float) -> list[Row]:
    """Simulate them all."""
    runs = max(20, round(RUNS * scale))
    return [
        *(_false_alarms(base, share, runs) for base in (0.01, 0.2, 0.8, 0.99) for share in (0.05, 0.5)),
        _one_look(runs),
        *(_coverage(base, lift, share, runs) for base, lift, share in ((0.8, 0.04, 0.5), (0.2, -0.05, 0.05))),
        *_clustered(runs),
        *_ratios(runs),
        simpson(),
    ]


def _false_alarms(base: float, share: float, runs: int) -> Row:
    """Look every hundred users at two arms alike."""
    rng = np.random.default_rng(round(1_000 * base + 10 * share))
    n_wrong = sum(_ever_called(rng, base, base, share) for _ in range(runs))
    is_extreme = base in (0.01, 0.99) or share < 0.5
    limit = 0.06 if is_extreme else 0.05
    return Row(
        f"two arms alike at {100 * base:g} %, {100 * share:g} % of {UNITS:,} users, looked at every {EVERY}: called"
        " different",
        render_bounded(n_wrong, runs),
        f"≤ {100 * limit:g} %",
        is_within(n_wrong, runs, limit),
    )


def _one_look(runs: int) -> Row:
    """Do what is often done: ask for p < 0.05 at every look."""
    rng = np.random.default_rng(7)
    n_wrong = 0
    for _ in range(runs):
        n, successes = drawn(rng, 0.8, 0.8, 0.5)
        z = _z(n, successes)
        n_wrong += bool((np.abs(z) > 1.96).any())
    return Row(
        "… the same at 80 % and 50 %, asking for p < 0.05 of a single look every time", render_share(n_wrong, runs)
    )


def drawn(rng: np.random.Generator, rate: float, baseline: float, share: float) -> tuple[Counts, Counts]:
    """Give (looks, 2) users, and successes among them, of the candidate and the baseline so far."""
    is_candidate: Any = rng.random(UNITS) < share
    is_good: Any = rng.random(UNITS) < np.where(is_candidate, rate, baseline)
    looks = slice(EVERY - 1, None, EVERY)
    n: Counts = np.column_stack([np.cumsum(is_candidate), np.cumsum(~is_candidate)])[looks]
    successes: Counts = np.column_stack([np.cumsum(is_candidate & is_good), np.cumsum(~is_candidate & is_good)])[looks]
    return n, successes


def looked(n: Counts, successes: Counts, rule: EffectRule = RULE) -> Effect:
    """Give one look's effect, of users who each said one thing."""
    rates = successes / n
    variances = rates * (1 - rates) / (n - 1)
    is_positive = rates.min() > 0
    log_se = sqrt(float((variances / rates**2).sum())) if is_positive else None
    found = CellContrast(
        float(rates[0]),
        float(rates[1]),
        float(rates[0] - rates[1]),
        sqrt(float(variances.sum())),
        log(rates[0] / rates[1]) if is_positive else None,
        log_se,
        1,
    )
    sample = Sample(int(n[0]), int(n[1]), (float(successes[0]), float(successes[1])))
    return effect_of(THUMBS, "new", "old", found, sample, rule)


def _z(n: Counts, successes: Counts) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = successes / n
        se = np.sqrt((rates * (1 - rates) / n).sum(axis=1))
        return np.asarray(np.nan_to_num((rates[:, 0] - rates[:, 1]) / se, nan=0.0, posinf=9.0, neginf=-9.0))


def _ever_called(rng: np.random.Generator, rate: float, baseline: float, share: float) -> bool:
    n, successes = drawn(rng, rate, baseline, share)
    for at in np.nonzero((np.abs(_z(n, successes)) > SURELY_INSIDE_Z) & (n.min(axis=1) > 1))[0]:
        found = looked(n[at], successes[at])
        if found.is_better or found.is_worse:
            return True
    return False


def _coverage(base: float, effect: float, share: float, runs: int) -> Row:
    """Tell how often the interval holds the truth at every look of a run, once the burn-in is over."""
    rng = np.random.default_rng(round(1_000 * base + 100 * share))
    n_held = 0
    for _ in range(runs):
        n, successes = drawn(rng, base + effect, base, share)
        n_held += all(
            found.low <= effect <= found.high or not found.is_enough
            for found in (looked(n[at], successes[at]) for at in range(9, len(n), 10))
        )
    return Row(
        f"{100 * base:g} % and {100 * effect:+g} points, {100 * share:g} %: interval holds the truth at all 20 looks",
        render_share(n_held, runs),
        "≥ 94 %",
        n_held / runs >= 0.94 or is_within(runs - n_held, runs, 0.06),
    )


def _clustered(runs: int) -> list[Row]:
    """Rate by users who are very unlike each other: half of the variance is between them."""
    rng, n_users = np.random.default_rng(11), 1_000
    by_user = by_rating = 0
    for _ in range(runs):
        own = rng.beta(0.5, 0.5, n_users)  # An intraclass correlation of 0.5.
        counts = 1 + rng.geometric(0.2, n_users)
        sums = rng.binomial(counts, own).astype(np.float64)
        cells = np.arange(n_users) % 2
        products = CellProducts(2)
        products.note(np.arange(n_users), cells, np.column_stack([np.ones(n_users), sums / counts]))
        found = mean_contrast(products, [CellPair(0, 1)])
        assert found is not None
        by_user += abs(found.effect) > 1.96 * found.se
        n = np.array([[counts[cells == arm].sum() for arm in (0, 1)]])
        successes = np.array([[round(sums[cells == arm].sum()) for arm in (0, 1)]])
        by_rating += abs(float(_z(n, successes)[0])) > 1.96
    return [
        Row(
            f"{n_users:,} users with some six ratings each, intraclass correlation 0.5, none better: p < 0.05 by user",
            render_bounded(by_user, runs),
            "≤ 6.5 %",
            is_within(by_user, runs, 0.065),
        ),
        Row("… and by rating, as if ratings were independent", render_share(by_rating, runs)),
    ]


def _ratios(runs: int) -> list[Row]:
    """Lose six percent of one arm's users, or none."""
    rng = np.random.default_rng(13)

    def ever(share: float) -> tuple[int, list[float]]:
        n_alarms, when = 0, []
        for _ in range(runs):
            candidates = np.cumsum(rng.random(UNITS) < share)
            for at in range(EVERY, UNITS + 1, EVERY):
                ours = int(candidates[at - 1])
                if sequential([ours, at - ours], [1, 1]) >= 1_000:
                    n_alarms += 1
                    when.append(float(at))
                    break
        return n_alarms, when

    n_false, _ = ever(0.5)
    n_found, when = ever(0.47)
    return [
        Row(
            f"shares as planned, looked at every {EVERY} of {UNITS:,} users: sample ratio alarms",
            render_bounded(n_false, runs),
            "≤ 0.2 %",
            is_within(n_false, runs, 0.002),
        ),
        Row(
            "47 % of users where 50 % were planned: found",
            f"{render_share(n_found, runs)}, after a median of {np.median(when):,.0f} users",
            "≥ 95 %",
            n_found / runs >= 0.95,
        ),
    ]


def simpson() -> Row:
    """Judge the ramp of decisions.md § 7, F26: pooled it says worse, by day it is better."""
    counts = {0: (10_000, 230), 1: (990_000, 20_000), 2: (500_000, 6_000), 3: (500_000, 5_000)}
    products = CellProducts(2)
    for cell, (n, successes) in counts.items():
        products.between[cell, cell] = np.array([[n, successes], [successes, successes]], dtype=np.float64)
    found = mean_contrast(products, [CellPair(0, 1), CellPair(2, 3)])
    assert found is not None
    pooled = 6_230 / 510_000 - 25_000 / 1_490_000
    return Row(
        "a ramp from 1 % to 50 % over two days, better on both (Kohavi's example)",
        f"{100 * found.effect:+.2f} points; pooled it would be {100 * pooled:+.2f}",
        "above 0",
        found.effect - 3 * found.se > 0 > pooled,
    )
