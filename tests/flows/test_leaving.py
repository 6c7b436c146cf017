"""Clients that leave at any moment, beside others that stay: nothing is left behind, nobody gets another's answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvloop

from gateway.domain.provider import Timeouts
from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.provider import SimulatedProvider
from tests.fakes.plane import CHAT, CHAT_STREAM, Plane, RawClient, post, raw_client, serving
from tests.fakes.tables import provider, route, simple_table, table, variant
from tests.fakes.upstream import DONE, LAST_CHUNK, STREAM_HEAD, Hang, ScriptedUpstream, event

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

AT_ONCE_S = 5.0
"""Well below every time-out that would end an attempt too, and above what a busy machine takes."""


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Plane, SimulatedProvider]]:
    """Serve a provider that takes its time, so that there is something to leave."""
    slow = ModelBehaviour(latency_ms=4, ttft_ms=8, tokens_per_s=2_000, output_tokens=40, spread_ratio=0.5)
    async with SimulatedProvider(Behaviour(default=slow)) as sim:
        patient = provider(sim.port, max_connections=40, timeouts=Timeouts())
        one = table([patient], [route([variant("current")])], default="sim")
        async with serving(one) as plane:
            yield plane, sim
            await settled(lambda: plane.inner.in_flight == 0)
            await settled(lambda: plane.inner.counts()["upstream_connections"] == sim.stats.n_open_connections)
        await settled(lambda: sim.stats.n_open_connections == 0)


async def settled(is_so: Callable[[], bool]) -> None:
    """Wait until it is so; fails when it does not become so within two seconds."""
    for _ in range(1000):
        if is_so():
            return
        await asyncio.sleep(0.002)
    pytest.fail("something was left behind")


def nonce_body(nonce: str, *, is_stream: bool) -> bytes:
    """Give a request that asks for `nonce`, which the provider repeats."""
    messages = [{"role": "user", "content": f"<{nonce}>"}]
    return orjson.dumps({"model": "support", "stream": is_stream, "messages": messages})


async def leave_sometime(plane: Plane, number: int) -> None:
    """Ask, and leave after a random time: before the head, in the body, or never."""
    chance = random.Random(number)
    async with raw_client(plane.port) as client:
        data = post(nonce_body(f"n{number}", is_stream=chance.random() < 0.5))
        cut = len(data) if chance.random() < 0.9 else chance.randrange(len(data))
        client.send(data[:cut])
        await asyncio.sleep(chance.random() * 0.04)


async def many(plane: Plane, count: int, at_once: int, ask: Callable[[Plane, int], Coroutine[Any, Any, None]]) -> None:
    """Run `count` clients, so many at once."""
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            await ask(plane, number)

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))


@pytest.mark.parametrize("name", LOOPS)
def test_leaving_leaves_nothing(name: str) -> None:
    """A thousand clients that leave at random leave no connection, no task and no request behind."""

    async def run() -> None:
        before = asyncio.all_tasks()
        async with talking() as (plane, _):
            await many(plane, 1_000, 60, leave_sometime)
        await settled(lambda: asyncio.all_tasks() == before)

    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        runner.run(run())


async def ask_and_compare(plane: Plane, number: int) -> None:
    """Ask three times on one connection and find one's own nonce, and no other; every fifth client leaves halfway."""
    async with raw_client(plane.port) as client:
        for turn in range(3):
            nonce = f"nonce-{number}-{turn}-"
            client.send(post(nonce_body(nonce, is_stream=turn == 1)))
            if (number + turn) % 5 == 0:
                await asyncio.sleep(0.005 * (number % 7))
                return
            reply = await client.reply(5.0)
            assert reply.status == 200
            said = text_of(reply.body) if turn == 1 else reply.body.decode()
            assert nonce in said
            assert said.count("nonce-") == 1


def text_of(body: bytes) -> str:
    """Give what a stream said."""
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for one in events for choice in orjson.loads(one)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("name", LOOPS)
def test_no_foreign_answers(name: str) -> None:
    """Beside clients that leave, each of a thousand answers belongs to the one who asked."""

    async def run() -> None:
        async with talking() as (plane, _):
            await many(plane, 400, 40, ask_and_compare)

    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        runner.run(run())


async def leave(plane: Plane, upstream: ScriptedUpstream, client: RawClient) -> float:
    """Leave, and give how long it took the provider to hear of it."""
    loop = asyncio.get_running_loop()
    left_s = loop.time()
    client.abort()
    await upstream.until(open_count=0)
    await plane.outcomes.until(1)
    return loop.time() - left_s


SCRIPTS = {
    "before the first byte": (CHAT, (Hang(),)),
    "in a unary answer": (CHAT, (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", Hang())),
    "in a stream": (CHAT_STREAM, (STREAM_HEAD + event("a"), Hang())),
    "after the finish": (CHAT_STREAM, (STREAM_HEAD + event("a", finish=True), Hang())),
}


@pytest.mark.parametrize("when", SCRIPTS)
async def test_provider_hears_at_once(when: str) -> None:
    """Wherever its client leaves, an attempt is ended at once, and blamed on nobody."""
    body, script = SCRIPTS[when]
    async with (
        ScriptedUpstream([script]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(body))
        await upstream.until(seen=1)
        await asyncio.sleep(0.05)
        assert await leave(plane, upstream, client) < AT_ONCE_S
        outcome = plane.outcomes.last
        assert (outcome.is_client_gone, outcome.status, outcome.fault) == (True, 499, "client")


async def test_upload_is_given_up() -> None:
    """A client that leaves in the middle of an upload takes the provider's half with it."""
    async with (
        ScriptedUpstream([(Hang(),)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(b"POST /v1/files HTTP/1.1\r\nhost: g\r\ncontent-length: 1000\r\n\r\nabc")
        await upstream.until(open_count=1)
        client.abort()
        await upstream.until(open_count=0, seconds=AT_ONCE_S)
        await settled(lambda: plane.inner.counts()["background_tasks"] == 0)


async def test_waiting_place_is_given_up() -> None:
    """A client that leaves the queue for a connection leaves its place to the next."""
    async with (
        ScriptedUpstream([(Hang(),)]) as upstream,
        serving(simple_table(upstream.port, max_connections=1)) as plane,
        raw_client(plane.port) as first,
        raw_client(plane.port) as second,
    ):
        first.send(post(CHAT))
        await upstream.until(seen=1)
        second.send(post(CHAT))
        await settled(lambda: plane.inner.in_flight == 2)
        second.abort()
        await settled(lambda: plane.inner.in_flight == 1)
        first.abort()
        await settled(lambda: plane.inner.in_flight == 0)
        assert plane.inner.counts()["upstream_connections"] == 0


async def test_stream_ends_before_leaving() -> None:
    """A client that leaves after the last byte has left nothing early."""
    whole = STREAM_HEAD + event("a", finish=True) + DONE + LAST_CHUNK
    async with ScriptedUpstream([(whole,)]) as upstream, serving(simple_table(upstream.port)) as plane:
        async with raw_client(plane.port) as client:
            client.send(post(CHAT_STREAM))
            assert (await client.reply()).is_whole
        await plane.outcomes.until(1)
        assert not plane.outcomes.last.is_client_gone
