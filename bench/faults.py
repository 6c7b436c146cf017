"""
`python -m bench.faults`: the long fault programme, with the rig of tests/flows at its full size.

Each part gives rows: what was done, what came of it, what it must be. Nothing is written that was not
measured in this run; a part that was left out leaves its rows out.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from bench.errors import BenchError
from bench.machine import Machine, observe_machine
from gateway.simulator.describe import Behaviour, ModelBehaviour
from tests.flows.rig import counts, rollouts
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
from tests.flows.rig.gateway import ROOT, GatewayProcess, aside, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.http import HttpClient
from tests.flows.rig.latches import HELD_WITHIN_S, LatchStorm, latch_storm
from tests.flows.rig.load import CHAT, Load, Plan
from tests.flows.rig.population import MODES, arms_by_real_client, users
from tests.flows.rig.provider import PATIENT, ProviderProcess, provider
from tests.flows.rig.storm import percentile, reload_storm, restart_storm

T = TypeVar("T")

BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"
DOCUMENT = ROOT / "docs" / "faults.md"
STEADY = Behaviour(models={"held*": ModelBehaviour(ttft_ms=10, tokens_per_s=100, output_tokens=400)})
"""Streams of four seconds with a token every 10 ms: a stall shows as a gap."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; the full programme by default."""

    reloads: int = 200
    restarts: int = 100
    leaves: int = 500
    users: int = 2_000
    rate: float = 300
    held: int = 200
    routes: int = 1_000
    rounds: int = 2
    kills: int = 100
    away_s: float = 60.0
    counted: int = 10_000
    latches: int = 100
    trips: int = 10
    calm_s: float = 20.0


