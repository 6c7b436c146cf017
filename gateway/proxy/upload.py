"""A request body that is handed on as it arrives, at the pace of whoever takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

STREAM_BUFFER_BYTES = 256 * 1024
"""What may wait of a streamed request body before the client is made to wait."""


class BodySource(Protocol):
    """Where a body comes from, and can be made to wait."""

    def pause_body(self) -> None:
        """Let what comes wait."""
        ...

    def resume_body(self) -> None:
        """Go on."""
        ...


class EdgeBody:
    """A request body handed on as it arrives; makes its client wait when nobody takes it."""

    __slots__ = ("_connection", "_is_whole", "_pieces", "_size", "_waiter")

    def __init__(self, connection: BodySource) -> None:
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_whole = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_whole(self) -> bool:
        """Say whether the client has sent all of it."""
        return self._is_whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces as they arrive."""
        while self._pieces or not self._is_whole:
            if not self._pieces:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
                continue
            piece = self._pieces.popleft()
            self._size -= len(piece)
            if self._size < STREAM_BUFFER_BYTES // 4:
                self._connection.resume_body()
            yield piece

    def note_piece(self, piece: bytes) -> None:
        """Take a piece."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > STREAM_BUFFER_BYTES:
            self._connection.pause_body()
        self._wake()

    def note_whole(self) -> None:
        """Take note that there is no more."""
        self._is_whole = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
