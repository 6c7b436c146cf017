"""Events are found in bytes, however they are framed."""

from __future__ import annotations

import pytest

from gateway.wire.sse import cut_of, end_of_event, payload_of, split_events, with_payload


@pytest.mark.parametrize(
    ("received", "cut"),
    [
        (b"", 0),
        (b"data: a", 0),
        (b"data: a\n", 0),
        (b"data: a\n\n", 9),
        (b"data: a\n\ndata: b\n", 9),
        (b"data: a\r\n\r\n", 11),
        (b"data: a\r\n\r", 0),
        (b"data: a\r\r", 0),
        (b"data: a\r\rd", 9),
        (b"data: a\n\r\n", 10),
        (b"data: a\r\n\n", 10),
        (b"data: a\r\r\n", 10),
        (b": ka\n", 5),
        (b": ka\ndata", 5),
        (b": ka", 0),
        (b"\n", 1),
        (b"data: a\n\n: ka\n: kb", 14),
        (b"data: a\n: ka\n", 0),
    ],
)
def test_cut(received: bytes, cut: int) -> None:
    """Cuts fall behind blank lines and behind comments between events, never behind half a CRLF."""
    assert cut_of(received) == cut


def test_end_of_event() -> None:
    """The first blank line ends the event that is under way."""
    assert end_of_event(b"rest\n\ndata: b\n\n") == 6
    assert end_of_event(b"rest\n") == 0


def test_events_are_split() -> None:
    """Comments between events stand alone; nothing is lost."""
    whole = b": ka\n\ndata: a\n: in\n\ndata: b\r\n\r\n"
    assert split_events(whole) == [b": ka\n\n", b"data: a\n: in\n\n", b"data: b\r\n\r\n"]
    assert split_events(b"data: a\n\n") == [b"data: a\n\n"]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"event: x\ndata: {}\r\n\r\n", b"{}"),
        (b'data: {"a":\ndata: 1}\n\n', b'{"a":\n1}'),
        (b": ka\n\n", b""),
        (b"data\n\n", b""),
        (b"database: x\n\n", b""),
        (b"data: {}", b"{}"),
    ],
)
def test_payload(event: bytes, payload: bytes) -> None:
    """Data lines are joined as the standard says."""
    assert payload_of(event) == payload


@pytest.mark.parametrize(
    ("event", "after"),
    [
        (b"data: {}\n\n", b"data: new\n\n"),
        (b"data:{}\r\n\r\n", b"data: new\r\n\r\n"),
        (b"event: x\ndata: {\ndata: }\n: c\n\n", b"event: x\ndata: new\n: c\n\n"),
        (b"database: x\ndata: {}", b"database: x\ndata: new"),
    ],
)
def test_payload_is_replaced(event: bytes, after: bytes) -> None:
    """Other lines and the framing stay."""
    assert with_payload(event, b"new") == after
