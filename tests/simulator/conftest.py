"""A provider to ask, and a client that sees every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest

from gateway.simulator.provider import SimulatedProvider


@dataclass(frozen=True)
class Exchange:
    """What came back: every byte, and whether the connection was then `open`, at its `eof` or `reset`."""

    data: bytes
    ended: str

    @property
    def status(self) -> int:
        return int(self.data[9:12]) if self.data.startswith(b"HTTP/1.1 ") else 0

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


class RawClient:
    """Asks with bytes and reads until nothing more comes."""

    def __init__(self, provider: SimulatedProvider) -> None:
        self.provider = provider

    async def ask(
        self, body: object = None, *, path: str = "/v1/chat/completions", method: str = "POST", headers: str = ""
    ) -> Exchange:
        run = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n{headers}content-length: {len(run)}\r\n\r\n"
        )
        return await self.send(head.encode() + run)

    async def chat(self, model: str, *, stream: bool = False, system: str = "", headers: str = "") -> Exchange:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "Wo ist es?"}]
        return await self.ask({"model": model, "messages": messages, "stream": stream}, headers=headers)

    async def send(self, run: bytes, *, patience_s: float = 0.15) -> Exchange:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.provider.port)
        writer.write(run)
        data, ended = bytearray(), "open"
        try:
            while chunk := await asyncio.wait_for(reader.read(1 << 20), patience_s):
                data += chunk
            ended = "eof"
        except TimeoutError:
            pass
        except ConnectionError:
            ended = "reset"
        writer.transport.abort()
        await asyncio.sleep(0)
        return Exchange(bytes(data), ended)


@pytest.fixture
async def provider() -> AsyncIterator[SimulatedProvider]:
    """Give a provider of instant models."""
    async with SimulatedProvider(seed=3) as provider:
        yield provider


@pytest.fixture
def client(provider: SimulatedProvider) -> RawClient:
    """Give a client of `provider`."""
    return RawClient(provider)
