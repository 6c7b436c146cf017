"""The shadow process's end: copies and counts come in, nonsense is hung up on, and nothing ever backs up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.record.copied import Copied
from gateway.record.copies import CopyChannel, CopyHello, CopyKind, Skipped, encode_copy_frame
from gateway.record.outcome import Outcome
from gateway.shadow.intake import CopyIntake


class Rig:
    """
    An intake on a socket.

    Attributes:
        taken: Copies that came.
        skipped: Counts that came.
        fails: Taking a copy fails.
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "copies.sock")
        self.taken: list[Copied] = []
        self.skipped: list[tuple[str, str, int]] = []
        self.fails = False
        self.intake = CopyIntake(self.take, lambda *skipped: self.skipped.append(skipped))

    async def open(self) -> None:
        """Listen."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(self.path)
        sock.listen()
        sock.setblocking(False)
        await self.intake.open(sock)

    def take(self, copied: Copied) -> None:
        """Take a copy."""
        if self.fails:
            raise ArithmeticError
        self.taken.append(copied)

    def channel(self) -> CopyChannel:
        """Give a worker's end."""
        loop = asyncio.get_running_loop()
        return CopyChannel(lambda make: loop.create_unix_connection(make, self.path), worker=1, boot=2)

    async def sent(self, *pieces: bytes | bytearray) -> bytes:
        """Send bytes by hand, and give what comes back before the end or within a moment."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(b"".join(pieces))
        try:
            async with asyncio.timeout(0.5):
                return await reader.read()
        except TimeoutError:
            return b"still there"
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Give an intake that listens."""
    found = Rig(tmp_path)
    await found.open()
    yield found
    await found.intake.close()


def copied_of(body: bytes = b"{}") -> Copied:
    """Give a copy."""
    return Copied(Outcome(request_id="rq", route="support"), 7, True, 12, "ana", b"", [], body, b"", False)


async def test_copies_cross(rig: Rig) -> None:
    """What a worker offers is taken, large ones too."""
    channel = rig.channel()
    channel.open()
    for _ in range(20):
        channel.offer(copied_of(b"x" * 300_000))
    await asyncio.sleep(0.3)
    assert await channel.close(2) and len(rig.taken) == 20


async def test_close_sends_what_is_left(rig: Rig) -> None:
    """A worker that leaves hands over what it has, within its time."""
    channel = rig.channel()
    channel.open()
    await asyncio.sleep(0.05)
    for _ in range(30):
        channel.offer(copied_of(b"x" * 100_000))
    assert await channel.close(2)
    await asyncio.sleep(0.1)
    assert len(rig.taken) == 30


async def test_skips_are_counted_once(rig: Rig) -> None:
    """Counts rise over a connection; only what is new is handed on, and not what was told before."""
    hello = encode_copy_frame(CopyKind.HELLO, CopyHello(1, 2, 3, [("support", "too_large", 5)]))
    counts = [encode_copy_frame(CopyKind.SKIPPED, Skipped([("support", "too_large", n)])) for n in (5, 7, 7, 8)]
    await rig.sent(hello, *counts)
    assert rig.skipped == [("support", "too_large", 2), ("support", "too_large", 1)]


HELLO = bytes(encode_copy_frame(CopyKind.HELLO, CopyHello(1, 2, 3)))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(encode_copy_frame(CopyKind.COPY, copied_of())),
        HELLO + b"\x00\x00\x00\x01\x02\xc1",
        HELLO + b"\x00\x00\x00\x02\x02\x91\x01",
        HELLO + b"\xff\xff\xff\xff\x02",
    ],
)
async def test_nonsense_is_hung_up_on(rig: Rig, nonsense: bytes) -> None:
    """Who sends what is no copy is not listened to any more, and the others are."""
    assert await rig.sent(nonsense) == b"" and not rig.taken
    assert await rig.sent(HELLO, encode_copy_frame(CopyKind.COPY, copied_of())) == b"still there"
    assert len(rig.taken) == 1


async def test_fault_of_the_lane_costs_one_copy(rig: Rig) -> None:
    """A copy that cannot be taken is counted, and its worker stays connected."""
    rig.fails = True
    assert await rig.sent(HELLO, encode_copy_frame(CopyKind.COPY, copied_of())) == b"still there"
    assert rig.skipped == [("support", "failed", 1)]


async def test_unread_socket_costs_a_worker_nothing(tmp_path: Path) -> None:
    """A shadow process that listens and never reads: offers return at once, and what has no room is dropped."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(tmp_path / "copies.sock"))
    sock.listen()
    rig = Rig(tmp_path)
    channel = rig.channel()
    channel.open()
    await asyncio.sleep(0.05)
    for _ in range(600):
        channel.offer(copied_of(b"x" * 100_000))
    counts = channel.counts()
    assert counts["copies_waiting_bytes"] <= 16 * 1024 * 1024 and counts["copies_dropped"] >= 400
    assert not await channel.close(0.05)
    sock.close()
