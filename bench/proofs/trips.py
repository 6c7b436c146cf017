"""The trip rule: how often it is false by plan, how soon it sees a fault, and what it lets pass."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import ceil

import numpy as np

from bench.proofs.failures import EVERY_S, Failures, Ramp, Rule
from bench.proofs.outages import first_run
from bench.proofs.population import DAY_S, Population, sorted_failures
from bench.proofs.rows import is_within, render_share
from bench.rows import Row
from gateway.stats.alpha import alpha_of_life
from gateway.stats.outage import recent_rate, run_length

ALPHA = alpha_of_life(0.004, 0)
"""What the first life of a rollout may spend of its 0.4 %."""
LEAST_DAYS = {0.01: 1.0, 0.05: 2.0, 0.10: 2.0, 0.20: 2.0, 0.25: 2.0, 0.50: 3.0}
PLANS: dict[str, tuple[float, tuple[float, ...]]] = {
    "prompt_wording": (3, (0.10, 0.50)),
    "system_prompt_restructure": (7, (0.05, 0.20, 0.50)),
    "model_swap_same_tier, rag_pipeline, fine_tuned_model": (7, (0.05, 0.25, 0.50)),
    "model_swap_different_tier": (14, (0.01, 0.05, 0.25, 0.50)),
    "new_feature": (21, (0.01, 0.05, 0.25, 0.50)),
    "safety_guardrail": (3, (0.01, 0.05)),
}
"""Days to 100 % and the shares before it (product.md § 4); stages are as long as their least durations are in scale."""

RATES = (0.002, 0.01, 0.03)
LONG_STARTS = ceil(21 * DAY_S / EVERY_S)
FAULT_S = 2 * DAY_S


def prove_false_alarms(scale: float) -> list[Row]:
    """Run every plan with nothing changed: errors and safety watched, days and nights, persistent users, a bad hour."""
    runs, rows, n_all, n_false_all = max(20, round(20_000 * scale)), list[Row](), 0, 0
    for number, (plan, (days, shares)) in enumerate(PLANS.items()):
        chance = np.random.default_rng([41, number])
        ramp = _ramp(days, shares)
        n_false = sum(_is_false(chance, ramp, days, RATES[run % len(RATES)]) for run in range(runs))
        n_all, n_false_all = n_all + runs, n_false_all + n_false
        sys.stderr.write(f"  {plan}: {n_false} of {runs}\n")
        rows.append(false_row(f"{plan}, {days:g} days: rolled back though nothing changed", n_false, runs))
    rows.append(false_row("all plans", n_false_all, n_all))
    return rows


def prove_bad_hours(scale: float) -> list[Row]:
    """Let a provider fail a share of both arms' requests for an hour at 20 requests/s, and ask the absolute rule."""
    runs, rows = max(20, round(1_000 * scale)), list[Row]()
    for rate in (0.1, 0.2, 0.3, 0.4):
        for is_wary in (False, True):
            chance = np.random.default_rng([43, round(rate * 10), is_wary])
            n_false = sum(
                first_run(
                    chance, requests=72_000, share=0.25, rate=rate, usual_rate=0.01,
                    requests_expected=1_800_000, alpha=ALPHA, is_wary=is_wary,
                )
                for _ in range(runs)
            )  # fmt: skip
            what = f"an hour in which {100 * rate:g} % of both arms fail, 25 % candidate: absolute rule false"
            if is_wary:
                rows.append(Row("… m from the baseline's last 20 where that is worse", render_share(n_false, runs)))
            else:
                rows.append(Row(f"{what}, m from the usual 1 %", render_share(n_false, runs)))
    return rows


def prove_detection(scale: float) -> list[Row]:
    """Let a 5 % candidate fail more, at 20 requests/s of 20,000 users, 1 % usual, three weeks planned."""
    runs, rows = max(20, round(300 * scale)), list[Row]()
    for ratio, fault_s, most_min in ((3.0, 0.0, 15.0), (3.0, FAULT_S, 25.0), (5.0, 0.0, None), (5.0, FAULT_S, None),
                                     (2.5, 0.0, None), (2.0, 0.0, None)):  # fmt: skip
        for differ in (False, True):
            rows.append(_detected(ratio, fault_s, most_min, runs, differ=differ))
    return rows


