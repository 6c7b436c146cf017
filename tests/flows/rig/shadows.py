"""Gateways that mirror to shadows of every temper, and what became of the copies."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.record.pair import Pair, key_of
from gateway.record.store.engine import location_of, open_reader
from gateway.record.store.reader import Reader
from gateway.simulator.describe import Behaviour, ModelBehaviour
from tests.flows.rig.facts import store_file
from tests.flows.rig.gateway import GatewayProcess

SETTLED_WITHIN_S = 20.0
SENT = ("answered", "failed", "timeout", "lost")
"""What becomes of a copy that was sent; everything else was not."""

BEHAVIOUR = Behaviour(
    models={
        "hanging": ModelBehaviour(fault="hang@before"),
        "resetting": ModelBehaviour(fault="reset@mid"),
        "flooding": ModelBehaviour(output_tokens=100_000),
        "bombing": ModelBehaviour(fault="gzip-bomb"),
        "broken": ModelBehaviour(fault="half-json"),
        "wordy": ModelBehaviour(output_tokens=60, latency_ms=40),
        "held*": ModelBehaviour(ttft_ms=30, tokens_per_s=50, output_tokens=20),
    }
)
CONFIG = """version: 1
providers:
  local: {{base_url: "{base_url}", auth: none, max_connections: 2000}}
  other: {{base_url: "{shadow_url}", auth: none, timeouts: {{connect: 1s, first_byte: 2s, idle: 2s}}}}
metrics:
  thumbs: {{kind: binary}}
identity: {{user: [header:x-user-id]}}
routes:
  support:
    variants:
      current: {{provider: local, model: fast}}
      next: {{provider: other, model: {model}, system_prompt: {{replace: "Be kind."}}}}
    release: {{fixed: {{variant: current}}}}
    samples: {{keep: 100%, for: 1d}}
    redact: [email]
    shadows: [{{variant: next, sample: {sample}, timeout: 3s, {more}}}]
  held:
    variants:
      current: {{provider: local, model: held}}
      next: {{provider: other, model: {model}}}
    release: {{fixed: {{variant: current}}}}
    shadows: [{{variant: next, sample: {sample}, timeout: 3s}}]
"""
MORE = "noise: 0%"


def config(url: str, model: str, *, shadow_url: str = "", sample: str = "100%", more: str = MORE) -> str:
    """Give a file whose shadow asks `model`."""
    return CONFIG.format(base_url=url, shadow_url=shadow_url or url, model=model, sample=sample, more=more)


def memory_of(pid: int) -> int:
    """Give a process's resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def without_shadows(text: str) -> str:
    """Give a file that mirrors nothing."""
    return "\n".join(line for line in text.splitlines() if "shadows:" not in line) + "\n"


@asynccontextmanager
async def reading(running: GatewayProcess) -> AsyncIterator[Reader]:
    """Read the store beside the gateway."""
    location = location_of(f"sqlite:///{store_file(running)}", running.state)
    reader = Reader(open_reader(location), location)
    try:
        yield reader
    finally:
        await reader.close()


def kept_pairs(running: GatewayProcess, route: str = "support") -> list[Pair]:
    """Give the pairs that are in the store, with their texts; waits for the store to be there."""
    running.until(lambda now: now["facts"]["store"] == "ok")

    async def read() -> list[Pair]:
        async with reading(running) as reader:
            pairs = [pair async for lot in reader.pairs(route) for pair in lot]
            texts = await reader.pair_texts([key_of(pair) for pair in pairs])
        return [msgspec.structs.replace(pair, texts=texts.get(key_of(pair))) for pair in pairs]

    return asyncio.run(read())


def counted(running: GatewayProcess, route: str) -> Counter[str]:
    """Give what became of a route's copies, by result, as the store has it."""

    async def read() -> Counter[str]:
        found: Counter[str] = Counter()
        async with reading(running) as reader:
            for count in await reader.shadow_counts(route):
                found[count.result] += count.n
        return found

    return asyncio.run(read())


def until_settled(
    running: GatewayProcess, route: str, *, total: int = 0, within_s: float = SETTLED_WITHIN_S, **at_least: int
) -> Counter[str]:
    """Wait until so many copies of a route are accounted for, in all and by result; give them by result."""
    running.until(lambda now: now["facts"]["store"] == "ok")
    deadline_s = time.monotonic() + within_s
    while True:
        found = counted(running, route)
        if found.total() >= total and all(found[result] >= n for result, n in at_least.items()):
            return found
        assert time.monotonic() < deadline_s, f"{total} {at_least} wanted, {dict(found)} found"
        time.sleep(0.2)


def results_of(found: Mapping[str, int]) -> int:
    """Give how many copies were sent."""
    return sum(found[result] for result in SENT if result in found)
