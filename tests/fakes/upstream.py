"""A provider of raw bytes: answers each request with the next script, and remembers what it saw."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

from gateway.tasks import TaskGroup

_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more, and keep the connection."""


@dataclass(frozen=True, slots=True)
class Fin:
    """Close in order."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close with an RST."""


Step = bytes | Pause | Hang | Fin | Reset
Script = tuple[Step, ...]


@dataclass(slots=True)
class Seen:
    """
    One request as it arrived.

    Attributes:
        head: Request line and headers, without the blank line.
        body: As framed by its length, or the raw chunks.
        connection: Counts connections from 1.
    """

    head: bytes
    body: bytes
    connection: int

    @property
    def line(self) -> bytes:
        """Give the request line."""
        return self.head.split(b"\r\n")[0]

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Give the headers by lower-case name; of a name sent twice the last."""
        pairs = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}


@dataclass(slots=True)
class ScriptedUpstream:
    """
    A TCP server that plays `scripts`, one per request; the last is played for ever.

    Attributes:
        scripts: What it answers.
        seen: Whole requests, in order of arrival.
        open_count: Connections open now.
        opened: Connections ever accepted.
        sent_bytes: Handed to the kernel or waiting for it.
        greeting: Sent at once on connecting, asked or not.
        reads: Whether it reads at all.
    """

    scripts: list[Script]
    seen: list[Seen] = field(default_factory=list)
    open_count: int = 0
    opened: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    greeting: bytes = b""
    reads: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: TaskGroup = field(default_factory=TaskGroup)
    _server: asyncio.Server | None = None
    _sides: set[_Side] = field(default_factory=set)

    async def __aenter__(self) -> ScriptedUpstream:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Side(self), "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        for side in list(self._sides):
            side.transport.abort()
        await self.tasks.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Give the port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def next_script(self) -> Script:
        """Give what answers the request that just arrived."""
        return self.scripts[min(len(self.seen), len(self.scripts)) - 1]

    async def until(self, *, seen: int | None = None, open_count: int | None = None, seconds: float = 2.0) -> None:
        """Wait until so many requests were seen or connections are open."""
        async with asyncio.timeout(seconds):
            while (seen is not None and len(self.seen) < seen) or (
                open_count is not None and self.open_count != open_count
            ):
                self.changed.clear()
                await self.changed.wait()

    def close_idle(self) -> None:
        """Close every connection in order, as a provider does with idle ones."""
        for side in list(self._sides):
            side.transport.close()

    def add(self, side: _Side) -> int:
        """Count a connection and give its number."""
        self._sides.add(side)
        self.open_count += 1
        self.opened += 1
        self.changed.set()
        return self.opened

    def remove(self, side: _Side) -> None:
        """Forget a connection."""
        self._sides.discard(side)
        self.open_count -= 1
        self.changed.set()


class _Side(asyncio.Protocol):
    """The provider's side of one connection."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._number = 0
        self._room = asyncio.Event()
        self._room.set()
        self._playing: asyncio.Task[None] | None = None
        self.transport = cast(asyncio.Transport, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._number = self._upstream.add(self)
        if self._upstream.greeting:
            self.transport.write(self._upstream.greeting)
        if not self._upstream.reads:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.remove(self)
        if self._playing is not None:
            self._playing.cancel()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._upstream.received_bytes += len(data)
        self._buffer += data
        while (request := self._take_request()) is not None:
            self._upstream.seen.append(request)
            self._upstream.changed.set()
            self._playing = self._upstream.tasks.spawn(self._play(self._upstream.next_script()))

    def _take_request(self) -> Seen | None:
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return None
        request = Seen(head, b"", self._number)
        if b"transfer-encoding" in request.headers:
            end = rest.find(b"0\r\n\r\n") + 5
            if end < 5:
                return None
        else:
            end = int(request.headers.get(b"content-length", b"0"))
            if len(rest) < end:
                return None
        request.body, self._buffer = rest[:end], rest[end:]
        return request

    async def _play(self, script: Script) -> None:
        for step in script:
            match step:
                case bytes():
                    self._upstream.sent_bytes += len(step)
                    self.transport.write(step)
                    await self._room.wait()
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hang():
                    await asyncio.get_running_loop().create_future()
                case Fin():
                    self.transport.close()
                case Reset():
                    self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                    self.transport.abort()


def answer(body: bytes, *, status: int = 200, kind: bytes = b"application/json", more: bytes = b"") -> bytes:
    """Give a whole answer with its length; `more` is header lines, each with its line end."""
    head = b"HTTP/1.1 %d X\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n" % (status, kind, more, len(body))
    return head + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
"""The head of a stream."""

LAST_CHUNK = b"0\r\n\r\n"
"""What ends a chunked body."""

CHAT_ANSWER = (
    b'{"id":"c-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}'
)
"""A whole unary chat answer."""


def chunk(piece: bytes) -> bytes:
    """Give `piece` as an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def event(text: str, *, finish: bool = False) -> bytes:
    """Give a chat event that says `text`, as an HTTP chunk."""
    reason = b'"stop"' if finish else b"null"
    payload = (
        b'{"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,'
        b'"delta":{"content":"%b"},"finish_reason":%b}]}' % (text.encode(), reason)
    )
    return chunk(b"data: " + payload + b"\n\n")


DONE = chunk(b"data: [DONE]\n\n")
"""The event that ends a chat stream, as an HTTP chunk."""