def prove_total_outages(scale: float) -> list[Row]:
    """Let every request of the candidate fail: how many distinct users notice before it trips."""
    runs, rows = max(10, round(60 * scale)), list[Row]()
    for share in (0.01, 0.05, 0.10, 0.25, 0.50):
        for fault_s in (0.0, FAULT_S):
            users = [
                _outage_users(np.random.default_rng([53, run, round(share * 100)]), share, fault_s)
                for run in range(runs)
            ]
            either = [min(one, absolute) for one, absolute in users]
            alone = [one for one, _ in users]
            when = "48 h in" if fault_s else "from the start"
            came = f"{np.median(either):g}, {max(either):g}; by E alone {np.median(alone):g}, {max(alone):g}"
            what = f"total outage at {100 * share:g} %, {when}: failing users until it trips, median and most"
            rows.append(Row(what, came, "≤ 15", max(either) <= 15))
    return rows


def prove_quiet(scale: float) -> list[Row]:
    """One abusive user with 500 errors, and an outage of both arms, on top of a day at 5 requests/s."""
    runs, rows = max(20, round(400 * scale)), list[Row]()
    people = Population(users=20_000, requests_per_day=21.6)
    for share in (0.05, 0.5):
        rule = Rule(ALPHA, LONG_STARTS, people.requests_per_s)
        for name, is_abuse in (
            ("one abusive candidate user with 500 errors", True),
            ("both arms down for 20 min", False),
        ):
            chance = np.random.default_rng([59, round(share * 100), is_abuse])
            n_false = sum(
                rule.tripped(_disturbed(chance, people, share, is_abuse=is_abuse)) is not None for _ in range(runs)
            )
            rows.append(
                Row(f"{name}, {100 * share:g} % candidate: trips", render_share(n_false, runs), "0", n_false == 0)
            )
    return rows


def _ramp(days: float, shares: tuple[float, ...]) -> Ramp:
    lengths = [LEAST_DAYS[share] for share in shares]
    ends = np.cumsum([0.0, *lengths[:-1]]) * days * DAY_S / sum(lengths)
    return Ramp(tuple(float(end) for end in ends), shares)


def _is_false(chance: np.random.Generator, ramp: Ramp, days: float, rate: float) -> bool:
    until_s = days * DAY_S
    people = Population(rate=rate, bad_hour=0.2)
    unsafe = Population(rate=0.001, persistent=0.002)
    n_starts = ceil(until_s / EVERY_S)
    errors = Rule(ALPHA, n_starts, people.requests_per_s).tripped(people.failing(chance, ramp, until_s))
    safety = Rule(ALPHA, n_starts, unsafe.requests_per_s, floor=0.0).tripped(unsafe.failing(chance, ramp, until_s))
    return errors is not None or safety is not None or _runs_falsely(chance, people, ramp, until_s)


def _runs_falsely(chance: np.random.Generator, people: Population, ramp: Ramp, until_s: float) -> bool:
    """Ask the absolute rule: in the bad hour request by request, and in all the others by how rare a run is."""
    usual = people.rate + 0.5 * people.persistent
    expected = ceil(people.requests_per_s * ramp.exposure_s(0, until_s))
    share = ramp.shares[int(chance.integers(len(ramp.shares)))]
    hour = ceil(people.requests_per_s * 3600)
    if first_run(
        chance, requests=hour, share=share, rate=usual + people.bad_hour, usual_rate=usual,
        requests_expected=expected, alpha=ALPHA,
    ):  # fmt: skip
        return True
    m = run_length(max(usual, recent_rate(0, 20)), requests_expected=expected, alpha=ALPHA)
    return bool(chance.binomial(expected, usual**m))


def false_row(what: str, n_false: int, runs: int) -> Row:
    """Give the row of false rollbacks: at most 0.8 %, as far as so many runs can tell."""
    return Row(what, render_share(n_false, runs), "≤ 0.8 %, aim ≤ 0.5 %", is_within(n_false, runs, 0.008))


def _busy(differ: bool) -> Population:
    """20 requests/s of 20,000 users, 1 % failing: all alike, or some busy, some failing, and 1 % persistently."""
    people = Population(users=20_000, requests_per_day=86.4, spread=0.0, swing=0.0, persistent=0.0, rate=0.01)
    return replace(people, spread=1.0, persistent=0.01, rate=0.005) if differ else people


