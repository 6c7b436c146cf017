"""A rollout between two providers of which one can be spoilt, what is read of it, and what breaks it must come to."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.simulator.describe import Behaviour
from tests.flows.rig.gateway import GatewayProcess, aside
from tests.flows.rig.http import HttpClient, Reply
from tests.flows.rig.load import CHAT, Asked, Load, Plan
from tests.flows.rig.population import arms_of, users
from tests.flows.rig.provider import ProviderProcess

ROUTE, RELEASE = "support", "support-v8"
BASELINE, CANDIDATE = "current", "concise"
GONE_WITHIN_S = 30.0
UNDER_WAY_S = 1.0
"""After every worker serves the table: what was asked before has been answered."""

CONFIG = """
version: 1
providers:
  good: {base_url: "GOOD", auth: none, forward_headers: [x-sim-fault], timeouts: {connect: 1s, first_byte: 5s}}
  other: {base_url: "OTHER", auth: none, forward_headers: [x-sim-fault], timeouts: {connect: 1s, first_byte: 5s}}
routes:
  support:
    variants:
      current: {provider: good, model: a}
      concise: {provider: other, model: b}
    release:
      name: support-v8
      rollout: {baseline: current, candidate: concise, change_type: prompt_wording}
"""
"""A candidate at a tenth."""

HALF = CONFIG.replace("prompt_wording}", "prompt_wording, stages: [{at: 50%, min_duration: 1d}, {at: 100%}]}")
"""And at a half, for a day."""


class Providers:
    """
    Two accounts: one stays well, the other can be spoilt or taken away.

    Attributes:
        good: The baseline's.
        other: The candidate's.
    """

    def __init__(self) -> None:
        self.good, self.other = ProviderProcess(Behaviour()), ProviderProcess(Behaviour())
        self._running = [self.good, self.other]
        for each in self._running:
            each.start()

    def take_away(self, which: ProviderProcess) -> None:
        """End one: every connection to it is refused from now on."""
        which.close()
        self._running.remove(which)

    def behave(self, which: ProviderProcess, **changes: object) -> None:
        """Let one answer otherwise from now on; takes fields of `ModelBehaviour`."""
        status, body = _post(which.port, "/sim/behaviour", {"default": changes})
        assert status == 200, body

    def close(self) -> None:
        """End what runs."""
        for each in self._running:
            each.close()

    def config(self, text: str) -> str:
        """Give a configuration that names them."""
        return text.replace("GOOD", self.good.base_url).replace("OTHER", self.other.base_url)


@contextmanager
def two_providers() -> Iterator[Providers]:
    """Run two; nothing of them is left behind."""
    providers = Providers()
    try:
        yield providers
    finally:
        providers.close()


def command(running: GatewayProcess, action: str, why: str = "") -> int:
    """Ask the operators' API for something as a person; give the status. Raises what a broken connection raises."""
    port = int(running.operators.rpartition(":")[2])
    return _post(port, f"/api/rollouts/{ROUTE}/{action}", {"who": "ana", "why": why})[0]


def rollout_of(running: GatewayProcess) -> dict[str, Any]:
    """Give how the rollout stands."""
    status, body = running.ask_operators(f"/api/rollouts/{RELEASE}")
    assert status == 200, body
    return dict(body)


def decisions(running: GatewayProcess) -> list[dict[str, Any]]:
    """Give the rollout's newest journal entries, newest first."""
    status, body = running.ask_operators(f"/api/journal?release={RELEASE}")
    assert status == 200, body
    return list(body["entries"])


def entry_of(running: GatewayProcess, kind: str) -> dict[str, Any]:
    """Give the newest journal entry of a kind."""
    return next(entry for entry in decisions(running) if entry["kind"] == kind)


def serves_one_table(status: dict[str, Any]) -> bool:
    """Say whether every worker serves what was published last."""
    return {worker["version"] for worker in status["workers"]} == {status["version"]}


async def until_rolled_back(running: GatewayProcess, timeout_s: float = GONE_WITHIN_S) -> None:
    """Wait for the rollback."""
    deadline_s = time.monotonic() + timeout_s
    while (rollout := await aside(lambda: rollout_of(running)))["phase"] != "rolled_back":
        assert time.monotonic() < deadline_s, rollout["sentence"]
        await asyncio.sleep(0.05)


