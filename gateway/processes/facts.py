"""
The sockets that facts and copies cross, `facts.sock` and `copies.sock` in the state directory.

The parent binds them and keeps them open for its whole life; every control process inherits the first listening, every
shadow process the second. So a worker can connect while either is dead: its connection waits in the socket's queue for
the next one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from gateway.errors import StateError

FACTS, COPIES = "facts.sock", "copies.sock"
BACKLOG = 512
MAX_PATH_BYTES = 100
"""The kernel takes 107, some systems 103."""


class LocalSocket:
    """
    The listening socket and its file.

    Attributes:
        sock: What the process that reads from it inherits.
    """

    def __init__(self, sock: socket.socket, file: Path) -> None:
        self.sock = sock
        self._file = file

    def close(self) -> None:
        """Close our copy and take the file away."""
        self.sock.close()
        with suppress(OSError):
            self._file.unlink()


def bind_facts(state: Path, name: str = FACTS) -> LocalSocket:
    """
    Bind the socket of this name, mode 0600; a file that is there is stale, for the caller holds the directory's lock.

    Raises:
        StateError: The directory does not take a socket.
    """
    file = state / name
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            file.unlink()
        with _Reach(file) as path:
            sock.bind(path)
        file.chmod(0o600)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        message = f"cannot make a socket {file}: {error.strerror or error}; give another directory with --state"
        raise StateError(message) from error
    sock.setblocking(False)
    return LocalSocket(sock, file)


def connector(state: Path, name: str = FACTS) -> Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]:
    """Give what connects a protocol to a state directory's socket; raises OSError when nobody listens."""

    async def connect(factory: Callable[[], asyncio.Protocol]) -> object:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            with _Reach(state / name) as path:
                # A local socket answers at once or not at all: EAGAIN says that its queue is full.
                sock.connect(path)
            transport, _ = await asyncio.get_running_loop().create_unix_connection(factory, sock=sock)
        except BaseException:
            sock.close()
            raise
        return transport

    return connect


class _Reach:
    """A name for a socket's file that is short enough for the kernel, while the block lasts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder_fd: int | None = None

    def __enter__(self) -> str:
        plain = str(self._file)
        if len(os.fsencode(plain)) <= MAX_PATH_BYTES:
            return plain
        self._folder_fd = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder_fd}/{self._file.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder_fd is not None:
            os.close(self._folder_fd)
