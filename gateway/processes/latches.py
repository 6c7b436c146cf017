"""
The latch file as the parent sees it: what is closed, whatever the control process does.

Control writes `latches.json` when something trips; `sluice rollback` writes it when control does not answer. The parent
looks at it five times a second and hands what it says to every worker, so that neither a dead control process nor a
store that is away stands between a person and a revert. It raises nothing: a file that is there and cannot be read
closes every candidate, one that is gone while we run opens none.

Once workers say they hold it, `latches.held` says how many: whoever wrote the file can see that it arrived.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.processes.messages import Latched, encode_message

log = logging.getLogger(__name__)

HELD = "latches.held"
"""Beside the latches in the state directory."""

LOOK_EVERY_S = 0.2
MAX_BYTES = 16 * 1024 * 1024
"""A thousand latches of signals are about half a megabyte, of gates with many segments ten and more."""


class Identity(NamedTuple):
    """What changes when the file does; a replaced file has another inode."""

    mtime_ns: int
    inode: int
    size: int


class HeldReport(msgspec.Struct, frozen=True):
    """
    How far a latch file got.

    Attributes:
        mtime_ns: Of the file that is meant.
        inode: Likewise.
        size: Likewise.
        held: Workers that keep to it.
        workers: Workers there are, those that drain included.
        everything: It could not be read, so every candidate is at 0.
    """

    mtime_ns: int
    inode: int
    size: int
    held: int
    workers: int
    everything: bool = False

    @property
    def identity(self) -> Identity:
        """Give the identity of the file that is meant."""
        return Identity(self.mtime_ns, self.inode, self.size)


class _Latch(msgspec.Struct):
    # Without a name of an arm all candidates are meant: half an entry must not open anything.
    release: str
    arm: str = ""
    # Of a content that the release has no longer; we know arms by name only, and the name is another's now.
    is_dormant: bool = False


class _File(msgspec.Struct):
    latches: list[_Latch]


@dataclass(slots=True)
class _Seen:
    identity: Identity | None = None
    is_readable: bool = True


class LatchWatch:
    """
    Looks at one latch file.

    Attributes:
        latched: What it says; before the first look, nothing.
    """

    def __init__(self, file: Path) -> None:
        self.latched = Latched(serial=0)
        self._file = file
        self._seen = _Seen()

    def __repr__(self) -> str:
        """Give the file and what it says."""
        return f"<LatchWatch {self._file}: {self.latched}>"

    @property
    def payload(self) -> bytes | None:
        """Give the LATCH frame's payload; None while there never was a file."""
        return encode_message(self.latched) if self.latched.serial else None

    def look(self) -> bool:
        """Look whether the file changed; True when workers have to be told. Raises nothing."""
        try:
            identity = identity_of(self._file)
        except OSError as error:
            return self._close_everything(error.strerror or type(error).__name__)
        if identity is None:
            return self._note_missing()
        if identity == self._seen.identity and self._seen.is_readable:
            return False
        try:
            identity, arms = _read(self._file)
        except FileNotFoundError:
            return self._note_missing()
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            return self._close_everything(str(error), identity)
        self._seen = _Seen(identity)
        self.latched = Latched(self.latched.serial + 1, arms)
        return True

    def note_held(self, serials: Iterable[int]) -> None:
        """Write down how many workers hold what was read last; given is what each of them holds. Raises nothing."""
        identity = self._seen.identity
        if identity is None:
            return
        held = [serial >= self.latched.serial for serial in serials]
        report = HeldReport(*identity, sum(held), len(held), self.latched.everything)
        # Not synced and not waited for: it tells a person something, nothing is decided by it.
        draft = self._file.with_name(f".{HELD}")
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(report))
            draft.replace(self._file.with_name(HELD))

    def close(self) -> None:
        """Take back the report: nobody holds anything any more."""
        with suppress(OSError):
            self._file.with_name(HELD).unlink(missing_ok=True)

    def _note_missing(self) -> bool:
        if self._seen.identity is not None:
            log.error("the latch file is gone; what it closed stays closed", extra={"file": str(self._file)})
            self._seen = _Seen()
        return False

    def _close_everything(self, cause: str, identity: Identity | None = None) -> bool:
        # Read again at every look: it may have been a disk's bad moment. Told once.
        is_news = not self.latched.everything or identity != self._seen.identity
        self._seen = _Seen(identity, is_readable=False)
        if is_news:
            extra = {"file": str(self._file), "cause": cause}
            log.critical("the latch file cannot be read: every candidate gets nothing", extra=extra)
            self.latched = Latched(self.latched.serial + 1, everything=True)
        return is_news


def identity_of(file: Path) -> Identity | None:
    """Give the file's identity, or None when there is none; raises OSError where that cannot be told."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return Identity(facts.st_mtime_ns, facts.st_ino, facts.st_size)


def read_held(state: Path) -> HeldReport | None:
    """Give how far the latch file got; None when no parent said so."""
    try:
        return msgspec.json.decode((state / HELD).read_bytes(), type=HeldReport)
    except (OSError, msgspec.MsgspecError):
        return None


def _read(file: Path) -> tuple[Identity, dict[str, list[str]]]:
    with file.open("rb") as opened:
        facts = os.fstat(opened.fileno())
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        message = f"it is over {MAX_BYTES} bytes"
        raise ValueError(message)
    parsed = msgspec.json.decode(content, type=_File | list[_Latch])
    arms: dict[str, list[str]] = {}
    for latch in parsed.latches if isinstance(parsed, _File) else parsed:
        if not latch.is_dormant:
            arms.setdefault(latch.release, []).append(latch.arm)
    return Identity(facts.st_mtime_ns, facts.st_ino, facts.st_size), arms
