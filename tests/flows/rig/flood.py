"""A provider that floods and costs next to nothing itself: what making tokens costs is another machine's business."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import uvloop

_TOKEN = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"flood","choices":'
    b'[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
_TOKENS = _TOKEN * (64 * 1024 // len(_TOKEN))
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK = f"{len(_TOKENS):x}\r\n".encode() + _TOKENS + b"\r\n"


@contextmanager
def flood() -> Iterator[str]:
    """Run one on loopback; gives its base URL."""
    spawn = multiprocessing.get_context("spawn")
    line, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(theirs,), daemon=True)
    process.start()
    try:
        assert line.poll(20.0), "the flood does not start"
        yield f"http://127.0.0.1:{line.recv()}/v1"
    finally:
        process.kill()
        process.join()
        line.close()


def _run(line: Connection) -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(line))


async def _serve(line: Connection) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    line.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever is asked with tokens, as fast as they are taken, until the other side has enough."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD)
        while True:
            writer.write(_CHUNK)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
