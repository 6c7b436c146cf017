"""
The state directory: what must outlive a process, and the lock that keeps a second `serve` out.

    lock            held by the running parent, its pid inside
    seal.key        32 random bytes; request ids handed out earlier stay readable because of it
    endpoints.json  where a running gateway listens; gone when none runs
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.errors import StateError

SEAL_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Endpoints:
    """
    Where a running gateway listens.

    Attributes:
        public: URL apps call, without `/v1`.
        operators: URL of the operators' port.
        pid: The parent's process.
    """

    public: str
    operators: str
    pid: int


class StateDirectory:
    """One directory, locked from `open_state` to `close`."""

    def __init__(self, path: Path, lock_fd: int, made: Iterable[Path]) -> None:
        self.path = path
        self._lock_fd = lock_fd
        self._made = list(made)

    def __repr__(self) -> str:
        """Give the path."""
        return f"<StateDirectory {self.path}>"

    def seal_key(self) -> bytes:
        """
        Give the key that seals request ids, made on first use.

        Raises:
            StateError: The file is there but is no key.
        """
        file = self.path / "seal.key"
        if not file.exists():
            write_whole(file, secrets.token_bytes(SEAL_KEY_BYTES))
            self._made.append(file)
        return read_seal_key(self.path)

    def write_endpoints(self, endpoints: Endpoints) -> None:
        """Say where we listen."""
        write_whole(self.path / "endpoints.json", msgspec.json.encode(endpoints))

    def keep(self) -> None:
        """The gateway serves: what was made here stays."""
        self._made.clear()

    def close(self) -> None:
        """Give the lock back; a start that failed before `keep` leaves nothing behind."""
        with suppress(FileNotFoundError):
            (self.path / "endpoints.json").unlink()
        os.close(self._lock_fd)
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()


def open_state(path: Path) -> StateDirectory:
    """
    Lock the directory, making it if need be (mode 0700).

    Raises:
        StateError: Another gateway runs on it, or it cannot be written.
    """
    made = [] if path.is_dir() else [path]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_path = path / "lock"
        if not lock_path.exists():
            made.append(lock_path)
        lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"cannot use the state directory {path}: {error.strerror}; give another with --state"
        raise StateError(message) from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(lock_fd, 0)
        os.write(lock_fd, f"{os.getpid()}\n".encode())
    except OSError as error:
        holder = os.pread(lock_fd, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock_fd)
        message = f"another gateway (pid {holder}) runs on {path}; stop it, or give this one its own --state"
        raise StateError(message) from error
    with suppress(FileNotFoundError):  # of a gateway that was killed
        (path / "endpoints.json").unlink()
    return StateDirectory(path, lock_fd, made)


def read_seal_key(path: Path) -> bytes:
    """
    Give the seal key of a state directory.

    Raises:
        StateError: There is none, or it is no key.
    """
    file = path / "seal.key"
    try:
        key = file.read_bytes()
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}"
        raise StateError(message) from error
    if len(key) != SEAL_KEY_BYTES:
        message = f"{file} is not a key of {SEAL_KEY_BYTES} bytes; move it away and a new one is made"
        raise StateError(message)
    return key


def read_endpoints(path: Path) -> Endpoints | None:
    """Give where the gateway on this state directory listens, or None when none runs."""
    try:
        return msgspec.json.decode((path / "endpoints.json").read_bytes(), type=Endpoints)
    except (OSError, msgspec.DecodeError):
        return None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that a reader sees all of it or none, also after a crash."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(file)