SMOKE = Sizes(
    reloads=6,
    restarts=2,
    leaves=20,
    users=100,
    rate=60,
    held=10,
    routes=200,
    rounds=1,
    kills=3,
    away_s=3.0,
    counted=400,
    latches=3,
    trips=1,
    calm_s=4.0,
)


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of the table.

    Attributes:
        what: What was done.
        came: What was measured.
        must: What it has to be; empty where it is only told.
        is_met: Whether it was.
    """

    what: str
    came: str
    must: str = ""
    is_met: bool = True


Part = Callable[[Path, Sizes], list[Row]]


def measure_reloads(home: Path, sizes: Sizes) -> list[Row]:
    """Save under load, every other file broken."""
    plan = Plan(rate=sizes.rate, n_held=sizes.held)
    with provider(PATIENT) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        storm = _run(reload_storm(running, sim, n_good=sizes.reloads // 2, load=plan))
        code = running.stop()
    applied_ms = [applied_s * 1000 for applied_s in storm.applied_s]
    n_failed, p99 = len(storm.tally.failures), percentile(applied_ms, 0.99)
    done = f"{sizes.reloads} reloads, half of broken files, under {sizes.rate:g} requests/s and {sizes.held} streams"
    return [
        Row(f"{done}: requests, of these streams", f"{len(storm.tally.asked)}, {storm.tally.n_streams}"),
        Row("… failed requests", _count(storm.tally.failures), "0", n_failed == 0 and code == 0),
        Row("… requests on a mixed table", _count(storm.served.mixed), "0", not storm.served.mixed),
        Row(
            "… tables served, of good files",
            f"{len(storm.served.generations) - 1} of {sizes.reloads // 2}",
            "all",
            len(storm.served.generations) - 1 == sizes.reloads // 2,
        ),
        Row(
            "… from the save to the last request into the old table: p50, p99, longest",
            f"{percentile(applied_ms, 0.5):.0f}, {p99:.0f}, {max(applied_ms):.0f} ms",
            "p99 ≤ 200 ms",
            p99 <= 200,
        ),
    ]


def measure_routes(home: Path, sizes: Sizes) -> list[Row]:
    """Take a file of many routes while streams run, and look for gaps in them."""
    with provider(STEADY) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        through_ms, direct_ms, took_s = _run(_gaps(running, sim, sizes))
        size_kb = running.config.stat().st_size / 1000
    return [
        Row(
            f"file of {sizes.routes} routes ({size_kb:.0f} kB) taken under 20 streams: longest gap between chunks",
            f"{through_ms:.0f} ms (beside it, straight from the provider: {direct_ms:.0f} ms)",
            "< 100 ms more than beside it",
            through_ms - direct_ms < 100,
        ),
        Row("… from the save until every worker serves it, longest of 3", f"{took_s:.1f} s"),
    ]


async def _gaps(running: GatewayProcess, sim: ProviderProcess, sizes: Sizes) -> tuple[float, float, float]:
    body = {"model": "held", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    direct_port = sim.port
    gaps: dict[int, float] = {running.port: 0.0, direct_port: 0.0}
    is_over = False

    async def watch(port: int, number: int) -> None:
        while not is_over:
            model = "held" if port == running.port else "held-0"
            reply = await HttpClient(port, keeps=False).post(CHAT, body | {"model": model, "user": f"u{number}"})
            if reply.problem or reply.status != 200:
                message = f"a stream broke: {reply.status} {reply.problem}"
                raise BenchError(message)
            pairs = zip(reply.chunks_s, reply.chunks_s[1:], strict=False)
            gaps[port] = max(gaps[port], *(later - earlier for earlier, later in pairs))

    watching = [asyncio.ensure_future(watch(port, number)) for port in gaps for number in range(10)]
    longest_s = 0.0
    for number in (1, 2, 3):
        begun_s = time.perf_counter()
        await aside(partial(running.apply, generation(sim.base_url, number, n_routes=sizes.routes)))
        longest_s = max(longest_s, time.perf_counter() - begun_s)
        await asyncio.sleep(0.5)
    is_over = True
    await asyncio.gather(*watching)
    return gaps[running.port] * 1000, gaps[direct_port] * 1000, longest_s


def measure_restarts(home: Path, sizes: Sizes) -> list[Row]:
    """Restart the workers one by one, again and again, under load."""
    plan = Plan(rate=sizes.rate / 2, n_held=sizes.held // 4)
    with provider(PATIENT) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        storm = _run(restart_storm(running, n_restarts=sizes.restarts, load=plan))
        code = running.stop()
    kinds = Counter("reused" if one.reply.is_reused else "new" for one in storm.tally.asked)
    done = f"{sizes.restarts} rolling restarts under {plan.rate:g} requests/s and {plan.n_held} streams"
    return [
        Row(
            f"{done}: requests on kept and on new connections, streams",
            f"{kinds['reused']}, {kinds['new']}, {storm.tally.n_streams}",
        ),
        Row("… failed requests", _count(storm.tally.failures), "0", not storm.tally.failures and code == 0),
        Row(
            "… workers there were", str(storm.n_workers), str(2 * sizes.restarts), storm.n_workers == 2 * sizes.restarts
        ),
        Row("… one rolling restart of two workers takes: p50, longest", _seconds(storm.took_s)),
    ]


def measure_leaves(home: Path, sizes: Sizes) -> list[Row]:
    """Let clients leave at any point, and see that the provider's side is let go at once."""
    chance = random.Random(7)
    with provider(PATIENT) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        leaves_s = _run(_leave_often(running, chance, sizes.leaves))
        n_open = _settled(sim)
        entries = {entry.json["messages"][-1]["content"]: entry for entry in sim.received()}
        counts = running.until(lambda now: all(each["counts"]["in_flight"] == 0 for each in now["workers"]))
        n_tasks = sum(worker["counts"]["background_tasks"] for worker in counts["workers"])
    late_ms = [
        (entry.ended_unix_ms or 0) - left_unix_s * 1000
        for nonce, left_unix_s in leaves_s.items()
        if (entry := entries.get(nonce)) is not None and entry.client_left
    ]
    return [
        Row(
            f"{sizes.leaves} clients leave at any point of a stream: seen by the provider as left",
            f"{len(late_ms)}",
        ),
        Row(
            "… from the client's leaving to the provider's end: p50, p99",
            f"{percentile(late_ms, 0.5):.0f}, {percentile(late_ms, 0.99):.0f} ms",
            "p99 ≤ 250 ms",
            percentile(late_ms, 0.99) <= 250,
        ),
        Row(
            "… left behind: requests at the provider, tasks in the workers",
            f"{n_open}, {n_tasks}",
            "0, 0",
            (n_open, n_tasks) == (0, 0),
        ),
    ]


async def _leave_often(running: GatewayProcess, chance: random.Random, n: int) -> dict[str, float]:
    left_unix_s: dict[str, float] = {}

    async def leave(number: int) -> None:
        nonce = f"leave-{number}"
        body = {"model": "held", "stream": True, "messages": [{"role": "user", "content": nonce}]}
        client = HttpClient(running.port, keeps=False)
        asking = asyncio.ensure_future(client.post(CHAT, body, {"x-user-id": nonce}))
        await asyncio.sleep(chance.uniform(0.0, 1.8))
        left_unix_s[nonce] = datetime.now(UTC).timestamp()
        client.close()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    for start in range(0, n, 50):
        await asyncio.gather(*(leave(number) for number in range(start, min(start + 50, n))))
    return left_unix_s


