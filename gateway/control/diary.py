"""
The journal's file: one JSON object per line, appended and synced, read from its end.

A last line that a crash tore is cut off when the file is opened. At MAX_BYTES the file gets a number and a new one
is begun; nothing is ever deleted, for the journal is what explains everything else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from gateway.control.files import sync_folder, unwritable
from gateway.control.journal import Entry
from gateway.errors import StateError

MAX_BYTES = 64 * 1024 * 1024
"""About 50,000 decisions."""

_CHUNK_BYTES = 64 * 1024
_DECODER = msgspec.json.Decoder(Entry)


class Diary:
    """
    Appends to, and reads from the end of, one journal.

    Attributes:
        path: The file in use; older ones stand beside it as `NAME.1`, `NAME.2`, …, the highest being the newest.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def __repr__(self) -> str:
        """Give the path."""
        return f"<Diary {self.path}>"

    def open(self, problems: list[str]) -> int:
        """
        Mend the file's end and give the newest entry's number; 0 where there is none.

        Args:
            problems: Gets a sentence where something could not be read.

        Raises:
            StateError: The file cannot be read or mended at all.
        """
        try:
            self._mend()
            newest = next(self._newest_first(), None)
        except OSError as error:
            raise unwritable(self.path, error) from error
        if newest is None and any(self._files_with_content()):
            problems.append(
                f"no line of {self.path.name} can be read: it is kept, and entries are numbered by the clock"
            )
            return int(self.path.stat().st_mtime)
        return _number_of(newest) if newest is not None else 0

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries and sync; raises StateError, and then none of them is there."""
        if not entries:
            return
        content = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        try:
            self._rotate(len(content))
            self._write(content)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest entries, newest first; raises StateError."""
        found: list[Entry] = []
        try:
            for entry in self._newest_first():
                if len(found) >= limit:
                    break
                if release is None or entry.release == release:
                    found.append(entry)
        except OSError as error:
            msg = f"cannot read {self.path}: {error.strerror or error}"
            raise StateError(msg) from error
        return found

    def _write(self, content: bytes) -> None:
        is_new = not self.path.exists()
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            try:
                written = os.write(fd, content)
                if written < len(content):
                    raise OSError(28, "no space left for a whole entry")
                os.fsync(fd)
            except OSError:
                # Half an entry would be in the way of the next one.
                with suppress(OSError):
                    os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)
        if is_new:
            sync_folder(self.path.parent)

    def _rotate(self, n_bytes: int) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if size and size + n_bytes > self._max_bytes:
            self.path.rename(self.path.with_name(f"{self.path.name}.{max(self._numbers(), default=0) + 1}"))
            sync_folder(self.path.parent)

    def _numbers(self) -> list[int]:
        tails = (path.name.removeprefix(f"{self.path.name}.") for path in self.path.parent.glob(f"{self.path.name}.*"))
        return sorted(int(tail) for tail in tails if tail.isdecimal())

    def _files(self) -> Iterator[Path]:
        """Give the files there may be, newest first."""
        yield self.path
        for number in reversed(self._numbers()):
            yield self.path.with_name(f"{self.path.name}.{number}")

    def _files_with_content(self) -> Iterator[Path]:
        return (path for path in self._files() if path.exists() and path.stat().st_size)

    def _mend(self) -> None:
        """Cut off what a crash left behind the last whole line."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(fd).st_size
            end = size
            while end > 0:
                start = max(0, end - _CHUNK_BYTES)
                cut = os.pread(fd, end - start, start).rfind(b"\n")
                end = start + cut + 1 if cut >= 0 else start
                if cut >= 0:
                    break
            if end < size:
                os.ftruncate(fd, end)
                os.fsync(fd)
        finally:
            os.close(fd)

    def _newest_first(self) -> Iterator[Entry]:
        for path in self._files():
            for line in _lines_backwards(path):
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    yield _DECODER.decode(line)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Give a file's lines from the last to the first, a chunk at a time."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        end, tail = os.fstat(fd).st_size, b""
        while end > 0:
            start = max(0, end - _CHUNK_BYTES)
            lines = (os.pread(fd, end - start, start) + tail).split(b"\n")
            tail, end = lines[0], start
            yield from (line for line in reversed(lines[1:]) if line)
        if tail:
            yield tail
    finally:
        os.close(fd)


def _number_of(entry: Entry) -> int:
    number = entry.id.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
