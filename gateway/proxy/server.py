"""The data plane of one worker: listens, reads the path, and hands each request to what answers it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.clock import Clock
from gateway.domain.provider import LEFT_OUT
from gateway.domain.release import Reason
from gateway.domain.request_id import RequestId
from gateway.domain.route import DEFAULT_MAX_BODY_BYTES
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api
from gateway.errors import GatewayError, NoRouteError, OverloadedError
from gateway.proxy.bound import NOTHING_HELD, BoundTable, Held, Pools
from gateway.proxy.edge import EdgeConnection
from gateway.proxy.edge_app import EdgeLimits, Serving
from gateway.proxy.exchange import ClientRequest, Headers
from gateway.proxy.feedback import BODY_LIMIT as FEEDBACK_BYTES
from gateway.proxy.feedback import PATH as FEEDBACK
from gateway.proxy.feedback import Give, answer_feedback
from gateway.proxy.mirror import Copies
from gateway.proxy.models import PATH as MODELS
from gateway.proxy.models import ModelList, route_model
from gateway.proxy.ofrep import BODY_LIMIT as OFREP_BYTES
from gateway.proxy.ofrep import PREFIX as OFREP
from gateway.proxy.ofrep import answer_ofrep
from gateway.proxy.passthrough import pass_through
from gateway.proxy.pipeline import Walk
from gateway.proxy.problems import JSON_TYPE, problem_headers
from gateway.proxy.samples import NoteSample
from gateway.proxy.sweep import Sweep
from gateway.proxy.whole import WholeRequests
from gateway.record.outcome import OutcomeObserver
from gateway.record.sample import Sample
from gateway.record.sampling import Sampler
from gateway.tasks import TaskGroup
from gateway.wire.problem import render_problem

log = logging.getLogger(__name__)

SPLIT = {f"/v1{api.value}".encode(): api for api in Api}
"""The paths that are understood and split, by POST."""

UPSTREAM_TICK_S = 0.1
EDGE_TICK_S = 0.5
COPIES_WITHIN_S = 0.2
"""For copies that wait to be sent when a worker leaves."""

LAST_WORDS_S = 0.05
"""For the errors that end a drain to be written before the connections close."""

_NO_USER = Reason.NO_USER
_LIVE = b"/livez"
_READY = b"/readyz"


class DataPlane:
    """
    Serves requests from the table last published.

    Attributes:
        limits: What a connection may cost.
        is_draining: Answers say `connection: close` and readiness is gone.
        whole_requests: Parses what comes in one read.
        sampler: Decides which requests are traced; None where none are.
        note_sample: Takes prompt and answer of requests whose route keeps samples.
        copies: Takes copies for shadows and judges; None where nobody does.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        observer: OutcomeObserver,
        give_feedback: Give,
        worker_id: int,
        sampler: Sampler | None = None,
        note_sample: NoteSample | None = None,
        copies: Copies | None = None,
        limits: EdgeLimits | None = None,
    ) -> None:
        """
        Make a data plane that has no table yet.

        Args:
            clock: What tells the time.
            observer: Told of every outcome; must return at once.
            give_feedback: Makes feedback durable.
            worker_id: The worker's slot.
            sampler: Decides which requests are traced.
            note_sample: Takes samples; must return at once. None drops them.
            copies: Takes copies; must return at once. It is opened when a table wants some. None makes none.
            limits: What a connection may cost.
        """
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._observer = observer
        self._give_feedback = give_feedback
        self.sampler = sampler
        self.note_sample = note_sample or _drop
        self.copies = copies
        self._is_copying = False
        self._worker_id = worker_id
        self.limits = limits or EdgeLimits()
        self.is_draining = False
        self.whole_requests = WholeRequests()
        self._bound: BoundTable | None = None
        self._held = NOTHING_HELD
        self._max_body_bytes = DEFAULT_MAX_BODY_BYTES
        self._upstream_sweep = Sweep(self._loop, tick_s=UPSTREAM_TICK_S)
        self._edge_sweep = Sweep(self._loop, tick_s=EDGE_TICK_S)
        self._pools = Pools(self._upstream_sweep)
        self._models = ModelList(clock)
        self._tasks = TaskGroup()
        self._connections: set[EdgeConnection] = set()
        self._walks: set[Walk] = set()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._server: asyncio.Server | None = None
        # Starts anywhere: ids of two workers born in one millisecond must differ.
        self._serial = int.from_bytes(os.urandom(4))
        self._served = 0
        self._routed = 0
        self._without_user = 0

    @property
    def in_flight(self) -> int:
        """Give how many requests are being answered."""
        return self._in_flight + len(self._walks)

    def counts(self) -> dict[str, int]:
        """Give plain counters for `sluice status`."""
        return (
            {
                "in_flight": self.in_flight,
                "served": self._served,
                "routed": self._routed,
                "without_user": self._without_user,
                "client_connections": len(self._connections),
                "upstream_connections": self._pools.open_count,
                "background_tasks": len(self._tasks),
            }
            | self._left_out()
            | (self.copies.counts() if self.copies is not None and self._is_copying else {})
        )

    def _left_out(self) -> dict[str, int]:
        left = self._bound.left_out(self._clock.now_s()) if self._bound is not None else {}
        return {f"{LEFT_OUT}{provider}": rest_s for provider, rest_s in left.items()}

    def hold(self, latched: Mapping[str, frozenset[str] | None], *, everything: bool = False) -> None:
        """
        Give these arms nothing from now on, in this table and every later one, until told otherwise.

        Args:
            latched: Names of arms by release; None for every candidate of it.
            everything: No candidate of any release gets anything.
        """
        held_arms = Held(dict(latched), everything)
        if held_arms == self._held:
            return
        self._held = held_arms
        if self._bound is not None:
            self._bound = self._pools.bind(self._bound.table, held_arms)

    def publish(self, table: RoutingTable) -> None:
        """Serve new requests from `table`; those under way keep theirs."""
        if self._bound is not None and table.head.version <= self._bound.table.head.version:
            return
        self._bound = self._pools.bind(table, self._held)
        self._max_body_bytes = table.head.max_body_bytes
        if table.head.copied and self.copies is not None and not self._is_copying:
            self._is_copying = True
            self.copies.open()

    async def listen(self, sock: socket.socket) -> None:
        """Accept connections on `sock`."""
        self._server = await self._loop.create_server(self._connection, sock=sock, backlog=2048)

    def stop_listening(self) -> None:
        """Accept no more; the socket itself stays open with whoever else holds it."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def begin_drain(self) -> None:
        """Say goodbye: not ready, every answer is its connection's last, idle connections close soon."""
        self.is_draining = True
        for connection in self._connections:
            connection.begin_drain()

    async def drained(self, timeout_s: float) -> bool:
        """
        Wait until nothing is in flight and nobody is connected.

        Returns:
            False when time ran out; what was in flight has then been ended with an error.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_empty()
        except TimeoutError:
            await self._end_early()
            return False
        return True

    async def close(self) -> None:
        """Close everything now."""
        self.stop_listening()
        for connection in list(self._connections):
            connection.abort()
        await self._tasks.close()
        self._pools.close()
        self._upstream_sweep.close()
        self._edge_sweep.close()
        if self.copies is not None and self._is_copying:
            await self.copies.close(COPIES_WITHIN_S)

    # EdgeApp

    def body_limit(self, request: ClientRequest) -> int | None:
        """Hold the bodies of what is read here; stream the rest."""
        if request.path in SPLIT and request.method == b"POST":
            return self._max_body_bytes
        if request.path == FEEDBACK:
            return FEEDBACK_BYTES
        return OFREP_BYTES if request.path.startswith(OFREP) else None

    def note_connected(self, connection: EdgeConnection) -> None:
        """Keep a connection."""
        self._connections.add(connection)

    def note_closed(self, connection: EdgeConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if self.is_draining and not self._connections:
            self._idle.set()

    def begin(self, request: ClientRequest, sink: EdgeConnection) -> Serving:
        """Begin to answer a request."""
        api = SPLIT.get(request.path)
        if api is None or request.method != b"POST" or self._bound is None:
            return self._loop.create_task(self._serve_other(request, sink))
        walk = Walk(self._bound, api, request, sink, self._clock, self)
        self._walks.add(walk)
        walk.begin(self._next_serial())
        return walk

    # WalkOwner

    def note_done(self, walk: Walk, failure: Exception | None) -> None:
        """Count a walk that has ended; see that its client is told of a failure of ours."""
        self._walks.discard(walk)
        outcome = walk.outcome
        self._served += 1
        if outcome.route is not None:
            self._routed += 1
            if outcome.reason is _NO_USER:
                self._without_user += 1
        if failure is not None:
            self._tell_failure(failure, walk.request, cast(EdgeConnection, walk.sink))
        self._observer.note(outcome)

    async def _serve_other(self, request: ClientRequest, sink: EdgeConnection) -> None:
        """Answer what is not split; an error of ours becomes an answer too."""
        self._in_flight += 1
        try:
            await self._answer_other(request, sink)
        except GatewayError as error:
            sink.respond(error.status, problem_headers(error, ""), render_problem(error))
        except Exception as error:  # The last line of defence: a fault of ours costs one request.
            self._tell_failure(error, request, sink)
        finally:
            self._in_flight -= 1
            self._served += 1

    def _tell_failure(self, failure: Exception, request: ClientRequest, sink: EdgeConnection) -> None:
        # Neither its words, which may hold a prompt, nor one line each, should every request fail so.
        extra = {"storm": f"failure:{type(failure).__name__}", "private": True}
        log.error("a request failed inside the gateway", exc_info=failure, extra=extra)
        if sink.is_answering(request):
            ours = GatewayError("The gateway failed; this is not the provider's doing.")
            sink.respond(ours.status, problem_headers(ours, ""), render_problem(ours))
        else:
            sink.abort()

    def _connection(self) -> EdgeConnection:
        return EdgeConnection(self, self._edge_sweep, self._loop)

    async def _answer_other(self, request: ClientRequest, sink: EdgeConnection) -> None:
        path = request.path
        if path in (_LIVE, _READY):
            self._answer_health(path, sink)
            return
        bound = self._bound
        if bound is None:
            message = "The gateway has no configuration yet."
            raise OverloadedError(message, code="not_ready", retry_after_s=1)
        if path == FEEDBACK:
            await answer_feedback(bound, request, sink, self._give_feedback, self._clock)
        elif request.method == b"GET" and (path == MODELS or path.startswith(MODELS + b"/")):
            await self._answer_models(bound, request, sink)
        elif path.startswith(OFREP):
            await answer_ofrep(bound, request, sink)
        else:
            await self._pass_through(bound, request, sink)

    async def _answer_models(self, bound: BoundTable, request: ClientRequest, sink: EdgeConnection) -> None:
        if request.path == MODELS:
            sink.respond(200, [JSON_TYPE, bound.config_header], await self._models.render(bound, request))
            return
        name = unquote_to_bytes(request.path.removeprefix(MODELS + b"/")).decode("utf-8", "replace")
        if name in bound.table.route_names:
            sink.respond(200, [JSON_TYPE, bound.config_header], msgspec.json.encode(route_model(name)))
            return
        await self._pass_through(bound, request, sink)

    async def _pass_through(self, bound: BoundTable, request: ClientRequest, sink: EdgeConnection) -> None:
        if request.method == b"POST":
            _refuse_disguise(request)
        contents = RequestId("", "", "", 0, 0, self._clock.unix_ms(), self._next_serial())
        own: Headers = [(b"x-sluice-request-id", bound.seal.seal(contents).encode()), bound.config_header]
        await pass_through(bound, request, sink, self._tasks, own)

    def _answer_health(self, path: bytes, sink: EdgeConnection) -> None:
        is_ready = self._bound is not None and not self.is_draining
        if path == _LIVE or is_ready:
            sink.respond(200, [JSON_TYPE], b'{"status":"ok"}')
        else:
            sink.respond(503, [JSON_TYPE, (b"retry-after", b"1")], b'{"status":"not ready"}')

    def _next_serial(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF_FFFF
        return self._serial

    async def _until_empty(self) -> None:
        while self._connections:
            self._idle.clear()
            await self._idle.wait()

    async def _end_early(self) -> None:
        """End what is still in flight: with an error its client understands."""
        message = "The gateway is restarting and could wait no longer for the provider."
        for walk in list(self._walks):
            walk.end_early(OverloadedError(message, code="draining", retry_after_s=1))
        await asyncio.sleep(LAST_WORDS_S)
        for connection in list(self._connections):
            connection.close()
        try:
            async with asyncio.timeout(1.0):
                await self._until_empty()
        except TimeoutError:
            log.warning("connections were cut at the end of the drain", extra={"count": len(self._connections)})


def _drop(_: Sample) -> None:
    """Keep nothing."""


def _refuse_disguise(request: ClientRequest) -> None:
    """Refuse another spelling of a path that is split: passed on, it would reach the provider unsplit."""
    plain = unquote_to_bytes(request.path).rstrip(b"/").lower()
    if plain in SPLIT or plain == FEEDBACK or plain.startswith(OFREP):
        message = f"Write the path as {plain.decode()}."
        raise NoRouteError(message, code="path_not_found")
