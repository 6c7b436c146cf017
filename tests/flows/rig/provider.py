"""
The simulated provider in a process of its own: whatever a test's clients are doing, it answers in time.

In the test's process it would share one interpreter with the load, and what looks like a slow gateway
would be a slow test.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.journal import Journal, Received
from gateway.simulator.provider import SimulatedProvider, Stats

MAX_REQUESTS = 500_000
MAX_BYTES = 1024 * 1024 * 1024
IDLE = 19
"""Gives way at once, and not only on the average."""

STARTS_WITHIN_S = 20.0
ANSWERS_WITHIN_S = 60.0


class ProviderProcess:
    """
    A simulated provider that runs beside the test.

    `nice` above 0 makes it give way to everything else: what it costs would be spent on a machine of its own.

    Attributes:
        base_url: What to give as `base_url`, with `/v1`.
        port: Where it listens on loopback.
    """

    def __init__(self, behaviour: Behaviour, nice: int = 0) -> None:
        self.base_url = ""
        self.port = 0
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(theirs, behaviour, nice), daemon=True)

    def start(self) -> None:
        """Listen; returns once it does."""
        self._process.start()
        assert self._line.poll(STARTS_WITHIN_S), "the provider does not start"
        self.port = self._line.recv()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        """Stop, and wait for it."""
        self._line.send(("end",))
        self._process.join(10)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._line.close()

    def received(self, *, after: int = 0, path: str | None = None) -> list[Received]:
        """Give what it received, oldest first; `after` is a serial."""
        found: list[Received] = self._ask("received", after, path)
        return found

    def stats(self) -> Stats:
        """Give its counts."""
        stats: Stats = self._ask("stats")
        return stats

    def _ask(self, *question: object) -> Any:
        self._line.send(question)
        assert self._line.poll(ANSWERS_WITHIN_S), "the provider does not answer"
        return self._line.recv()


def _run(line: Connection, behaviour: Behaviour, nice: int) -> None:
    os.nice(nice)
    if nice == IDLE:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(line, behaviour))


async def _serve(line: Connection, behaviour: Behaviour) -> None:
    journal = Journal(max_requests=MAX_REQUESTS, max_bytes=MAX_BYTES)
    ended = asyncio.Event()
    async with SimulatedProvider(behaviour, seed=7, journal=journal) as inner:

        def answer() -> None:
            try:
                question = line.recv()
            except EOFError:
                question = ("end",)
            match question:
                case ("received", after, path):
                    line.send(journal.read(after=after, path=path))
                case ("stats",):
                    line.send(inner.stats)
                case _:
                    ended.set()

        asyncio.get_running_loop().add_reader(line.fileno(), answer)
        os.set_blocking(line.fileno(), True)  # The loop made it otherwise, and a long answer is more than a pipe holds.
        line.send(inner.port)
        await ended.wait()
        asyncio.get_running_loop().remove_reader(line.fileno())


HELD = ModelBehaviour(ttft_ms=30, tokens_per_s=10, output_tokens=20)
"""Streams of two seconds."""

LONG = ModelBehaviour(ttft_ms=30, tokens_per_s=10, output_tokens=60)
"""Streams of six seconds, for who has to see them in a status that is a second old."""

PATIENT = Behaviour(models={"held*": HELD, "long*": LONG}, default=ModelBehaviour())
"""Models whose name begins with `held` take two seconds, `long` six; the others none."""


@contextmanager
def provider(behaviour: Behaviour | None = None, *, nice: int = 0) -> Iterator[ProviderProcess]:
    """Run a provider; nothing of it is left behind."""
    running = ProviderProcess(behaviour or PATIENT, nice)
    running.start()
    try:
        yield running
    finally:
        running.close()
