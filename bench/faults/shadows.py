"""What clients notice of shadows whose provider does its worst: nothing, is the aim."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.faults.sizes import Sizes, count_of, run
from bench.rows import Row
from tests.flows.rig.flood import flood
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.load import Asked, Load, Plan
from tests.flows.rig.provider import IDLE, provider
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

TURNS = (False, True, True, False) * 3
"""Which gateway is asked, turn by turn: with shadows or without."""

MOST_MORE_MS = 2.0
DRAINED_WITHIN_S = 120.0
"""Copies that wait when the load ends are 288 at most, 32 at a time, three seconds each."""

MOST_BYTES = 300 * 1024 * 1024


def measure_shadows(home: Path, sizes: Sizes) -> list[Row]:
    """
    Mirror everything, and compare with a gateway that mirrors nothing, in turn.

    The shadow's provider is a process of its own that gives way to all others, and one that floods sends the same
    tokens again and again: making them is work of another machine.
    """
    rows = []
    with provider() as sim, provider(BEHAVIOUR, nice=IDLE) as other, flood() as flooding_url:
        for what, model in MODES.items():
            plain, shadowed = home / f"plain-{model}", home / model
            elsewhere = {"nobody": "http://127.0.0.1:1/v1", "flooding": flooding_url}
            text = config(sim.base_url, model, shadow_url=elsewhere.get(model, other.base_url))
            with gateway(plain, without_shadows(text)) as before, gateway(shadowed, text) as after:
                after.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
                rows += run(_compare(what, before, after, sizes))
    return rows


async def _compare(what: str, plain: GatewayProcess, shadowed: GatewayProcess, sizes: Sizes) -> list[Row]:
    plan = Plan(rate=100, n_held=0)
    took_ms: dict[bool, list[float]] = {False: [], True: []}
    n_mirrored, failures, counted = 0, list[str](), Counter[str]()
    for is_shadowed in TURNS:
        async with Load((shadowed if is_shadowed else plain).port, plan) as load:
            await asyncio.sleep(sizes.shadow_s * 2 / len(TURNS))
        took_ms[is_shadowed].append(percentile(latencies_ms(load.tally.asked), 0.99))
        failures += load.tally.failures
        if is_shadowed:  # What is still on its way must not take the next turn's time.
            n_mirrored += len(load.tally.asked)
            counted = await asyncio.to_thread(
                until_settled, shadowed, "support", total=n_mirrored, within_s=DRAINED_WITHIN_S
            )
    most = await asyncio.to_thread(lambda: memory_of(shadowed.status()["shadow"]["pid"]))
    results = ", ".join(f"{n} {result}" for result, n in sorted(counted.items()))
    n_missing = n_mirrored - sum(counted.values())
    rate, memory = f"{plan.rate:g} requests/s", f"{most / 1024 / 1024:.0f} MiB"
    return [
        Row(f"everything mirrored to a provider that {what}, {rate}: failed", count_of(failures), "0", not failures),
        more_ms_row(took_ms[False], took_ms[True], most_ms=MOST_MORE_MS),
        Row("… what became of the copies; not accounted for", f"{results}; {n_missing}", "none", n_missing == 0),
        Row("… memory of the shadow process", memory, "≤ 300 MiB", most <= MOST_BYTES),
    ]


def more_ms_row(alone_ms: Sequence[float], with_ms: Sequence[float], *, most_ms: float) -> Row:
    """Judge the p99 of each turn against its neighbour's."""
    more_ms = [after - before for before, after in zip(alone_ms, with_ms, strict=True)]
    came = (
        f"{median(alone_ms):.1f}, {median(with_ms):.1f} ms; {median(more_ms):+.1f} ms"
        f" ({min(more_ms):+.1f} … {max(more_ms):+.1f})"
    )
    what = f"… p99 without and with; the difference, median and range of {len(more_ms)} turns"
    return Row(what, came, f"≤ {most_ms:g} ms more", median(more_ms) <= most_ms)


def latencies_ms(asked: list[Asked]) -> list[float]:
    """Give how long each took, in ms."""
    return [(one.reply.ended_s - one.reply.begun_s) * 1000 for one in asked]
