"""The two storms that tests send in small and `make faults` in full: saves under load, and restarts under load."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import cycle

from tests.flows.rig.gateway import GatewayProcess, aside
from tests.flows.rig.generations import BROKEN, Served, generation, served
from tests.flows.rig.load import Load, Plan, Tally
from tests.flows.rig.provider import ProviderProcess

GIVEN_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class ReloadStorm:
    """
    What saving under load did.

    Attributes:
        tally: Of the load.
        served: Which request was answered from which file.
        applied_s: For each good save, from the write to the last request that was still sent into the old table.
        reported_s: For each good save, from the write until the control process said that it was in use.
    """

    tally: Tally
    served: Served
    applied_s: list[float]
    reported_s: list[float]


async def reload_storm(
    running: GatewayProcess, sim: ProviderProcess, *, n_good: int, load: Plan, rest_s: float = 0.35
) -> ReloadStorm:
    """Save `n_good` good files, a broken one before each, while the load goes on."""
    breaks = cycle(BROKEN.values())
    before = (await aside(sim.stats)).n_requests
    written: list[float] = []
    reported: list[float] = []
    async with Load(running.port, load) as storm:
        for number in range(1, n_good + 1):
            text = generation(sim.base_url, number)
            running.config.write_bytes(next(breaks)(text))
            await asyncio.sleep(rest_s)
            old = (await aside(running.status))["config_hash"]
            written.append(time.perf_counter())
            running.write(text)
            while (await aside(running.status))["config_hash"] == old:
                assert time.perf_counter() - written[-1] < GIVEN_UP_S, f"generation {number} was never taken"
                await asyncio.sleep(0.02)
            reported.append(time.perf_counter() - written[-1])
            await asyncio.sleep(rest_s)
        ended_s = time.perf_counter()
    seen = served(storm.tally.asked, await aside(lambda: sim.received(after=before)))
    ends = [*written[1:], ended_s]
    applied = [
        seen.apply_s(at_s, number, until_s=end_s)
        for number, (at_s, end_s) in enumerate(zip(written, ends, strict=True), start=1)
    ]
    return ReloadStorm(storm.tally, seen, applied, reported)


@dataclass(frozen=True, slots=True)
class RestartStorm:
    """
    What restarting under load did.

    Attributes:
        tally: Of the load.
        took_s: How long each rolling restart took.
        pids: How many workers there have been.
    """

    tally: Tally
    took_s: list[float]
    n_workers: int


async def restart_storm(running: GatewayProcess, *, n_restarts: int, load: Plan) -> RestartStorm:
    """Restart all workers one by one, again and again, while the load goes on."""
    took: list[float] = []
    pids: set[int] = set()
    async with Load(running.port, load) as storm:
        for _ in range(n_restarts):
            begun_s = time.perf_counter()
            report = await aside(running.restart)
            assert report["problem"] == "", report
            took.append(time.perf_counter() - begun_s)
            pids |= set(await aside(running.worker_pids))
    return RestartStorm(storm.tally, took, len(pids))


def percentile(values: list[float], share: float) -> float:
    """Give the value below which `share` of them lie; the largest for 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
