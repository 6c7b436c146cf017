"""The readings themselves: what one side costs under one kind of load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from itertools import cycle
from typing import Any

from bench.cpu import cpu_between, usage_of
from bench.errors import BenchError
from bench.figures import quantile
from bench.load import ClosedLoop, Exchange, check_answer, check_stream, connect_many, run_streams
from bench.shape import Address, chat_answer, chat_requests
from bench.sides import Side
from bench.sizes import Sizes

HELD_WITHIN_S = 60.0
_WAVE = 50
_WAVE_GAP_S = 0.01


async def cpu_us_per_request(side: Side, sizes: Sizes) -> float:
    """Give CPU µs per unary request, with all connections busy all the time."""
    load = ClosedLoop(side.address, chat_requests(side.address, is_stream=False), chat_answer())
    await load.start(sizes.n_connections)
    try:
        await load.run_for(sizes.warm_s)
        before, counted = usage_of(side.pid), load.answered
        await load.run_for(sizes.unary_s)
        after, counted = usage_of(side.pid), load.answered - counted
    finally:
        await load.stop()
    if not counted:
        message = "no request was answered"
        raise BenchError(message)
    return cpu_between(before, after) / counted * 1e6


async def cpu_ms_per_stream(side: Side, sizes: Sizes) -> float:
    """Give CPU ms per streamed answer, all streams at once."""
    exchanges = await connect_many(side.address, sizes.n_streams)
    requests = chat_requests(side.address, is_stream=True)
    try:
        await run_streams(exchanges, requests, sizes.n_tokens)  # Opens the connections to the provider.
        before = usage_of(side.pid)
        for _ in range(sizes.stream_waves):
            await run_streams(exchanges, requests, sizes.n_tokens)
        after = usage_of(side.pid)
    finally:
        _close(exchanges)
    return cpu_between(before, after) / (sizes.stream_waves * sizes.n_streams) * 1e3


async def open_loop_ms(address: Address, sizes: Sizes) -> tuple[float, float]:
    """
    Give p50 and p99 in ms of unary requests sent at a fixed rate, answered or not.

    The clock starts when a request is written: the loop's timers are good to a millisecond only, and
    what they are late by is not the other side's.
    """
    idle = await connect_many(address, sizes.n_connections)
    everyone = list(idle)
    requests = cycle(chat_requests(address, is_stream=False))
    expected, times_ms = chat_answer(), []

    async def ask_once(request: bytes) -> None:
        exchange = idle.pop() if idle else await _one_more(address, everyone)
        began_s = time.perf_counter()
        head, body = await exchange.ask(request)
        times_ms.append((time.perf_counter() - began_s) * 1e3)
        check_answer(head, body, expected)
        idle.append(exchange)

    try:
        for seconds in (sizes.warm_s, sizes.open_s):
            times_ms.clear()
            await _at_rate(sizes.open_per_s, seconds, lambda: ask_once(next(requests)))
    finally:
        _close(everyone)
    ordered = sorted(times_ms)
    return quantile(ordered, 0.5), quantile(ordered, 0.99)


async def kib_per_held_stream(side: Side, sizes: Sizes, n_held: int) -> float:
    """Give KiB of resident memory per stream held open, every one of which must end well."""
    requests = chat_requests(side.address, is_stream=True)
    first = await connect_many(side.address, sizes.n_connections)
    try:
        await run_streams(first, requests, sizes.held_tokens)  # What is loaded once is not a stream's.
    finally:
        _close(first)
    before = usage_of(side.pid)
    exchanges = await connect_many(side.address, n_held)
    held: list[asyncio.Future[None]] = []
    try:
        for exchange, request in zip(exchanges, cycle(requests), strict=False):
            held.append(asyncio.ensure_future(_hold(exchange, request, sizes.held_tokens)))
            if len(held) % _WAVE == 0:
                await asyncio.sleep(_WAVE_GAP_S)
        await _until_all_begun(exchanges, held)
        after = usage_of(side.pid)
        await asyncio.gather(*held)
    finally:
        await _give_up(held)
        _close(exchanges)
    return (after.rss_bytes - before.rss_bytes) / n_held / 1024


async def _hold(exchange: Exchange, request: bytes, n_tokens: int) -> None:
    head, body = await exchange.ask(request)
    check_stream(head, body, n_tokens)


async def _until_all_begun(exchanges: Sequence[Exchange], held: Sequence[asyncio.Future[None]]) -> None:
    """Wait for every stream's first token, while all are still under way; a failed one raises."""
    deadline_s = time.monotonic() + HELD_WITHIN_S
    while not all(exchange.has_begun for exchange in exchanges):
        for ended in held:
            if ended.done():
                ended.result()
        if time.monotonic() > deadline_s:
            message = f"not all streams had begun after {HELD_WITHIN_S:g} s"
            raise BenchError(message)
        await asyncio.sleep(0.02)
    if any(task.done() for task in held):
        message = "streams ended before all had begun: hold them longer"
        raise BenchError(message)


async def _give_up(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _at_rate(per_s: float, seconds: float, ask_once: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start `per_s` requests a second, whether or not those before are answered; then wait for all."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    under_way = []
    try:
        for number in range(int(per_s * seconds)):
            await asyncio.sleep(max(0.0, began_s + number / per_s - loop.time()))
            under_way.append(asyncio.ensure_future(ask_once()))
        await asyncio.gather(*under_way)
    finally:
        await _give_up(under_way)


async def _one_more(address: Address, everyone: list[Exchange]) -> Exchange:
    exchange = (await connect_many(address, 1))[0]
    everyone.append(exchange)
    return exchange


def _close(exchanges: Sequence[Exchange]) -> None:
    for exchange in exchanges:
        exchange.close()
