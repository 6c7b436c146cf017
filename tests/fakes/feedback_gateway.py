"""What a client sees of a gateway that takes feedback: answers with request ids, and one answer to all feedback."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import orjson

_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp_q0500",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
}
_READ_IN_S = 0.1  # client and gateway share a loop: what was written before this is read before what comes after


class FeedbackGateway:
    """
    Listens on loopback within an `async with` block.

    Attributes:
        base_url: What to give a client.
        feedback: Every piece that came, parsed.
    """

    def __init__(self, status: int, body: bytes, *, first_alone: bool = False) -> None:
        """Answer all feedback so; with `first_alone`, no second answer before the first feedback's was read."""
        self.base_url = ""
        self.feedback: list[dict[str, Any]] = []
        self._status = status
        self._body = body
        self._n_answers = 0
        self._goes_on = asyncio.Event()
        if not first_alone:
            self._goes_on.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body, is_feedback = await reader.readexactly(length), head.startswith(b"post /v1/feedback")
                if not is_feedback and self._n_answers:
                    await self._goes_on.wait()
                writer.write(self._answer(is_feedback, body))
                if is_feedback:
                    asyncio.get_running_loop().call_later(_READ_IN_S, self._goes_on.set)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, is_feedback: bool, body: bytes) -> bytes:
        if is_feedback:
            self.feedback.append(orjson.loads(body))
            head, answer = f"HTTP/1.1 {self._status} Said\r\n", self._body
        else:
            head, answer = f"HTTP/1.1 200 OK\r\nx-sluice-request-id: sq1_{self._n_answers}\r\n", orjson.dumps(_ANSWER)
            self._n_answers += 1
        framing = f"x-should-retry: false\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        return (head + framing).encode() + answer
