"""Who serves a connection."""

from __future__ import annotations

import os
import socket

from bench.sockets import servers_of


def test_finds_the_server() -> None:
    """An accepted connection is found at the process that accepted it, by the client's port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0]:
            assert servers_of([os.getpid()], port) == {client.getsockname()[1]: os.getpid()}
        assert servers_of([], port) == {}