def _settled(sim: ProviderProcess) -> int:
    deadline_s = time.monotonic() + 2.0
    while sim.stats().n_in_flight and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return sim.stats().n_in_flight


def measure_split(home: Path, sizes: Sizes) -> list[Row]:
    """Ask for every user's arm with the official client, in all four modes."""
    with provider(Behaviour()) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        told = [_run(arms_by_real_client(running.base_url, users(sizes.users), mode)) for mode in MODES]
    share = Counter(told[0].values())["concise"] / sizes.users
    n_moved = sum(len({arms[user] for arms in told}) > 1 for user in told[0])
    is_even = abs(share - 0.5) <= 0.03 or sizes.users < 2_000
    return [
        Row(
            f"{sizes.users} users through the official client, chat and responses, streamed and not: candidate",
            f"{share:.1%}",
            "50 % ± 3",
            is_even,
        ),
        Row("… users whose arm is not the same in all four", str(n_moved), "0", n_moved == 0),
    ]


def measure_kills(home: Path, sizes: Sizes) -> list[Row]:
    """Kill control, a worker and the parent in turn, under load and with feedback, and look for every fact."""
    with provider(Behaviour()) as sim, gateway(home, generation(sim.base_url, 0) + METRICS) as running:
        load = Plan(rate=sizes.rate, n_held=0)
        storm = _run(kill_storm(running, n_kills=sizes.kills, load=load, gives_feedback=True))
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
        Row("… outcomes missing whose worker was not killed", _count(storm.lost(kept)), "0", not storm.lost(kept)),
        Row("… failed requests that no killed process held", _count(storm.inexcusable), "0", not storm.inexcusable),
        Row("… feedback that was not acknowledged, by status", str(dict(storm.refused) or "none")),
        Row("… PRAGMA integrity_check", whole, "ok", whole == "ok"),
        Row(
            "… ready again after the parent was killed: p50, longest",
            _seconds(storm.ready_s),
            "≤ 2 s",
            max(storm.ready_s) <= 2.0,
        ),
    ]


def measure_counts(home: Path, sizes: Sizes) -> list[Row]:
    """Send requests of every kind, and compare what `/metrics` says with what clients and provider counted."""
    with provider(counts.BEHAVIOUR) as sim, gateway(home, counts.CONFIG.format(base_url=sim.base_url)) as running:
        counted = _run(counts.ask_everything(running.port, sizes.counted))
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
        before_ms, during_ms, ids, failures = _run(_lock_out(running, plan, sizes.away_s))
        begun_s = time.perf_counter()
        kept = await_kept(running, ids, timeout_s=60.0)
        caught_up_s = time.perf_counter() - begun_s
        facts = running.until(lambda now: now["facts"]["store"] == "ok" and not now["facts"]["queued"])["facts"]
    n_lost, n_twice = len(ids - kept.keys()), sum(count - 1 for count in kept.values())
    slower_ms = percentile(during_ms, 0.99) - percentile(before_ms, 0.99)
    return [
        Row(f"store locked for {sizes.away_s:g} s under {plan.rate:g} requests/s: requests", f"{len(ids)}"),
        Row("… failed requests", _count(failures), "0", not failures),
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
        load = _run(_ask_for(running, plan, away_s))
        place.unlink()
        place.mkdir()
        begun_s = time.perf_counter()
        facts = running.until(lambda now: now["facts"]["store"] == "ok" and not now["facts"]["spooled"], 60.0)["facts"]
        took_s = time.perf_counter() - begun_s
        n_kept = sum(kept_ids(place / "facts.sqlite").values())
    n_asked = len(load.tally.asked)
    return [
        Row("store missing at the start: failed requests", _count(load.tally.failures), "0", not load.tally.failures),
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


def measure_matrix(_: Path, sizes: Sizes) -> list[Row]:
    """Run the fault matrix of the tests, over and over."""
    rows = []
    for number in range(1, sizes.rounds + 1):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/flows/test_faults.py"]
        begun_s = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing"
        counted = ", ".join(re.findall(r"\d+ (?:passed|failed|errors?|skipped)", last)) or last
        what = f"fault matrix, round {number} (took {time.perf_counter() - begun_s:.0f} s)"
        rows.append(Row(what, counted, "all pass", done.returncode == 0))
    return rows


def measure_latch(home: Path, sizes: Sizes) -> list[Row]:
    """Roll back in every way and kill a process at that moment, again and again, and look who gets the candidate."""
    plan = Plan(rate=60, n_held=0)
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.HALF)) as running:
        storm = _run(latch_storm(running, providers, n_loops=sizes.latches, load=plan))
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
            _count(storm.late),
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
        Row("… rollbacks lost or twice in the journal", _count(storm.miscounted), "0", not storm.miscounted),
        Row("… files that could not be read", _count(storm.unreadable), "0", not storm.unreadable),
        Row("… anything else that did not agree", _count(storm.odd), "0", not storm.odd),
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
        rows.append(calm_row("one user of the candidate fails 500 times", _run(rollouts.abuse(running, 500, plan))))
    return rows


