"""Rollouts that must end: the latch under kills, and candidates that are spoilt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.faults.sizes import Sizes, count_of, run, seconds_of
from bench.rows import Row
from tests.flows.rig import rollouts
from tests.flows.rig.gateway import gateway
from tests.flows.rig.latches import HELD_WITHIN_S, LatchStorm, latch_storm
from tests.flows.rig.load import Plan
from tests.flows.rig.provider import ProviderProcess
from tests.flows.rig.storm import percentile


def measure_latch(home: Path, sizes: Sizes) -> list[Row]:
    """Roll back in every way and kill a process at that moment, again and again, and look who gets the candidate."""
    plan = Plan(rate=60, n_held=0)
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.HALF)) as running:
        storm = run(latch_storm(running, providers, n_loops=sizes.latches, load=plan))
    return latch_rows(storm, plan.rate)


def latch_rows(storm: LatchStorm, rate: float) -> list[Row]:
    """Give what a storm came to."""
    ways = ", ".join(f"{count} {way}" for way, count in sorted(storm.ways.items()))
    kills = ", ".join(f"{count} {victim}" for victim, count in sorted(storm.kills.items()))
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(storm.unacknowledged.items())) or "none"
    longest_s = max(storm.seen_s, default=0.0)
    n_expected = sum(storm.ways.values()) - storm.unacknowledged["open"]
    is_all = len(storm.closed) == n_expected
    return [
        Row(
            f"{storm.n_loops} loops of rollback and kill -9 under {rate:g} requests/s: rollbacks, kills",
            f"{ways}; {kills}",
        ),
        Row("… requests answered, rollouts resumed whose traffic came back", f"{storm.n_answers}, {storm.resumed}"),
        Row("… commands cut short by the kill, and what had come of them", told),
        Row("… rollbacks that stood until they were resumed", f"{len(storm.closed)} of {n_expected}", "all", is_all),
        Row(
            f"… answers of the candidate to requests sent more than {HELD_WITHIN_S:g} s after the acknowledgement",
            count_of(storm.late),
            "0",
            not storm.late,
        ),
        Row("… requests that reached the candidate's provider then", str(storm.reached), "0", storm.reached == 0),
        Row(
            "… longest time from the acknowledgement to the last request that the candidate answered",
            f"{longest_s:.2f} s",
            "≤ 1 s",
            longest_s <= HELD_WITHIN_S,
        ),
        Row("… rollbacks lost or twice in the journal", count_of(storm.miscounted), "0", not storm.miscounted),
        Row("… files that could not be read", count_of(storm.unreadable), "0", not storm.unreadable),
        Row("… anything else that did not agree", count_of(storm.odd), "0", not storm.odd),
    ]


SPOILS: dict[str, Callable[[rollouts.Providers], None]] = {
    "refuses every connection": lambda providers: providers.take_away(providers.other),
    "answers nothing but 500": lambda providers: providers.behave(providers.other, error_rate=1.0),
    "has every answer cut by the content filter": lambda providers: providers.behave(
        providers.other, content_filter_rate=1.0
    ),
    "refuses to answer": lambda providers: providers.behave(providers.other, refusal_rate=1.0),
}
"""What becomes of a candidate's provider."""


OUTAGES: dict[str, Callable[[rollouts.Providers, ProviderProcess], None]] = {
    "answer 500": lambda providers, which: providers.behave(which, error_rate=1.0),
    "reset connections": lambda providers, which: providers.behave(which, fault="reset@before"),
    "refuse connections": lambda providers, which: providers.take_away(which),
}
"""What becomes of both."""


def measure_trips(home: Path, sizes: Sizes) -> list[Row]:
    """Spoil a candidate that has a tenth of the users, and what no candidate is to blame for."""
    plan = Plan(rate=20, n_held=0)
    rows = []
    for number, (what, spoil) in enumerate(SPOILS.items()):
        n_trips = sizes.trips if number == 0 else max(1, sizes.trips // 3)
        trips = [_trip(home / f"{number}-{each}", spoil, plan, 1.0 + 0.9 * each) for each in range(n_trips)]
        rows += trip_rows(f"{len(trips)} times a 10 % canary under {plan.rate:g} requests/s {what}", trips)
    for what, spoil_each in OUTAGES.items():
        calm = _outage(home / what.replace(" ", "-"), spoil_each, plan, sizes.calm_s)
        rows.append(calm_row(f"both arms' providers {what} for {sizes.calm_s:g} s", calm))
    with rollouts.two_providers() as providers, gateway(home / "abuse", providers.config(rollouts.CONFIG)) as running:
        rows.append(calm_row("one user of the candidate fails 500 times", run(rollouts.abuse(running, 500, plan))))
    return rows


def _trip(home: Path, spoil: Callable[[rollouts.Providers], None], plan: Plan, healthy_s: float) -> rollouts.Trip:
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.CONFIG)) as running:
        return run(rollouts.trip(running, partial(spoil, providers), plan, healthy_s=healthy_s))


def trip_rows(what: str, trips: Sequence[rollouts.Trip]) -> list[Row]:
    """Give what rounds of one kind came to; one whose candidate answered nothing proves nothing."""
    counted, gone_s = [float(each.n_requests) for each in trips], [each.gone_s for each in trips]
    rules = Counter(f"{each.signal} by {each.rule}" for each in trips)
    return [
        Row(
            f"{what}: its requests until it had none, p50, most",
            f"{percentile(counted, 0.5):.0f}, {max(counted):.0f}; {', '.join(sorted(rules))}",
            "1 to 30",
            min(counted) > 0 and max(counted) <= 30,
        ),
        Row("… and after so long: p50, longest", seconds_of(gone_s), "≤ 30 s", max(gone_s) <= 30.0),
    ]


def _outage(
    home: Path, spoil: Callable[[rollouts.Providers, ProviderProcess], None], plan: Plan, lasts_s: float
) -> rollouts.Calm:
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.CONFIG)) as running:

        def spoil_both() -> None:
            spoil(providers, providers.good)
            spoil(providers, providers.other)

        return run(rollouts.outage(running, spoil_both, plan, lasts_s))


def calm_row(what: str, calm: rollouts.Calm) -> Row:
    """Give whether anything was decided; where nothing failed, nothing is proved."""
    decided = ", ".join(calm.decided) or "none"
    is_met = not calm.decided and calm.weight_pct == 10 and calm.n_failed > 0
    return Row(f"{what}: failed requests; decisions", f"{calm.n_failed}; {decided}", "no decision", is_met)
