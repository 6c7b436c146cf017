"""What users notice of operators who look: twenty open pages with live numbers, beside the same traffic without."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from bench.faults.shadows import latencies_ms, more_ms_row
from bench.faults.sizes import Sizes, count_of, run
from bench.rows import Row
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.provider import provider
from tests.flows.rig.readers import n_read, readers
from tests.flows.rig.storm import percentile

N_PAGES = 20
TURNS = (False, True, True, False) * 3
"""Turn by turn: with pages open or without."""

MOST_MORE_MS = 1.0


def measure_pages(home: Path, sizes: Sizes) -> list[Row]:
    """Ask a gateway a hundred times a second, with pages open and without, in turn."""
    with provider() as sim, gateway(home, generation(sim.base_url, 0)) as running:
        running.until(lambda now: now["facts"] and now["facts"]["store"] == "ok")
        return run(_compare(running, sizes))


async def _compare(running: GatewayProcess, sizes: Sizes) -> list[Row]:
    operators = str(orjson.loads((running.state / "endpoints.json").read_bytes())["operators"])
    plan, took_ms, failures, n_pages_read = (
        Plan(rate=100, n_held=0),
        {False: [0.0][:0], True: [0.0][:0]},
        list[str](),
        0,
    )
    for is_looked_at in TURNS:
        with readers(operators, N_PAGES if is_looked_at else 0) as line:
            async with Load(running.port, plan) as load:
                await asyncio.sleep(sizes.shadow_s * 2 / len(TURNS))
            n_pages_read += n_read(line)
        took_ms[is_looked_at].append(percentile(latencies_ms(load.tally.asked), 0.99))
        failures += load.tally.failures
    return [
        Row(
            f"{N_PAGES} open pages with live numbers, {plan.rate:g} requests/s: failed",
            count_of(failures),
            "0",
            not failures,
        ),
        more_ms_row(took_ms[False], took_ms[True], most_ms=MOST_MORE_MS),
        Row("… pages read anew meanwhile", f"{n_pages_read}", "> 0", n_pages_read > 0),
    ]
