"""
The shadow process's end of the way from the workers: frames in, copies to the lane.

Always reads: what there is no room for the lane drops and counts, so that no worker ever has to keep anything back.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

import msgspec

from gateway.record.copied import Copied
from gateway.record.copies import CopyFrameError, CopyFrameReader, CopyHello, CopyKind, Skipped, Told

log = logging.getLogger(__name__)

_COPIED = msgspec.msgpack.Decoder(Copied)
_HELLO = msgspec.msgpack.Decoder(CopyHello)
_SKIPPED = msgspec.msgpack.Decoder(Skipped)

TakeCopy = Callable[[Copied], None]
NoteSkipped = Callable[[str, str, int], None]
"""Takes a route, a reason, and how many more copies were not sent for it."""


class CopyIntake:
    """Takes connections from a listening socket."""

    def __init__(self, take: TakeCopy, note_skipped: NoteSkipped) -> None:
        self._take = take
        self._note_skipped = note_skipped
        self._server: asyncio.AbstractServer | None = None
        self._peers: set[_Peer] = set()

    async def open(self, sock: socket.socket) -> None:
        """Take connections from now on; `sock` listens already."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Peer(self), sock=sock)

    def counts(self) -> dict[str, int]:
        """Give how many workers are connected."""
        return {"copy_peers": len(self._peers)}

    async def close(self) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()
        for peer in list(self._peers):
            peer.hang_up()

    def note_peer(self, peer: _Peer, *, is_there: bool) -> None:
        """Keep book of who is connected."""
        if is_there:
            self._peers.add(peer)
        else:
            self._peers.discard(peer)

    def take(self, copied: Copied) -> None:
        """Hand a copy on; what fails there costs this copy."""
        try:
            self._take(copied)
        except Exception:
            log.exception("a copy could not be taken", extra={"storm": "copy_intake", "private": True})
            self._note_skipped(copied.outcome.route or "", "failed", 1)

    def note_skipped(self, route: str, reason: str, n: int) -> None:
        """Hand on what was not sent."""
        self._note_skipped(route, reason, n)


class _Peer(asyncio.Protocol):
    """One worker."""

    def __init__(self, intake: CopyIntake) -> None:
        self._intake = intake
        self._reader = CopyFrameReader()
        self._known: dict[tuple[str, str], int] = {}
        self._is_known = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._intake.note_peer(self, is_there=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._intake.note_peer(self, is_there=False)

    def data_received(self, data: bytes) -> None:
        """Read frames; hang up on what is none."""
        try:
            for kind, payload in self._reader.feed(data):
                self._read(kind, payload)
        except (CopyFrameError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            log.error("somebody sends what is no copy, hanging up", extra={"cause": str(error), "storm": "copy_intake"})
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _read(self, kind: CopyKind, payload: bytes) -> None:
        if kind is CopyKind.HELLO:
            self._known, self._is_known = _by_reason(_HELLO.decode(payload).told), True
        elif not self._is_known:
            message = "the first frame says who speaks"
            raise CopyFrameError(message)
        elif kind is CopyKind.COPY:
            self._intake.take(_COPIED.decode(payload))
        else:
            self._take_skipped(_SKIPPED.decode(payload).counts)

    def _take_skipped(self, counts: Told) -> None:
        for (route, reason), n in _by_reason(counts).items():
            more = n - self._known.get((route, reason), 0)
            if more > 0:
                self._known[route, reason] = n
                self._intake.note_skipped(route, reason, more)


def _by_reason(counts: Told) -> dict[tuple[str, str], int]:
    return {(route, reason): n for route, reason, n in counts}