def _trip(home: Path, spoil: Callable[[rollouts.Providers], None], plan: Plan, healthy_s: float) -> rollouts.Trip:
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.CONFIG)) as running:
        return _run(rollouts.trip(running, partial(spoil, providers), plan, healthy_s=healthy_s))


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
        Row("… and after so long: p50, longest", _seconds(gone_s), "≤ 30 s", max(gone_s) <= 30.0),
    ]


def _outage(
    home: Path, spoil: Callable[[rollouts.Providers, ProviderProcess], None], plan: Plan, lasts_s: float
) -> rollouts.Calm:
    with rollouts.two_providers() as providers, gateway(home, providers.config(rollouts.CONFIG)) as running:

        def spoil_both() -> None:
            spoil(providers, providers.good)
            spoil(providers, providers.other)

        return _run(rollouts.outage(running, spoil_both, plan, lasts_s))


def calm_row(what: str, calm: rollouts.Calm) -> Row:
    """Give whether anything was decided; where nothing failed, nothing is proved."""
    decided = ", ".join(calm.decided) or "none"
    is_met = not calm.decided and calm.weight_pct == 10 and calm.n_failed > 0
    return Row(f"{what}: failed requests; decisions", f"{calm.n_failed}; {decided}", "no decision", is_met)


PARTS: dict[str, Part] = {
    "split": measure_split,
    "reloads": measure_reloads,
    "routes": measure_routes,
    "restarts": measure_restarts,
    "leaves": measure_leaves,
    "counts": measure_counts,
    "kills": measure_kills,
    "store": measure_store_away,
    "latch": measure_latch,
    "trips": measure_trips,
    "matrix": measure_matrix,
}


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _count(problems: Sequence[str]) -> str:
    """Give how many, and the first of them."""
    return f"{len(problems)}: {problems[0][:160]}" if problems else "0"


def _seconds(values: Sequence[float]) -> str:
    return f"{percentile(list(values), 0.5):.1f}, {max(values):.1f} s"


def render_rows(rows: Sequence[Row]) -> str:
    """Give a Markdown table."""
    lines = ["| what | came of it | must | met |", "|---|---|---|---|"]
    for row in rows:
        met = "" if not row.must else "yes" if row.is_met else "**no**"
        cells = (row.what, row.came, row.must, met)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)


def render_run(rows: Sequence[Row], before: Machine, after: Machine, took_s: float, today: str) -> str:
    """Give the table with what it was measured on."""
    return (
        f"Measured {today} in {took_s / 60:.0f} minutes: two workers, provider, clients and gateway together on "
        f"{before.cores} cores, {before.system}, Python {before.python}; load average {before.load:.1f} before and "
        f"{after.load:.1f} after.\n\n{render_rows(rows)}"
    )


def write_between_markers(path: Path, text: str) -> None:
    """
    Put `text` between the markers of a document.

    Raises:
        BenchError: It has no markers.
    """
    start, found, rest = path.read_text().partition(BEGIN)
    _, also_found, rest = rest.partition(END)
    if not found or not also_found:
        message = f"{path.name} has no {BEGIN} … {END}"
        raise BenchError(message)
    path.write_text(f"{start}{BEGIN}\n{text}\n{END}{rest}")


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Give the flags."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--smoke", action="store_true", help="small sizes: only proves that it runs")
    parser.add_argument("--write", nargs="?", type=Path, const=DOCUMENT, help="put the table into docs/faults.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the programme; 1 when something was not as it must be."""
    flags = parse_flags(argv)
    if flags.write is not None and flags.smoke:
        sys.stderr.write("a smoke run proves nothing, so it is not written down\n")
        return 2
    before, begun_s, rows = observe_machine(), time.perf_counter(), list[Row]()
    for name in flags.only or PARTS:
        sys.stderr.write(f"{name} …\n")
        with tempfile.TemporaryDirectory(prefix="sluice-faults-") as home:
            part = PARTS[name](Path(home), SMOKE if flags.smoke else Sizes())
        rows += part
        sys.stderr.write(f"{render_rows(part)}\n")
    today = datetime.now(UTC).date().isoformat()
    text = render_run(rows, before, observe_machine(), time.perf_counter() - begun_s, today)
    sys.stdout.write(f"{text}\n")
    if flags.write is not None:
        write_between_markers(flags.write, text)
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
