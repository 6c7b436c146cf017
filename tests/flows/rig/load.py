"""Load that forgives nothing: so many requests a second and so many held streams, each answer checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from gateway.tasks import TaskGroup
from tests.flows.rig.http import HttpClient, Reply

SHOWN = 5
CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One answered request.

    Attributes:
        nonce: What its user message said, unlike any other's.
        user: Who asked.
        reply: The answer.
    """

    nonce: str
    user: str
    reply: Reply


@dataclass(slots=True)
class Tally:
    """
    What came of a load.

    Attributes:
        asked: Every request that was answered well.
        n_streams: How many of them were held streams.
        failures: What went wrong with the others, one text each.
        failed: Those others, in the same order.
    """

    asked: list[Asked] = field(default_factory=list)
    n_streams: int = 0
    failures: list[str] = field(default_factory=list)
    failed: list[Asked] = field(default_factory=list)

    def check(self, *, at_least: int) -> None:
        """Fail unless there were as many requests as that and not one of them failed."""
        shown = "\n".join(self.failures[:SHOWN])
        assert not self.failures, f"{len(self.failures)} of {len(self.asked)} failed:\n{shown}"
        assert len(self.asked) >= at_least, f"only {len(self.asked)} requests"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How much load.

    Attributes:
        rate: Unary requests a second.
        n_held: Streams held at any time.
        n_kept: Connections that are kept and used in turn.
        new_share: Every so-manyth request opens a connection of its own.
        unary_model: What unary requests ask for.
        held_model: What held streams ask for.
    """

    rate: float
    n_held: int
    n_kept: int = 32
    new_share: int = 3
    unary_model: str = "support"
    held_model: str = "held"


class Load:
    """Runs a plan from entry to exit of its context; every answer is in the tally afterwards."""

    def __init__(self, port: int | Callable[[], int], plan: Plan) -> None:
        self.tally = Tally()
        self._port = port if callable(port) else lambda: port
        self._plan = plan
        self._serial = count()
        self._is_over = False
        self._kept: list[HttpClient] = []
        self._tasks = TaskGroup()
        self._running: list[asyncio.Future[None]] = []
        self._unary: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Load:
        """Begin; returns once every held stream has been asked for."""
        self._running = [self._tasks.spawn(self._hold(index)) for index in range(self._plan.n_held)]
        self._running.append(self._tasks.spawn(self._pace()))
        await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Ask no more, and wait for what is under way."""
        self._is_over = True
        if exc[0] is None:
            await asyncio.gather(*self._running)
            await asyncio.gather(*self._unary)
        await self._tasks.close()
        for client in self._kept:
            client.close()

    async def _pace(self) -> None:
        # Open loop: a request is sent when it is due, however the ones before are doing.
        begun_s = time.perf_counter()
        for number in count():
            if self._is_over:
                return
            due_s = begun_s + number / self._plan.rate - time.perf_counter()
            if due_s > 0:
                await asyncio.sleep(due_s)
            asking = self._tasks.spawn(self._ask_once(is_new=number % self._plan.new_share == 0))
            self._unary.add(asking)
            asking.add_done_callback(self._unary.discard)

    async def _ask_once(self, *, is_new: bool) -> None:
        client = HttpClient(self._port(), keeps=False) if is_new else self._kept_client()
        asked = await self._ask(client, self._plan.unary_model, is_stream=False)
        if not is_new and len(self._kept) < self._plan.n_kept and asked is not None:
            self._kept.append(client)
        else:
            client.close()

    def _kept_client(self) -> HttpClient:
        # The longest idle first, so that all of them are kept idle for a while, as apps' are.
        return self._kept.pop(0) if self._kept else HttpClient(self._port())

    async def _hold(self, index: int) -> None:
        client = HttpClient(self._port(), keeps=index % 2 == 0)
        await asyncio.sleep(index * 2.0 / max(self._plan.n_held, 1))
        while not self._is_over:
            await self._ask(client, self._plan.held_model, is_stream=True)
        client.close()

    async def _ask(self, client: HttpClient, model: str, *, is_stream: bool) -> Asked | None:
        number = next(self._serial)
        asked = Asked(f"nonce-{number}", f"user-{number % 500}", Reply())
        client.port = self._port()
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": asked.nonce}]}
        reply = await client.post(CHAT, body | {"stream": is_stream}, {"x-user-id": asked.user})
        asked = Asked(asked.nonce, asked.user, reply)
        if problem := problem_of(reply, is_stream=is_stream):
            self.tally.failures.append(
                f"{asked.nonce} {model} {'stream' if is_stream else 'unary'}"
                f" {'reused' if reply.is_reused else 'new'} connection: {problem}"
            )
            self.tally.failed.append(asked)
            return None
        self.tally.asked.append(asked)
        self.tally.n_streams += is_stream
        return asked


def problem_of(reply: Reply, *, is_stream: bool) -> str:
    """Give what is wrong with an answer, or ""."""
    if reply.problem:
        return f"status {reply.status}, {reply.problem}, after {len(reply.body)} bytes"
    if reply.status != 200:
        return f"status {reply.status}: {reply.body[:300]!r}"
    if is_stream and not (reply.body.endswith(b"data: [DONE]\n\n") and b'"finish_reason":"stop"' in reply.body):
        return f"a stream that did not finish: {reply.body[-300:]!r}"
    if not is_stream and b'"finish_reason":"stop"' not in reply.body:
        return f"no answer: {reply.body[:300]!r}"
    return ""
