"""A lean HTTP client that sees everything: what came, when, and whether all of it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

ANSWERS_WITHIN_S = 60.0
KEPT_FOR_S = 5.0
"""As long as the official Python client keeps an idle connection."""

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(slots=True)
class Reply:
    """
    One answer.

    Attributes:
        status: 0 when the connection broke before the head was whole.
        headers: By lower-case name.
        body: Without framing.
        problem: Why it is not whole; empty when it is.
        is_reused: It was asked for on a connection that had answered before.
        begun_s: When it was sent, `time.perf_counter`.
        ended_s: When all of it was there, or it broke.
        chunks_s: When each piece of the body came.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""
    is_reused: bool = False
    begun_s: float = 0.0
    ended_s: float = 0.0
    chunks_s: list[float] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """Give the parsed body."""
        return orjson.loads(self.body)

    @property
    def error_code(self) -> str | None:
        """Give the `code` of an OpenAI error body."""
        return str(self.json["error"]["code"])


class HttpClient:
    """One connection at a time, kept as long as the other side keeps it."""

    def __init__(self, port: int, *, keeps: bool = True) -> None:
        self.port = port
        self._keeps = keeps
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._used_s = 0.0

    async def post(self, path: str, body: object, headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
        """Post JSON, or bytes as they are."""
        return await self.ask("POST", path, body if isinstance(body, bytes) else orjson.dumps(body), headers)

    async def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str] = _NO_HEADERS) -> Reply:
        """Ask once, without any retry; a broken answer says so in `problem` and raises nothing."""
        reply = Reply(begun_s=time.perf_counter())
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
        lines += ["content-type: application/json", *(f"{name}: {value}" for name, value in headers.items())]
        if not self._keeps:
            lines.append("connection: close")
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                reader, writer = await self._connected(reply)
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await self._read(reader, reply)
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
            reply.problem = f"{type(error).__name__}: {error}"
        if reply.problem or not self._keeps or reply.headers.get("connection") == "close":
            self.close()
        self._used_s = reply.ended_s = time.perf_counter()
        return reply

    def close(self) -> None:
        """Drop the connection."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _connected(self, reply: Reply) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # As every pooling client does: a connection that the other side has closed is not used.
        is_old = reply.begun_s - self._used_s > KEPT_FOR_S
        if self._reader is not None and (is_old or self._reader.at_eof()):
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        else:
            reply.is_reused = True
        return self._reader, self._writer

    async def _read(self, reader: asyncio.StreamReader, reply: Reply) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        reply.status = int(first.split(" ")[1])
        reply.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in reply.headers:
            reply.body = await reader.readexactly(int(reply.headers["content-length"]))
            return
        pieces: list[bytes] = []
        try:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                pieces.append((await reader.readexactly(size + 2))[:-2])
                reply.chunks_s.append(time.perf_counter())
            await reader.readexactly(2)
        finally:
            reply.body = b"".join(pieces)
