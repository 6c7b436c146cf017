"""
The simulated provider's server: connections, the playing of scripts, and the `/sim` endpoints.

A raw protocol and not a framework, because faults need every byte. Beside the API it serves, without a key:

    GET    /sim/received?limit=N&path=P&model=M&after=SERIAL   what it received, oldest first
    DELETE /sim/received                                       forget that
    GET    /sim/stats                                          counts, open connections, hang-ups
    GET    /sim/behaviour, POST /sim/behaviour                 the described behaviour; POST lays a patch over it
    GET    /sim/faults                                         every fault there is
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

import orjson

from gateway.clock import Clock, SystemClock
from gateway.errors import ConfigError
from gateway.simulator.connection import Connection
from gateway.simulator.describe import Behaviour, merge_behaviour, render_behaviour
from gateway.simulator.endpoints import Endpoints, Treatment
from gateway.simulator.faults import FAULTS
from gateway.simulator.journal import Journal, Received, render_received
from gateway.simulator.other_shapes import render_error
from gateway.simulator.script import Reply
from gateway.tasks import TaskGroup


@dataclass(frozen=True, slots=True)
class Stats:
    """
    Counts since the start.

    Attributes:
        n_requests: Requests under the API, not those under `/sim`.
        n_connections: Connections ever opened.
        n_open_connections: Open now, the asking one included.
        n_in_flight: Requests being answered now.
        n_hang_ups: Requests whose client left before the answer was whole.
        by_model: Requests per model ("" is no model), then per status sent ("none" when a fault sends none).
    """

    n_requests: int
    n_connections: int
    n_open_connections: int
    n_in_flight: int
    n_hang_ups: int
    by_model: dict[str, dict[str, int]]


class SimulatedProvider:
    """
    An OpenAI-compatible provider on a port of its own.

    Used as an async context manager: it listens inside, and leaves nothing behind.

        async with SimulatedProvider(Behaviour(default=ModelBehaviour(ttft_ms=50)), seed=7) as provider:
            client = AsyncOpenAI(base_url=provider.base_url, api_key="any")
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.endpoints = Endpoints(behaviour or Behaviour(), seed=seed)
        self.clock = clock or SystemClock()
        self.journal = journal if journal is not None else Journal()
        self.tasks = TaskGroup()
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._n_requests = self._n_connections = self._n_hang_ups = 0
        self._in_flight: set[int] = set()
        self._by_model: Counter[tuple[str, str]] = Counter()

    async def __aenter__(self) -> SimulatedProvider:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self._host, self._port, backlog=4096)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, drop every connection, and wait for what was running."""
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self.tasks.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def origin(self) -> str:
        """`http://host:port`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What to give a client as its base URL."""
        return f"{self.origin}/v1"

    @property
    def behaviour(self) -> Behaviour:
        """The described behaviour; setting it changes the next request."""
        return self.endpoints.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self.endpoints.behaviour = behaviour

    @property
    def received(self) -> list[Received]:
        """What was received under the API, oldest first."""
        return list(self.journal)

    @property
    def stats(self) -> Stats:
        """Counts up to now."""
        by_model: dict[str, dict[str, int]] = {}
        for (model, status), n in self._by_model.items():
            by_model.setdefault(model, {})[status] = n
        return Stats(
            n_requests=self._n_requests,
            n_connections=self._n_connections,
            n_open_connections=len(self._connections),
            n_in_flight=len(self._in_flight),
            n_hang_ups=self._n_hang_ups,
            by_model=by_model,
        )

    def note_connection(self, connection: Connection) -> int:
        """Count a new connection, and give its number."""
        self._n_connections += 1
        self._connections.add(connection)
        return self._n_connections

    def note_lost(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def treat(self, received: Received) -> tuple[int, Treatment]:
        """Give what a request gets, and its serial (0 under `/sim`, which is not journalled)."""
        if received.path.startswith("/sim/"):
            return 0, Treatment(self._simulated(received))
        self._n_requests += 1
        received = replace(received, serial=self._n_requests)
        treatment = self.endpoints.treat(received)
        status = treatment.status
        self._by_model[treatment.model, str(status) if status else "none"] += 1
        self._in_flight.add(received.serial)
        self.journal.note(replace(received, model=treatment.model, fault=treatment.fault, status=status))
        return received.serial, treatment

    def note_end(self, serial: int, *, client_left: bool) -> None:
        """Note that the answer to request `serial` ended."""
        if serial:
            self._in_flight.discard(serial)
            self._n_hang_ups += client_left
            self.journal.note_end(serial, unix_ms=self.clock.unix_ms(), client_left=client_left)

    def _simulated(self, received: Received) -> Reply:
        """Answer what is asked of the simulation itself."""
        match received.method, received.path.removeprefix("/sim/"):
            case "GET", "received":
                return _json_reply([render_received(entry) for entry in self._asked(received.query)])
            case "DELETE", "received":
                self.journal.clear()
                return _json_reply({"cleared": True})
            case "GET", "stats":
                return _json_reply(asdict(self.stats))
            case "GET", "behaviour":
                return _json_reply(render_behaviour(self.behaviour))
            case "POST", "behaviour":
                return self._exchanged(received.body)
            case "GET", "faults":
                return _json_reply({fault.name: fault.summary for fault in FAULTS.values()})
        return Reply(404, (("content-type", "application/json"),), (render_error(404, "No such simulator page."),))

    def _asked(self, query: str) -> list[Received]:
        asked = dict(parse_qsl(query))
        limit, after = asked.get("limit", ""), asked.get("after", "")
        return self.journal.read(
            limit=int(limit) if limit.isdecimal() else 100,
            after=int(after) if after.isdecimal() else 0,
            path=asked.get("path"),
            model=asked.get("model"),
        )

    def _exchanged(self, patch: bytes) -> Reply:
        try:
            self.behaviour = merge_behaviour(self.behaviour, orjson.loads(patch))
        except (ConfigError, orjson.JSONDecodeError) as error:
            return Reply(400, (("content-type", "application/json"),), (render_error(400, str(error)),))
        return _json_reply(render_behaviour(self.behaviour))


def _json_reply(value: Any) -> Reply:
    return Reply(200, (("content-type", "application/json"),), (orjson.dumps(value, option=orjson.OPT_INDENT_2),))
