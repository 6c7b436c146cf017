"""A data plane on a real socket, and a client of raw bytes for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.clock import SystemClock
from gateway.domain.table import RoutingTable
from gateway.proxy.edge_app import EdgeLimits
from gateway.proxy.server import DataPlane
from gateway.record.sample import Sample
from gateway.record.sampling import Sampler
from tests.fakes.copies import CopyList
from tests.fakes.shelf import Shelf
from tests.fakes.sink import OutcomeList


@dataclass(frozen=True, slots=True)
class Plane:
    """
    A data plane that listens.

    Attributes:
        inner: The data plane itself.
        port: Where it listens on loopback.
        outcomes: What it told its observer.
        shelf: Where its feedback goes.
        samples: What it took.
        copies: What it handed out.
    """

    inner: DataPlane
    port: int
    outcomes: OutcomeList
    shelf: Shelf
    samples: list[Sample]
    copies: CopyList

    @property
    def base_url(self) -> str:
        """Give what to give a client."""
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def serving(
    table: RoutingTable | None, *, limits: EdgeLimits | None = None, sampler: Sampler | None = None
) -> AsyncIterator[Plane]:
    """Serve `table` on a port of the system's choice; nothing is left behind."""
    outcomes, shelf, samples, copies = OutcomeList(), Shelf(), list[Sample](), CopyList()
    inner = DataPlane(
        clock=SystemClock(),
        observer=outcomes,
        give_feedback=shelf.give,
        worker_id=0,
        limits=limits,
        sampler=sampler,
        note_sample=samples.append,
        copies=copies,
    )
    if table is not None:
        inner.publish(table)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        await inner.listen(sock)
        try:
            yield Plane(inner, sock.getsockname()[1], outcomes, shelf, samples, copies)
        finally:
            await inner.close()
            await asyncio.sleep(0.01)  # For connections to hear of it.


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One answer as it came.

    Attributes:
        status: Of the status line.
        headers: By lower-case name; of a name sent twice the last.
        body: Without its framing.
        is_whole: Whether the framing said so.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool = True


@dataclass(slots=True)
class RawClient:
    """A client connection that sends what it is told, byte for byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closed: bool = field(default=False)

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self.writer.write(data)

    async def reply(self, seconds: float = 3.0, *, is_head: bool = False) -> Reply:
        """
        Read one answer; interim ones are skipped.

        Raises:
            ConnectionError: The connection ended before its head was whole.
            TimeoutError: Nothing came.
        """
        async with asyncio.timeout(seconds):
            while True:
                try:
                    head = await self.reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError as error:
                    raise ConnectionError(error.partial) from None
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                status = int(first.split(" ")[1])
                if status >= 200:
                    break
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if is_head:
                return Reply(status, headers, b"")
            body, is_whole = await self._body(headers)
        return Reply(status, headers, body, is_whole)

    async def ends(self, seconds: float = 3.0) -> bytes:
        """Give all bytes until the connection ends; raises TimeoutError when it does not."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def _body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        pieces = []
        try:
            if "content-length" in headers:
                return await self.reader.readexactly(int(headers["content-length"])), True
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    pieces.append((await self.reader.readexactly(size + 2))[:-2])
                await self.reader.readexactly(2)
                return b"".join(pieces), True
            return await self.reader.read(), True
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            rest = error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
            return b"".join(pieces) + rest, False

    def abort(self) -> None:
        """Leave at once, with an RST where something was unread."""
        self.writer.transport.abort()


@asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawClient]:
    """Connect to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()


def post(body: bytes, path: str = "/v1/chat/completions", *, headers: tuple[str, ...] = ()) -> bytes:
    """Give a POST with a JSON body; `headers` are whole lines without their ends."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: gateway",
        "content-type: application/json",
        *headers,
        f"content-length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def get(path: str, *, headers: tuple[str, ...] = (), method: str = "GET") -> bytes:
    """Give a request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: gateway", *headers, "", ""]).encode("latin-1")


CHAT = b'{"model":"support","messages":[{"role":"user","content":"hi"}]}'
"""A unary chat request for the route `support`."""

CHAT_STREAM = b'{"model":"support","stream":true,"messages":[{"role":"user","content":"hi"}]}'
"""The same, streamed."""
