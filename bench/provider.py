"""
A provider that streams at a set pace, lean enough to pace thousands of streams: what nginx cannot do.

Run as a process of its own, `python -m bench.provider`; its first line of output is its port. Asked
for a stream it sends `--chunks` events `--gap-ms` apart; asked for anything else it says back the body
it was sent, so that a client can see what a gateway made of it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import cast

import uvloop

from bench.shape import DONE_EVENT, USAGE_EVENT, chat_answer, chat_event, length_of, split_head

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


def _framed(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


TOKEN = _framed(chat_event(" token"))
FINISH = chat_event("", finish_reason="stop")


class PacedConnection(asyncio.Protocol):
    """One connection: a request, its paced answer, the next request."""

    def __init__(self, *, n_chunks: int, gap_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._n_chunks = n_chunks
        self._gap_s = gap_s
        self._loop = loop
        self._received = bytearray()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._timer: asyncio.TimerHandle | None = None
        self._ending = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the pace."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._received += data
        parts = split_head(self._received)
        if parts is None:
            return
        head, start = parts
        end = start + (length_of(head) or 0)
        if len(self._received) < end:
            return
        body = bytes(self._received[start:end])
        del self._received[:end]
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        if b'"stream":true' not in body:
            echo = chat_answer(body.decode())
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(echo)
            self._transport.write(head + echo)
            return
        usage = USAGE_EVENT if b'"include_usage":true' in body else b""
        self._ending = _framed(FINISH + usage + DONE_EVENT) + _LAST_CHUNK
        self._left = self._n_chunks
        self._transport.write(_STREAM_HEAD)
        self._send_token()

    def _send_token(self) -> None:
        self._left -= 1
        if self._left:
            self._transport.write(TOKEN)
            self._timer = self._loop.call_later(self._gap_s, self._send_token)
        else:
            self._transport.write(TOKEN + self._ending)


async def serve(*, n_chunks: int, gap_s: float) -> None:
    """Serve on a free loopback port, say which, and go on until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: PacedConnection(n_chunks=n_chunks, gap_s=gap_s, loop=loop), "127.0.0.1", 0, backlog=4096
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


def main() -> None:
    """Read the flags and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.provider")
    parser.add_argument("--chunks", type=int, default=50)
    parser.add_argument("--gap-ms", type=float, default=20.0)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(n_chunks=options.chunks, gap_s=options.gap_ms / 1000))


if __name__ == "__main__":
    main()