def _detected(ratio: float, fault_s: float, most_min: float | None, runs: int, *, differ: bool) -> Row:
    people, ramp = _busy(differ), Ramp((0.0,), (0.05,))
    rule = Rule(ALPHA, LONG_STARTS, people.requests_per_s)
    minutes, users = [], []
    for run in range(runs):
        chance = np.random.default_rng([47, run, round(ratio * 10), int(fault_s), differ])
        tripped = rule.tripped(_faulty(chance, people, ramp, ratio, fault_s), from_s=fault_s)
        minutes.append((tripped[0] - fault_s) / 60 if tripped else np.inf)
        users.append(tripped[1] if tripped else np.inf)
    median, late = float(np.median(minutes)), float(np.quantile(minutes, 0.9, method="higher"))
    who = "users differ, 1 % fail persistently" if differ else "users alike"
    when = "48 h in" if fault_s else "from the start"
    what = f"{ratio:g}× {when}, {who}: minutes until it trips, median (p90); failing candidate users by then"
    came = f"{_minutes(median)} ({_minutes(late)}); {np.median(users):g}; {runs} runs"
    if most_min is None or differ:
        return Row(what, came)
    return Row(what, came, f"≤ {most_min:g}", median <= most_min)


def _minutes(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "not within 3 h"


def _faulty(
    chance: np.random.Generator, people: Population, ramp: Ramp, ratio: float, fault_s: float, lasts_s: float = 10_800.0
) -> Failures:
    """Give a run whose candidate's users fail `ratio` times as often, at most always, from `fault_s` on."""
    until_s = fault_s + lasts_s
    # Nothing that is older than a day matters to a start, and the rollout's own has long gone blind.
    begin_s = max(0.0, fault_s - DAY_S)
    slot, activity, rate = people.drawn(chance)
    per_s = activity / DAY_S
    user = np.repeat(np.arange(people.users), chance.poisson(per_s * rate * (until_s - begin_s)))
    at_s = chance.uniform(begin_s, until_s, user.size)
    mine = np.flatnonzero(slot < ramp.shares[0])
    more_rate = np.minimum(ratio * rate[mine], 1.0) - rate[mine]
    more = np.repeat(mine, chance.poisson(per_s[mine] * more_rate * (until_s - fault_s)))
    at_s = np.concatenate([at_s, chance.uniform(fault_s, until_s, more.size)])
    return sorted_failures(at_s, np.concatenate([user, more]), slot, ramp)


def _outage_users(chance: np.random.Generator, share: float, fault_s: float) -> tuple[float, float]:
    """Give failing users until E trips, and until the absolute rule does."""
    people, ramp = _busy(False), Ramp((0.0,), (share,))
    # Sixty failing requests, or more where a whole second brings them.
    run = _faulty(chance, people, ramp, 1e9, fault_s, lasts_s=60.0 / (people.requests_per_s * share))
    tripped = Rule(ALPHA, LONG_STARTS, people.requests_per_s).tripped(run, from_s=fault_s)
    expected = ceil(people.requests_per_s * share * 21 * DAY_S)
    failed = int((chance.random(20) < people.rate).sum())
    m = run_length(max(people.rate, recent_rate(failed, 20)), requests_expected=expected, alpha=ALPHA)
    return (tripped[1] if tripped else np.inf), m


def _disturbed(chance: np.random.Generator, people: Population, share: float, *, is_abuse: bool) -> Failures:
    ramp, until_s = Ramp((0.0,), (share,)), DAY_S
    slot, activity, rate = people.drawn(chance)
    user = np.repeat(np.arange(people.users), chance.poisson(activity * rate * until_s / DAY_S))
    at_s = chance.uniform(0, until_s, user.size)
    begin_s = chance.uniform(0, until_s - 3600)
    if is_abuse:
        more = np.full(500, int(np.argmin(slot)))
        more_s = begin_s + np.sort(chance.uniform(0, 3600, 500))
    else:
        more = np.repeat(np.arange(people.users), chance.poisson(activity * 1200 / DAY_S))
        more_s = begin_s + chance.uniform(0, 1200, more.size)
    return sorted_failures(np.concatenate([at_s, more_s]), np.concatenate([user, more]), slot, ramp)
