"""What clients notice of shadows whose provider does its worst: nothing, is the aim."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.faults.sizes import Sizes, count_of, run
from bench.rows import Row
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.load import Asked, Load, Plan
from tests.flows.rig.provider import provider
from tests.flows.rig.shadows import BEHAVIOUR, config, memory_of, until_settled, without_shadows
from tests.flows.rig.storm import percentile

MODES = {
    "answers": "wordy",
    "hangs": "hanging",
    "resets": "resetting",
    "floods": "flooding",
    "is not there": "nobody",
}
"""What the shadow's provider does, and the model that makes it."""

N_TURNS = 4
MOST_MORE_MS = 2.0
MOST_BYTES = 300 * 1024 * 1024


def measure_shadows(home: Path, sizes: Sizes) -> list[Row]:
    """Mirror everything, and compare with a gateway that mirrors nothing, in turn."""
    rows = []
    with provider(BEHAVIOUR) as sim:
        for what, model in MODES.items():
            plain, shadowed = home / f"plain-{model}", home / model
            shadow_url = "http://127.0.0.1:1/v1" if model == "nobody" else sim.base_url
            text = config(sim.base_url, model, shadow_url=shadow_url)
            with gateway(plain, without_shadows(text)) as before, gateway(shadowed, text) as after:
                after.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
                rows += run(_compare(what, before, after, sizes))
    return rows


async def _compare(what: str, plain: GatewayProcess, shadowed: GatewayProcess, sizes: Sizes) -> list[Row]:
    plan = Plan(rate=100, n_held=0)
    asked: dict[bool, list[Asked]] = {False: [], True: []}
    failures: list[str] = []
    for turn in range(2 * N_TURNS):
        is_shadowed = bool(turn % 2)
        async with Load((shadowed if is_shadowed else plain).port, plan) as load:
            await asyncio.sleep(sizes.shadow_s / N_TURNS)
        asked[is_shadowed] += load.tally.asked
        failures += load.tally.failures
    counted = await asyncio.to_thread(until_settled, shadowed, "support", total=len(asked[True]))
    most = await asyncio.to_thread(lambda: memory_of(shadowed.status()["shadow"]["pid"]))
    alone_ms, with_ms = (percentile(_latencies_ms(asked[which]), 0.99) for which in (False, True))
    results = ", ".join(f"{n} {result}" for result, n in sorted(counted.items()))
    n_missing = len(asked[True]) - sum(counted.values())
    is_quick = with_ms - alone_ms <= MOST_MORE_MS
    rate, memory = f"{plan.rate:g} requests/s", f"{most / 1024 / 1024:.0f} MiB"
    return [
        Row(f"everything mirrored to a provider that {what}, {rate}: failed", count_of(failures), "0", not failures),
        Row("… p99 without and with", f"{alone_ms:.1f}, {with_ms:.1f} ms", f"≤ {MOST_MORE_MS:g} ms more", is_quick),
        Row("… what became of the copies; not accounted for", f"{results}; {n_missing}", "none", n_missing == 0),
        Row("… memory of the shadow process", memory, "≤ 300 MiB", most <= MOST_BYTES),
    ]


def _latencies_ms(asked: list[Asked]) -> list[float]:
    return [(one.reply.ended_s - one.reply.begun_s) * 1000 for one in asked]
