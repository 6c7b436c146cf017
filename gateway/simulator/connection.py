"""One connection to the simulated provider: reads requests, plays scripts, one after the other."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, cast

import httptools

from gateway.clock import Clock
from gateway.simulator.endpoints import Treatment
from gateway.simulator.journal import Received
from gateway.simulator.other_shapes import render_error
from gateway.simulator.script import Close, Hang, Pause, Reset, Send, Step, render_head, render_whole
from gateway.tasks import TaskGroup

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_PIPELINED = 64
"""Requests read ahead of their turn; more wait in the socket."""

_LINGER_NOT = struct.pack("ii", 1, 0)


class Provider(Protocol):
    """What a connection asks of the provider it belongs to."""

    clock: Clock
    tasks: TaskGroup

    def note_connection(self, connection: Connection) -> int:
        """Count a new connection, and give its number."""
        ...

    def note_lost(self, connection: Connection) -> None:
        """Forget a connection."""
        ...

    def treat(self, received: Received) -> tuple[int, Treatment]:
        """Give a request's serial and what it gets."""
        ...

    def note_end(self, serial: int, *, client_left: bool) -> None:
        """Note that an answer ended."""
        ...


class Connection(asyncio.Protocol):
    """
    A client's connection.

    The client going away is seen at once, also during a fault that says nothing: reading never stops for
    an answer in progress, and an end of input counts as leaving.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Received, bool]] = deque()
        self._transport: asyncio.Transport | None = None
        self._playing: asyncio.Task[None] | None = None
        self._serial: int | None = None
        self._id = 0
        self._is_closing = False
        self._room = asyncio.Event()
        self._room.set()
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._n_body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small writes at once: segments are part of what is simulated."""
        # A cast: uvloop's transports are asyncio's by what they do, not by inheritance.
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._id = self._provider.note_connection(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being answered; unless we ended it, the client left."""
        self._provider.note_lost(self)
        if self._serial is not None:
            self._note_end(client_left=not self._is_closing)
        self._is_closing = True
        self._room.set()
        if self._playing is not None:
            self._playing.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on; what is not HTTP/1.1, or wants to become something else, is refused."""
        if self._is_closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # `on_message_complete` has refused it already
        except httptools.HttpParserError as error:
            self._refuse(400, f"Not HTTP: {error}")

    def pause_writing(self) -> None:
        """Hold the script until the client reads on."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Play on."""
        self._room.set()

    def abort(self) -> None:
        """End it now."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._target, self._headers, self._body, self._n_body_bytes = b"", [], [], 0

    def on_url(self, url: bytes) -> None:
        """Note the target, which may come in parts."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Ask for the body where the client waits for that."""
        for name, value in self._headers:
            if name.lower() == b"expect" and value.lower() == b"100-continue":
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Note a part of the body."""
        self._n_body_bytes += len(body)
        if self._n_body_bytes <= MAX_BODY_BYTES:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Take the request in its turn."""
        if self._is_closing:
            return
        if self._n_body_bytes > MAX_BODY_BYTES:
            self._refuse(413, f"Bodies end at {MAX_BODY_BYTES} bytes here.")
            return
        if self._parser.should_upgrade():
            self._refuse(426, "The simulator speaks no other protocol than HTTP/1.1.")
            return
        received = Received(
            serial=0,
            connection_id=self._id,
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            raw_headers=tuple(self._headers),
            body=b"".join(self._body),
            arrived_unix_ms=self._provider.clock.unix_ms(),
        )
        self._waiting.append((received, self._parser.should_keep_alive()))
        if self._serial is None:
            self._answer_waiting()
        elif len(self._waiting) == MAX_PIPELINED and self._transport is not None:
            self._transport.pause_reading()

    def _answer_waiting(self) -> None:
        """Answer in turn; what can be written at once is, without a task."""
        while self._waiting and not self._is_closing:
            received, keep_alive = self._waiting.popleft()
            self._serial, treatment = self._provider.treat(received)
            if not keep_alive:
                reply = treatment.reply
                closing = replace(reply, headers=(*reply.headers, ("connection", "close")))
                treatment = replace(treatment, reply=closing)
            if treatment.steps is not None or not treatment.reply.is_instant:
                self._playing = self._provider.tasks.spawn(self._play(treatment.script, keep_alive))
                return
            self._write(render_whole(treatment.reply))
            self._end(keep_alive)
        if self._transport is not None and not self._is_closing:
            self._transport.resume_reading()

    async def _play(self, steps: Iterator[Step], keep_alive: bool) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        for step in steps:
            match step:
                case Send(data):
                    self._write(data)
                    await self._room.wait()
                case Pause(seconds):
                    # Against the time due and not from now on, so that a slow machine still keeps tokens/s.
                    due_s = max(due_s + seconds, loop.time() - 1.0)
                    await asyncio.sleep(max(0.0, due_s - loop.time()))
                case Hang():
                    await loop.create_future()
                case Close():
                    keep_alive = False
                    break
                case Reset():
                    self._reset()
                    break
        self._playing = None
        self._end(keep_alive)
        self._answer_waiting()

    def _end(self, keep_alive: bool) -> None:
        self._note_end(client_left=False)
        if not keep_alive and self._transport is not None:
            self._is_closing = True
            self._transport.close()

    def _note_end(self, *, client_left: bool) -> None:
        if self._serial is not None:
            self._provider.note_end(self._serial, client_left=client_left)
            self._serial = None

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._is_closing:
            self._transport.write(data)

    def _reset(self) -> None:
        assert self._transport is not None
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.abort()

    def _refuse(self, status: int, message: str) -> None:
        body = render_error(status, message)
        headers = (("content-type", "application/json"), ("connection", "close"))
        self._write(render_head(status, headers, ("content-length", str(len(body)))) + body)
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()
