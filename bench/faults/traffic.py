"""Reloads, restarts, hung-up clients, every fault of a provider, and who is in which arm, under load."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.errors import BenchError
from bench.faults.sizes import Sizes, count_of, run, seconds_of
from bench.rows import Row
from gateway.simulator.describe import Behaviour, ModelBehaviour
from tests.flows.rig.gateway import ROOT, GatewayProcess, aside, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT, Plan
from tests.flows.rig.population import MODES, arms_by_real_client, users
from tests.flows.rig.provider import PATIENT, ProviderProcess, provider
from tests.flows.rig.storm import percentile, reload_storm, restart_storm

STEADY = Behaviour(models={"held*": ModelBehaviour(ttft_ms=10, tokens_per_s=100, output_tokens=400)})
"""Streams of four seconds with a token every 10 ms: a stall shows as a gap."""


def measure_reloads(home: Path, sizes: Sizes) -> list[Row]:
    """Save under load, every other file broken."""
    plan = Plan(rate=sizes.rate, n_held=sizes.held)
    with provider(PATIENT) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        storm = run(reload_storm(running, sim, n_good=sizes.reloads // 2, load=plan))
        code = running.stop()
    applied_ms = [applied_s * 1000 for applied_s in storm.applied_s]
    n_failed, p99 = len(storm.tally.failures), percentile(applied_ms, 0.99)
    done = f"{sizes.reloads} reloads, half of broken files, under {sizes.rate:g} requests/s and {sizes.held} streams"
    return [
        Row(f"{done}: requests, of these streams", f"{len(storm.tally.asked)}, {storm.tally.n_streams}"),
        Row("… failed requests", count_of(storm.tally.failures), "0", n_failed == 0 and code == 0),
        Row("… requests on a mixed table", count_of(storm.served.mixed), "0", not storm.served.mixed),
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
        through_ms, direct_ms, took_s = run(_gaps(running, sim, sizes))
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
        storm = run(restart_storm(running, n_restarts=sizes.restarts, load=plan))
        code = running.stop()
    kinds = Counter("reused" if one.reply.is_reused else "new" for one in storm.tally.asked)
    done = f"{sizes.restarts} rolling restarts under {plan.rate:g} requests/s and {plan.n_held} streams"
    return [
        Row(
            f"{done}: requests on kept and on new connections, streams",
            f"{kinds['reused']}, {kinds['new']}, {storm.tally.n_streams}",
        ),
        Row("… failed requests", count_of(storm.tally.failures), "0", not storm.tally.failures and code == 0),
        Row(
            "… workers there were", str(storm.n_workers), str(2 * sizes.restarts), storm.n_workers == 2 * sizes.restarts
        ),
        Row("… one rolling restart of two workers takes: p50, longest", seconds_of(storm.took_s)),
    ]


def measure_leaves(home: Path, sizes: Sizes) -> list[Row]:
    """Let clients leave at any point, and see that the provider's side is let go at once."""
    chance = random.Random(7)
    with provider(PATIENT) as sim, gateway(home, generation(sim.base_url, 0)) as running:
        leaves_s = run(_leave_often(running, chance, sizes.leaves))
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
        told = [run(arms_by_real_client(running.base_url, users(sizes.users), mode)) for mode in MODES]
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
