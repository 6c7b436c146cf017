"""Live numbers over real processes: what is shown is what the provider counted, as it happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT
from tests.flows.rig.population import arms_of, users
from tests.flows.rig.provider import ProviderProcess

CONFIG = """version: 1
default_provider: local
providers: {{local: {{base_url: "{base_url}", auth: none, retries: {{max: 0}}}}}}
routes:
  support:
    variants: {{current: {{model: model-a}}, concise: {{model: model-b}}}}
    release:
      name: support-v8
      rollout: {{baseline: current, candidate: concise, stages: [{{at: 50%, min_duration: 1d}}, {{at: 100%}}]}}
  faulty:
    variants: {{broken: {{model: fault-500}}}}
    release: {{fixed: {{variant: broken}}}}
"""
WITHIN_S = 30.0


@pytest.fixture(name="running")
def _running(sim: ProviderProcess, home: Path) -> Iterator[GatewayProcess]:
    """Give a gateway whose candidate has half of all users, and a route that always fails."""
    with gateway(home, CONFIG.format(base_url=sim.base_url)) as running:
        running.until_back()
        yield running


class Events:
    """Server-sent events of one stream, as they come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def until(self, name: str) -> dict[str, Any]:
        """Give the next event of this name."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                frame = (await self._response.content.readuntil(b"\n\n")).decode()
                if frame.startswith(f"event: {name}\n"):
                    return dict(orjson.loads(frame.partition("data: ")[2]))


@asynccontextmanager
async def events(running: GatewayProcess, path: str) -> AsyncIterator[Events]:
    """Open a stream of the operators' port."""
    async with aiohttp.ClientSession() as http, http.get(f"http://{running.operators}{path}") as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield Events(response)


async def fail_once(port: int) -> int:
    """Send a request that fails, and give its status."""
    client = HttpClient(port)
    body = {"model": "faulty", "messages": [{"role": "user", "content": "my secret"}]}
    reply = await client.post(CHAT, body, {"x-user-id": "anna-the-user"})
    client.close()
    return reply.status


def test_numbers_are_the_providers(running: GatewayProcess, sim: ProviderProcess) -> None:
    """Requests by arm, and those without a user, are what the provider received."""
    serials = [one.serial for one in sim.received()]
    after = max(serials, default=0)
    arms_of(running.port, users(80))
    running.until(lambda _: running.ask_operators("/api/routes/support")[1]["n_requests"] == 80)
    overview = running.ask_operators("/api/overview")[1]
    support, faulty = overview["routes"]
    counted = Counter(one.model for one in sim.received(after=after))
    assert {arm["arm"]: arm["n_requests"] for arm in support["arms"]} == {
        "current": counted["model-a"],
        "concise": counted["model-b"],
    }
    assert (support["without_user_pct"], support["warnings"], support["phase"]) == (0.0, [], "progressing")
    assert [arm["error_pct"] for arm in support["arms"]] == [0.0, 0.0]
    assert all(arm["latency_p95_ms"] > 0 and arm["tokens_out"] > 0 for arm in support["arms"])
    assert sum(point["n_requests"] for point in support["series"]) == 80
    assert (faulty["n_requests"], faulty["arms"][0]["error_pct"]) == (0, None)


async def test_tail_shows_a_failure(running: GatewayProcess) -> None:
    """A request that fails is on the tail, without what was asked and who asked."""
    async with events(running, "/api/tail?route=faulty") as tail:
        status = await fail_once(running.port)
        told = await tail.until("request")
    assert status >= 500
    assert (told["route"], told["arm"], told["status"], told["blame"]) == ("faulty", "broken", status, "provider")
    assert "secret" not in str(told) and "anna" not in str(told)


async def test_rollback_is_streamed(running: GatewayProcess) -> None:
    """A rollback is an event of its own on every stream, and the numbers that follow show the candidate at nothing."""
    async with events(running, "/api/live") as all_routes, events(running, "/api/live?route=support") as one_route:
        before = await one_route.until("route")
        await all_routes.until("overview")
        argv = ("rollback", "support", "--state", str(running.state), "--who", "ana", "--why", "it lies")
        done = await aside(lambda: running.sluice(*argv))
        assert done.returncode == 0, done
        changes = [await each.until("rollout") for each in (all_routes, one_route)]
        after = await one_route.until("route")
    assert [(each["release"], each["phase"]) for each in changes] == [("support-v8", "rolled_back")] * 2
    assert [arm["weight_pct"] for arm in before["arms"]] == [50.0, 50.0]
    assert (after["is_latched"], [arm["weight_pct"] for arm in after["arms"]]) == (True, [100.0, 0.0])


async def test_streams_end_with_the_gateway(running: GatewayProcess) -> None:
    """Whoever looks or listens does not keep the gateway from stopping."""
    async with events(running, "/api/live") as live, events(running, "/api/tail"):
        await live.until("overview")
        assert await aside(running.stop) == 0


def test_report_is_the_commands(running: GatewayProcess) -> None:
    """A report over the API is what `sluice report --format json` prints, and need not be sent twice."""
    argv = ("report", "rollout", "support", "--format", "json", "--state", str(running.state))
    status, over_api = running.ask_operators("/api/reports/rollout/support")
    printed = orjson.loads(running.sluice(*argv).stdout)
    assert (status, over_api.keys()) == (200, printed.keys())
    assert (over_api["title"], over_api["decisions"]) == (printed["title"], printed["decisions"])
    assert running.ask_operators("/api/reports/experiment/support")[0] == 409
    assert running.ask_operators("/api/reports/rollout/nothing")[0] == 404
