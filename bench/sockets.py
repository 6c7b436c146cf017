"""Which process serves which connection: needed to know that every worker has been asked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def servers_of(pids: Iterable[int], port: int) -> dict[int, int]:
    """
    Give who holds our end's peer, by the client's port.

    Args:
        pids: The processes to look at.
        port: Where they listen.

    Returns:
        Client port to process, for every accepted connection.
    """
    clients = _clients_by_inode(Path("/proc/net/tcp").read_text(), port)
    found = {}
    for pid in pids:
        for inode in _socket_inodes(pid):
            if inode in clients:
                found[clients[inode]] = pid
    return found


def _clients_by_inode(table: str, port: int) -> dict[int, int]:
    """Give the remote port of every connection to `port`, by the inode of its server's end."""
    clients = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        local_port, remote_port = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
        if local_port == port and remote_port:
            clients[int(fields[9])] = remote_port
    return clients


def _socket_inodes(pid: int) -> Iterable[int]:
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = os.readlink(fd)
            if target.startswith("socket:["):
                yield int(target[8:-1])
