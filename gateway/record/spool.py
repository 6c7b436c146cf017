"""
Where outcomes wait on disk while the store is away: one bounded file, written in order and read in order.

    record = size (4) crc32 (4) worker (4) boot (8) first (8) rows (4), all big-endian, then `size` bytes of msgpack

What `append` said was written has been synced. A record torn by a crash is cut off when the file is opened. The
reader's place is not written down: after a crash all that is in the file is read again, and the store drops by its
watermarks what it has. Everything here blocks; the ledger calls it from a thread, one call at a time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

import msgspec

from gateway.record.batch import Batch

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024 * 1024
MAX_ROWS = 100_000
MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Longer than any batch that crosses; a size beyond it is a torn record."""

_HEAD = Struct(">IIIQQI")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Batch)


@dataclass(frozen=True, slots=True)
class Spooled:
    """
    One batch in the file.

    Attributes:
        worker: As in the batch.
        boot: Likewise.
        last: Sequence number of its last outcome.
        rows: How many outcomes it has.
    """

    worker: int
    boot: int
    last: int
    rows: int


@dataclass(frozen=True, slots=True)
class Piece:
    """
    What was read at the head of the file.

    Attributes:
        batches: In the order they were written.
        rows: Outcomes in them.
        lost_rows: Outcomes of records that cannot be read any more, such as after a downgrade.
        end: Where the next piece begins.
    """

    batches: list[Batch]
    rows: int
    lost_rows: int
    end: int


class Spool:
    """
    A first-in, first-out file of batches.

    Attributes:
        rows: Outcomes that wait in it.
        size_bytes: The file's length, what was read already included until all of it is.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS) -> None:
        self.rows = 0
        self.size_bytes = 0
        self._path = path
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._fd: int | None = None
        self._start = 0

    @property
    def is_open(self) -> bool:
        """Say whether it can be used."""
        return self._fd is not None

    def open(self) -> list[Spooled]:
        """
        Open the file, made on first use, and give what a predecessor left in it.

        Raises:
            OSError: The disk does not let us.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            found, end = _scan(fd)
            if end < os.fstat(fd).st_size:
                log.warning("the spool ended in a torn record, which is cut off", extra={"at_byte": end})
                os.ftruncate(fd, end)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._start, self.size_bytes = fd, 0, end
        self.rows = sum(each.rows for each in found)
        return found

    def append(self, batches: Sequence[Batch]) -> int:
        """
        Write as many of `batches` as fit, from the first on, and sync; give how many.

        Raises:
            OSError: The disk did not take them; none was written.
        """
        if self._fd is None:
            message = "the spool is not open"
            raise OSError(message)
        records, rows, room_bytes = [], 0, self._max_bytes - self.size_bytes
        for batch in batches:
            record = _record_of(batch)
            rows += len(batch.outcomes)
            room_bytes -= len(record)
            if self.rows + rows > self._max_rows or room_bytes < 0:
                rows -= len(batch.outcomes)
                break
            records.append(record)
        if records:
            self._write(b"".join(records))
            self.rows += rows
        return len(records)

    def read(self, max_rows: int) -> Piece:
        """
        Give the oldest batches, at least one if there is any; they stay until `forget`.

        Raises:
            OSError: They cannot be read now.
        """
        batches, rows, lost_rows, at = list[Batch](), 0, 0, self._start
        while self._fd is not None and at < self.size_bytes:
            size, crc, *_, n_rows = _HEAD.unpack(os.pread(self._fd, _HEAD.size, at))
            if batches and rows + n_rows > max_rows:
                break
            payload = os.pread(self._fd, size, at + _HEAD.size)
            at += _HEAD.size + size
            batch = _batch_of(payload, crc)
            if batch is None:
                lost_rows += n_rows
                continue
            batches.append(batch)
            rows += n_rows
        return Piece(batches, rows, lost_rows, at)

    def forget(self, piece: Piece) -> None:
        """Move on behind a piece that was read; an empty file is cut to nothing."""
        self._start = piece.end
        self.rows -= piece.rows + piece.lost_rows
        if self._start >= self.size_bytes and self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
                self._start = self.size_bytes = 0

    def close(self) -> None:
        """Let go of the file; what waits in it is found again by `open`."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, records: bytes) -> None:
        assert self._fd is not None
        try:
            written = 0
            while written < len(records):
                written += os.pwrite(self._fd, memoryview(records)[written:], self.size_bytes + written)
            os.fdatasync(self._fd)
        except OSError:
            # Whatever part of it reached the disk must not be taken for written, nor stand before what follows.
            with suppress(OSError):
                os.ftruncate(self._fd, self.size_bytes)
            raise
        self.size_bytes += len(records)


def _record_of(batch: Batch) -> bytes:
    payload = _ENCODER.encode(batch)
    head = _HEAD.pack(len(payload), crc32(payload), batch.worker, batch.boot, batch.first, len(batch.outcomes))
    return head + payload


def _batch_of(payload: bytes, crc: int) -> Batch | None:
    if crc32(payload) != crc:
        return None
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _scan(fd: int) -> tuple[list[Spooled], int]:
    found, at, end = list[Spooled](), 0, os.fstat(fd).st_size
    while at + _HEAD.size <= end:
        size, crc, worker, boot, first, rows = _HEAD.unpack(os.pread(fd, _HEAD.size, at))
        if size > MAX_RECORD_BYTES or not rows:
            break
        payload = os.pread(fd, size, at + _HEAD.size)
        if len(payload) < size or crc32(payload) != crc:
            break
        found.append(Spooled(worker, boot, first + rows - 1, rows))
        at += _HEAD.size + size
    return found, at