def candidates_of(load: Load) -> list[Asked]:
    """Give the requests that the candidate answered, well or not, in the order they were sent."""
    found = [one for one in (*load.tally.asked, *load.tally.failed) if _is_candidates(one.reply)]
    return sorted(found, key=lambda one: one.reply.begun_s)


def _is_candidates(reply: Reply) -> bool:
    # Where its provider gave no answer, the gateway's own names the provider and no variant.
    return reply.headers.get("x-sluice-variant") == CANDIDATE or b"provider 'other'" in reply.body


@dataclass(frozen=True, slots=True)
class Trip:
    """
    How a spoilt candidate was taken away.

    Attributes:
        rule: What tripped.
        signal: Of what.
        n_requests: How many requests the spoilt candidate answered.
        gone_s: From its spoiling to the sending of the last of them.
    """

    rule: str
    signal: str
    n_requests: int
    gone_s: float


async def trip(running: GatewayProcess, spoil: Callable[[], None], load: Plan, *, healthy_s: float = 2.0) -> Trip:
    """Spoil the candidate after so long under load, and wait until it is gone from every worker."""
    async with Load(running.port, load) as loading:
        await asyncio.sleep(healthy_s)
        spoilt_s = time.perf_counter()
        await aside(spoil)
        await until_rolled_back(running)
        await aside(lambda: running.until(serves_one_table))
        await asyncio.sleep(UNDER_WAY_S)
    harmed_s = [sent_s for one in candidates_of(loading) if (sent_s := one.reply.begun_s) >= spoilt_s]
    entry = await aside(lambda: entry_of(running, "rolled_back"))
    signal = str(entry["evidence"].get("signal", ""))
    return Trip(entry["rule"], signal, len(harmed_s), max(harmed_s, default=spoilt_s) - spoilt_s)


@dataclass(frozen=True, slots=True)
class Calm:
    """
    What came of something that no candidate is to blame for.

    Attributes:
        n_failed: Requests that failed.
        decided: What was decided in the meantime, newest first: kinds of journal entries.
        weight_pct: What the candidate has afterwards.
    """

    n_failed: int
    decided: list[str]
    weight_pct: float


async def outage(running: GatewayProcess, spoil: Callable[[], None], load: Plan, lasts_s: float) -> Calm:
    """Spoil what both arms need, under load, for so long."""
    before = len(await aside(lambda: decisions(running)))
    async with Load(running.port, load) as loading:
        await asyncio.sleep(1.0)
        await aside(spoil)
        await asyncio.sleep(lasts_s)
    return await _calm(running, before, len(loading.tally.failed))


async def abuse(running: GatewayProcess, n_requests: int, load: Plan) -> Calm:
    """Let one user of the candidate fail so many times, while others ask and are answered."""
    before = len(await aside(lambda: decisions(running)))
    arms = await aside(lambda: arms_of(running.port, users(60)))
    abuser = next(user for user, arm in arms.items() if arm == CANDIDATE)
    n_failed = 0

    async def insist(n: int) -> int:
        client = HttpClient(running.port)
        body = {"model": ROUTE, "messages": [{"role": "user", "content": "again"}]}
        headers = {"x-user-id": abuser, "x-sim-fault": "500"}
        failed = [(await client.post(CHAT, body, headers)).status >= 500 for _ in range(n)]
        client.close()
        return sum(failed)

    async with Load(running.port, load):
        n_failed = sum(await asyncio.gather(*(insist(n_requests // 4) for _ in range(4))))
        await asyncio.sleep(3.0)
    return await _calm(running, before, n_failed)


async def _calm(running: GatewayProcess, before: int, n_failed: int) -> Calm:
    entries = await aside(lambda: decisions(running))
    weight_pct = (await aside(lambda: rollout_of(running)))["weight_pct"]
    return Calm(n_failed, [entry["kind"] for entry in entries[: len(entries) - before]], weight_pct)


def _post(port: int, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, orjson.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
