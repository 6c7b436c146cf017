"""What becomes of every request's facts while processes are killed and the store is away."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.faults.sizes import Sizes, count_of, run, seconds_of
from bench.rows import Row
from gateway.simulator.describe import Behaviour
from tests.flows.rig import counts
from tests.flows.rig.facts import (
    METRICS,
    await_kept,
    integrity,
    kept_feedback,
    kept_ids,
    kill_storm,
    locked,
    store_file,
)
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.provider import provider
from tests.flows.rig.storm import percentile


def measure_kills(home: Path, sizes: Sizes) -> list[Row]:
    """Kill control, a worker and the parent in turn, under load and with feedback, and look for every fact."""
    with provider(Behaviour()) as sim, gateway(home, generation(sim.base_url, 0) + METRICS) as running:
        load = Plan(rate=sizes.rate, n_held=0)
        storm = run(kill_storm(running, n_kills=sizes.kills, load=load, gives_feedback=True))
        kept = await_kept(running, storm.ids, timeout_s=5.0)
        running.stop()
        file = store_file(running)
        told, whole = kept_feedback(file), integrity(file)
    n_gone = len(storm.acknowledged - told.keys())
    n_twice = sum(count - 1 for count in (*kept.values(), *told.values()))
    done = f"{sizes.kills} times kill -9 of control, a worker, the parent in turn, under {sizes.rate:g} requests/s"
    return [
        Row(f"{done}: requests answered, feedback acknowledged", f"{len(storm.asked)}, {len(storm.acknowledged)}"),
        Row("… acknowledged feedback that is not in the store", str(n_gone), "0", n_gone == 0),
        Row("… outcomes and feedback that are there twice", str(n_twice), "0", n_twice == 0),
        Row("… outcomes missing whose worker was not killed", count_of(storm.lost(kept)), "0", not storm.lost(kept)),
        Row("… failed requests that no killed process held", count_of(storm.inexcusable), "0", not storm.inexcusable),
        Row("… feedback that was not acknowledged, by status", str(dict(storm.refused) or "none")),
        Row("… PRAGMA integrity_check", whole, "ok", whole == "ok"),
        Row(
            "… ready again after the parent was killed: p50, longest",
            seconds_of(storm.ready_s),
            "≤ 2 s",
            max(storm.ready_s) <= 2.0,
        ),
    ]


def measure_counts(home: Path, sizes: Sizes) -> list[Row]:
    """Send requests of every kind, and compare what `/metrics` says with what clients and provider counted."""
    with provider(counts.BEHAVIOUR) as sim, gateway(home, counts.CONFIG.format(base_url=sim.base_url)) as running:
        counted = run(counts.ask_everything(running.port, sizes.counted))
        different = counts.differences(counts.settled(running, sizes.counted), counted, sim)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.classes.items()))
    return [
        Row(f"{counted.n_requests} requests with faults, streams and leaving clients", kinds),
        Row(
            "… numbers of `/metrics` that differ from what was counted",
            ", ".join(different) or "none",
            "none",
            not different,
        ),
    ]


def measure_store_away(home: Path, sizes: Sizes) -> list[Row]:
    """Lock the store for a minute, and start without one, and see that requests do not notice and no fact is lost."""
    plan = Plan(rate=sizes.rate, n_held=0)
    with provider(Behaviour()) as sim, gateway(home / "locked", generation(sim.base_url, 0)) as running:
        running.until(lambda now: now["facts"]["store"] == "ok")
        before_ms, during_ms, ids, failures = run(_lock_out(running, plan, sizes.away_s))
        begun_s = time.perf_counter()
        kept = await_kept(running, ids, timeout_s=60.0)
        caught_up_s = time.perf_counter() - begun_s
        facts = running.until(lambda now: now["facts"]["store"] == "ok" and not now["facts"]["queued"])["facts"]
    n_lost, n_twice = len(ids - kept.keys()), sum(count - 1 for count in kept.values())
    slower_ms = percentile(during_ms, 0.99) - percentile(before_ms, 0.99)
    return [
        Row(f"store locked for {sizes.away_s:g} s under {plan.rate:g} requests/s: requests", f"{len(ids)}"),
        Row("… failed requests", count_of(failures), "0", not failures),
        Row(
            "… p99 before, and while it was away",
            f"{percentile(before_ms, 0.99):.1f}, {percentile(during_ms, 0.99):.1f} ms",
            "≤ 5 ms more",
            slower_ms <= 5.0,
        ),
        Row("… outcomes lost, there twice", f"{n_lost}, {n_twice}", "0, 0", (n_lost, n_twice) == (0, 0)),
        Row("… caught up after", f"{caught_up_s:.1f} s", "≤ 30 s", caught_up_s <= 30.0),
        _balance_row(facts),
        *_missing_at_start(home / "missing", plan, sizes.away_s / 6),
    ]


def _balance_row(facts: dict[str, Any]) -> Row:
    parts = (facts["stored"], facts["queued"], facts["spooled"], sum(facts["dropped"].values()))
    said = f"{facts['accepted']} = {' + '.join(map(str, parts))}"
    return Row("… accepted = stored + queued + spooled + dropped", said, "holds", facts["accepted"] == sum(parts))


async def _lock_out(
    running: GatewayProcess, plan: Plan, away_s: float
) -> tuple[list[float], list[float], set[str], list[str]]:
    async with Load(running.port, plan) as load:
        await asyncio.sleep(max(away_s / 3, 2.0))
        n_before = len(load.tally.asked)
        with locked(store_file(running)):
            await asyncio.sleep(away_s)
            n_during = len(load.tally.asked)
    took_ms = [(one.reply.ended_s - one.reply.begun_s) * 1000 for one in load.tally.asked]
    ids = {one.reply.headers["x-sluice-request-id"] for one in load.tally.asked}
    return took_ms[:n_before], took_ms[n_before:n_during], ids, load.tally.failures


def _missing_at_start(home: Path, plan: Plan, away_s: float) -> list[Row]:
    home.mkdir(parents=True)
    place = home / "place"
    place.write_text("in the way")
    flags = ("--store", f"sqlite:///{place}/facts.sqlite")
    with provider(Behaviour()) as sim, gateway(home, generation(sim.base_url, 0), flags=flags) as running:
        load = run(_ask_for(running, plan, away_s))
        place.unlink()
        place.mkdir()
        begun_s = time.perf_counter()
        facts = running.until(lambda now: now["facts"]["store"] == "ok" and not now["facts"]["spooled"], 60.0)["facts"]
        took_s = time.perf_counter() - begun_s
        n_kept = sum(kept_ids(place / "facts.sqlite").values())
    n_asked = len(load.tally.asked)
    return [
        Row("store missing at the start: failed requests", count_of(load.tally.failures), "0", not load.tally.failures),
        Row(
            f"… outcomes stored {took_s:.1f} s after it came",
            f"{n_kept} of {n_asked}",
            "all, once",
            n_kept == n_asked == facts["stored"],
        ),
    ]


async def _ask_for(running: GatewayProcess, plan: Plan, seconds: float) -> Load:
    async with Load(running.port, plan) as load:
        await asyncio.sleep(seconds)
    return load
