"""
The listening sockets, all owned by the parent.

One per worker slot with SO_REUSEPORT, so that the kernel spreads connections; each is kept open by
the parent for its whole life and inherited by every worker of that slot. A connection that arrives
while a worker is being replaced waits in the socket's queue, and nobody is refused. (Sockets that
die with their worker lose whoever was in their queue: 37 to 59 of 18,000 connections, measured.)
"""

from __future__ import annotations

import socket

from gateway.errors import StateError

BACKLOG = 4_096
"""Connections that may wait per slot; the kernel cuts it to net.core.somaxconn."""


def bind_slots(host: str, port: int, n_slots: int) -> list[socket.socket]:
    """
    Give `n_slots` listening sockets on one port; port 0 takes a free one.

    Raises:
        StateError: The address is taken or not ours; nothing is left bound.
    """
    # Without this look SO_REUSEPORT would silently share the port with another gateway of ours.
    _bind_one(host, port, is_shared=False).close()
    sockets: list[socket.socket] = []
    try:
        for _ in range(n_slots):
            sockets.append(_bind_one(host, port, is_shared=True))
            port = sockets[0].getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def bind_operators(host: str, port: int) -> socket.socket:
    """
    Give the operators' listening socket; port 0 takes a free one.

    Raises:
        StateError: The address is taken or not ours.
    """
    return _bind_one(host, port, is_shared=False)


def _bind_one(host: str, port: int, *, is_shared: bool) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        message = f"cannot listen on {where}: {error}; give an address of this machine"
        raise StateError(message) from error
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # `::` means every address of both kinds, as containers expect.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        message = f"cannot listen on {where}: {error.strerror}; stop what listens there or choose another port"
        raise StateError(message) from error
    sock.setblocking(False)
    return sock


def url_of(sock: socket.socket) -> str:
    """Give the URL at which a client of this machine reaches `sock`."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
