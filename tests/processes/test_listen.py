"""The sockets the parent owns."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.errors import StateError
from gateway.processes.listen import bind_operators, bind_slots, url_of


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give what closes sockets at the end."""
    with ExitStack() as stack:
        yield stack


def test_slots_share_a_port(stack: ExitStack) -> None:
    """With port 0 all slots get the port the first was given."""
    slots = [stack.enter_context(sock) for sock in bind_slots("127.0.0.1", 0, 3)]
    assert len({sock.getsockname()[1] for sock in slots}) == 1


def test_taken_port_is_refused(stack: ExitStack) -> None:
    """A port another gateway listens on is not silently shared with it."""
    slot = stack.enter_context(bind_slots("127.0.0.1", 0, 1)[0])
    with pytest.raises(StateError, match="cannot listen on"):
        bind_slots("127.0.0.1", slot.getsockname()[1], 2)


def test_strange_host_is_refused() -> None:
    """A name that is no address of ours says so, and the way out."""
    with pytest.raises(StateError, match="cannot listen on nowhere"):
        bind_operators("nowhere.invalid", 0)


def test_slots_can_be_waited_on(stack: ExitStack) -> None:
    """A connection made before anybody accepts is kept, not refused."""
    slot = stack.enter_context(bind_slots("127.0.0.1", 0, 1)[0])
    client = stack.enter_context(socket.create_connection(slot.getsockname(), timeout=2))
    client.send(b"early")
    slot.setblocking(True)
    accepted, _ = slot.accept()
    assert stack.enter_context(accepted).recv(5) == b"early"


def test_url_names_the_port(stack: ExitStack) -> None:
    """The URL is one that works from this machine, also when all addresses are bound."""
    sock = stack.enter_context(bind_operators("0.0.0.0", 0))
    assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
