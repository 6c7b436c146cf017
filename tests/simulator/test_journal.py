"""The journal is bounded, tells what came, and never a key."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from gateway.simulator.journal import Journal, Received, render_received


def received(serial: int, **more: Any) -> Received:
    """Give a small request."""
    fields: dict[str, Any] = {"target": "/v1/x?a=1", "raw_headers": (), "body": b"{}"} | more
    return Received(serial=serial, connection_id=1, method="POST", arrived_unix_ms=1, **fields)


def test_oldest_go_first() -> None:
    """More than the bound are forgotten, the oldest first."""
    journal = Journal(max_requests=2)
    for serial in (1, 2, 3):
        journal.note(received(serial))
    assert [entry.serial for entry in journal] == [2, 3]


def test_bytes_are_bounded() -> None:
    """Large bodies push others out; clearing frees all."""
    journal = Journal(max_bytes=10_000)
    for serial in range(10):
        journal.note(received(serial, body=b"x" * 4000))
    assert len(journal) == 2
    journal.clear()
    journal.note(received(99))
    assert len(journal) == 1


def test_end_is_noted() -> None:
    """How a request ended is added; one that was forgotten stays so."""
    journal = Journal()
    journal.note(received(1))
    journal.note_end(1, unix_ms=9, client_left=True)
    journal.note_end(2, unix_ms=9, client_left=True)
    (entry,) = journal
    assert (entry.ended_unix_ms, entry.client_left) == (9, True)


def test_reading_chooses() -> None:
    """The newest that fit path, model and serial, oldest first."""
    journal = Journal()
    for serial in range(1, 6):
        journal.note(received(serial, model="a" if serial % 2 else "b"))
    assert [entry.serial for entry in journal.read(model="a", limit=2)] == [3, 5]
    assert [entry.serial for entry in journal.read(after=4)] == [5]
    assert journal.read(path="/v1/y") == journal.read(limit=0) == []


def test_key_is_never_rendered() -> None:
    """That there was one, and eight digits of its hash."""
    headers = ((b"Authorization", b"Bearer sk-secret"), (b"X-A", b"1"), (b"x-a", b"2"))
    rendered = render_received(received(1, raw_headers=headers))
    assert "sk-secret" not in str(rendered)
    assert rendered["has_key"] and len(rendered["key_sha256_8"]) == 8
    assert rendered["headers"] == {"x-a": "1, 2"}
    assert received(1, raw_headers=headers).key == "sk-secret"


def test_body_is_parsed_or_base64() -> None:
    """JSON as JSON, the rest as it was."""
    assert render_received(received(1))["json"] == {}
    assert b64decode(render_received(received(1, body=b"\xff"))["body_base64"]) == b"\xff"


def test_path_and_query_part() -> None:
    """The raw target stays, undecoded."""
    assert (received(1).path, received(1).query) == ("/v1/x", "a=1")
