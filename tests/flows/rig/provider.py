"""The simulated provider on a thread of its own, so that blocking and asynchronous tests can both use it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.journal import Journal, Received
from gateway.simulator.provider import SimulatedProvider, Stats

MAX_REQUESTS = 500_000
MAX_BYTES = 1024 * 1024 * 1024
STARTS_WITHIN_S = 10.0


class ProviderThread:
    """
    A simulated provider that runs beside the test.

    Attributes:
        inner: The provider; touched only by its own thread.
        base_url: What to give as `base_url`, with `/v1`.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        journal = Journal(max_requests=MAX_REQUESTS, max_bytes=MAX_BYTES)
        self.inner = SimulatedProvider(behaviour, seed=7, journal=journal)
        self.base_url = ""
        self._loop = uvloop.new_event_loop()
        self._is_up = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="provider")

    def start(self) -> None:
        """Listen; returns once it does."""
        self._thread.start()
        assert self._is_up.wait(STARTS_WITHIN_S)

    def close(self) -> None:
        """Stop, and wait for it."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def received(self, *, after: int = 0, path: str | None = None) -> list[Received]:
        """Give what it received, oldest first; `after` is a serial."""

        async def read() -> list[Received]:
            return self.inner.journal.read(after=after, path=path)

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result(60)

    def stats(self) -> Stats:
        """Give its counts."""

        async def read() -> Stats:
            return self.inner.stats

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result(60)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with self.inner:
            self.base_url = self.inner.base_url
            self._is_up.set()
            await self._ended.wait()


HELD = ModelBehaviour(ttft_ms=30, tokens_per_s=25, output_tokens=50)
"""Streams of two seconds."""

PATIENT = Behaviour(models={"held*": HELD}, default=ModelBehaviour())
"""Models whose name begins with `held` take two seconds; the others none."""


@contextmanager
def provider(behaviour: Behaviour | None = None) -> Iterator[ProviderThread]:
    """Run a provider; nothing of it is left behind."""
    thread = ProviderThread(behaviour or PATIENT)
    thread.start()
    try:
        yield thread
    finally:
        thread.close()
