"""
Where a worker's time goes: its data plane in one process under cProfile, the load in another.

`python -m bench --profile unary|stream` prints the functions with the most time of their own. The
profiler makes small Python functions look dearer than they are; what it shows is where to look, and
`python -m bench` what it came to.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import io
import os
import pstats
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench.children import ROOT, end, python_child
from bench.cpu import cpu_between, usage_of
from bench.document import render_document
from bench.load import ClosedLoop, connect_many, run_streams
from bench.nginx import nginx_provider
from bench.shape import Address, chat_answer, chat_requests
from gateway.clock import SystemClock
from gateway.domain.table import RoutingTable, decode_table, encode_table
from gateway.proxy.server import DataPlane
from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text
from gateway.wiring import settle_memory

N_CONNECTIONS = 32
N_STREAMS = 150
N_TOKENS = 50
SHOWN = 40
WARM_S = 0.5


class _Unobserved:
    def note(self, outcome: Outcome) -> None:
        """Forget it."""


def table_for(provider: Address) -> RoutingTable:
    """Give the table of the measured configuration, as it arrives at a worker."""
    compiled = compile_text(
        render_document(provider),
        name="bench.yaml",
        folder=ROOT,
        environ={},
        version=1,
        seal_key=bytes(32),
        previous=Allocations(),
    )
    return decode_table(encode_table(compiled.head, compiled.routes))


async def _kept_nowhere(feedback: list[Feedback]) -> list[Receipt]:
    return [Receipt.STORED for _ in feedback]


async def serve(provider: Address) -> None:
    """Serve on a free port, say which, until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    plane = DataPlane(clock=SystemClock(), observer=_Unobserved(), give_feedback=_kept_nowhere, worker_id=0)
    plane.publish(table_for(provider))
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await plane.listen(sock)
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()
    await plane.close()


def run_worker(provider: Address, stats: Path | None) -> None:
    """Run one data plane; with `stats`, under the profiler, whose figures go there."""
    settle_memory()
    profiler = cProfile.Profile() if stats is not None else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if profiler is not None:
            profiler.enable()
        runner.run(serve(provider))
        if profiler is not None:
            profiler.disable()
    if profiler is not None and stats is not None:
        profiler.dump_stats(stats)


@contextmanager
def _provider_for(kind: str, folder: Path) -> Iterator[Address]:
    if kind == "unary":
        with nginx_provider(folder) as running:
            yield running.address
    else:
        with python_child("bench.provider", "--chunks", str(N_TOKENS)) as (_, port):
            yield Address("127.0.0.1", port)


def profile(kind: str, *, seconds: float) -> str:
    """Give the costliest functions of a worker under load (`unary` or `stream`), as text."""
    with tempfile.TemporaryDirectory() as name, _provider_for(kind, Path(name)) as provider:
        stats = Path(name) / "stats"
        plain_us = _measured(kind, provider, None, seconds)
        _measured(kind, provider, stats, seconds)
        unit = "request" if kind == "unary" else "stream"
        return f"one data plane: {plain_us:.1f} CPU µs per {unit}, without the profiler\n\n{_rendered(stats)}"


def _measured(kind: str, provider: Address, stats: Path | None, seconds: float) -> float:
    """Give CPU µs per request or stream."""
    flags = ["--port", str(provider.port), *(["--stats", str(stats)] if stats else [])]
    with python_child("bench.profile_worker", *flags) as (process, port):
        load = _load_unary if kind == "unary" else _load_streams
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            cpu_us = runner.run(load(process.pid, Address("127.0.0.1", port), seconds))
        end(process)  # The figures are written on the way out.
    return cpu_us


async def _load_unary(pid: int, address: Address, seconds: float) -> float:
    loop = ClosedLoop(address, chat_requests(address, is_stream=False), chat_answer())
    await loop.start(N_CONNECTIONS)
    await loop.run_for(WARM_S)
    before, counted = usage_of(pid), loop.answered
    await loop.run_for(seconds)
    after, counted = usage_of(pid), loop.answered - counted
    await loop.stop()
    return cpu_between(before, after) / counted * 1e6


async def _load_streams(pid: int, address: Address, seconds: float) -> float:
    exchanges = await connect_many(address, N_STREAMS)
    requests = chat_requests(address, is_stream=True)
    await run_streams(exchanges, requests, N_TOKENS)
    before, rounds = usage_of(pid), max(1, round(seconds))
    for _ in range(rounds):
        await run_streams(exchanges, requests, N_TOKENS)
    after = usage_of(pid)
    for exchange in exchanges:
        exchange.close()
    return cpu_between(before, after) / (rounds * N_STREAMS) * 1e6


def _rendered(stats: Path) -> str:
    text = io.StringIO()
    figures = pstats.Stats(str(stats), stream=text)
    figures.sort_stats("tottime").print_stats(SHOWN)
    figures.sort_stats("ncalls").print_stats(SHOWN)
    return text.getvalue().replace(str(ROOT) + os.sep, "")


def main() -> None:
    """Run the profiled process; started by `profile`."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile_worker")
    parser.add_argument("--port", type=int, required=True, help="the provider's")
    parser.add_argument("--stats", type=Path)
    options = parser.parse_args()
    run_worker(Address("127.0.0.1", options.port), options.stats)


if __name__ == "__main__":
    main()
