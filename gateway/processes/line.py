"""
A line: framed messages over a socket pair, between the parent and one child.

A frame is a length (4 bytes, big-endian), a kind (1 byte) and that many bytes of payload. Small
payloads are JSON of a class in `messages`; a table crosses as it is. Sending never waits: the
parent must go on when a child does not read. What piles up is bounded, and a peer that lets more
pile up is cut off.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct

log = logging.getLogger(__name__)

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A table of 1,000 routes with long prompts is about 10 MiB."""

MAX_UNREAD_BYTES = 2 * MAX_FRAME_BYTES
"""What a child may leave unread before its line is cut."""

MAX_UNREAD_OFFER_BYTES = 256 * 1024
"""Above this, news that the next second repeats is not sent."""

_HEAD = Struct(">IB")


class Kind(IntEnum):
    """What a frame says; the number is on the wire."""

    TABLE = 1
    READY = 2
    ACK = 3
    STATUS = 4
    DRAIN = 5
    HELLO = 6
    REFUSED = 7
    FLEET = 8
    RELOAD = 9
    RESTART = 10
    RESTARTED = 11
    LATCH = 12
    HELD = 13


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One message.

    Attributes:
        kind: What it says.
        payload: JSON or a table, by kind; at most MAX_FRAME_BYTES.
    """

    kind: Kind
    payload: bytes = field(default=b"", repr=False)


def encode_frame(kind: Kind, payload: bytes = b"") -> bytes:
    """
    Give the frame's bytes.

    Raises:
        ValueError: The payload is over MAX_FRAME_BYTES.
    """
    if len(payload) > MAX_FRAME_BYTES:
        message = f"a frame of {len(payload)} bytes is over the {MAX_FRAME_BYTES} a line carries"
        raise ValueError(message)
    return _HEAD.pack(len(payload), kind) + payload


class Line:
    """One end. The other end's death is the end of the frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> Line:
        """Take over one socket of a pair."""
        sock.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=1024 * 1024)
        return cls(reader, writer)

    @property
    def unread_bytes(self) -> int:
        """Give how much the other end has not taken yet, beyond the kernel's buffer."""
        return self._writer.transport.get_write_buffer_size()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send without waiting; cut the line when the other end has stopped reading."""
        if self._writer.transport.is_closing():
            return
        if self.unread_bytes > MAX_UNREAD_BYTES:
            log.error("line cut: the other end does not read", extra={"unread_bytes": self.unread_bytes})
            self._writer.transport.abort()
            return
        self._writer.write(encode_frame(kind, payload))

    def offer(self, kind: Kind, payload: bytes = b"") -> bool:
        """Send unless the other end is behind; give whether it was sent."""
        if self.unread_bytes > MAX_UNREAD_OFFER_BYTES:
            return False
        self.send(kind, payload)
        return True

    async def receive(self) -> Frame | None:
        """
        Give the next frame, or None when the other end is gone.

        A frame that is too long or of an unknown kind ends the line too: the two ends no longer
        speak alike. Cancelling loses no frame unless its head was already read.
        """
        try:
            length, number = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            if length > MAX_FRAME_BYTES:
                log.error("line cut: frame too long", extra={"bytes": length})
                return None
            return Frame(Kind(number), await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            return None
        except ValueError as error:
            log.error("line cut: unknown frame", extra={"cause": str(error)})
            return None

    async def flush(self, timeout_s: float = 1.0) -> None:
        """Wait until what was sent is in the kernel's hands, for at most `timeout_s`."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        while self.unread_bytes and not self._writer.transport.is_closing():
            if asyncio.get_running_loop().time() > deadline_s:
                return
            await asyncio.sleep(0.005)

    def close(self) -> None:
        """Close our end; what the kernel already has is still delivered."""
        self._writer.close()
