"""What the simulated provider received: bounded, newest kept, keys never."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

MAX_REQUESTS = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Together they hold the longest demo and a big upload, and cannot fill a small machine."""

_KEY_HEADERS = frozenset(("authorization", "api-key", "x-api-key", "proxy-authorization"))


@dataclass(frozen=True, slots=True)
class Received:
    """
    One request as it came, and how it ended.

    Attributes:
        serial: Counts requests from 1.
        connection_id: Counts connections from 1.
        method: As sent.
        target: Raw path and query, undecoded.
        raw_headers: In order and as sent, keys included: for `headers`, which leaves them out.
        body: All of it.
        arrived_unix_ms: When the last byte of the body came.
        model: The body's model, or "".
        fault: The fault that befell it, or None.
        status: What it was answered with, or None while it is not.
        ended_unix_ms: When the answer, or the connection, ended; None before.
        client_left: Whether the client hung up before the answer was whole.
    """

    serial: int
    connection_id: int
    method: str
    target: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    arrived_unix_ms: int
    model: str = ""
    fault: str | None = None
    status: int | None = None
    ended_unix_ms: int | None = None
    client_left: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the `?`, or ""."""
        return self.target.partition("?")[2]

    @property
    def headers(self) -> dict[str, str]:
        """Lower-case names; repeated ones joined by ", "; without those that hold keys."""
        joined: dict[str, str] = {}
        for raw_name, raw_value in self.raw_headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name not in _KEY_HEADERS:
                joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    @property
    def key(self) -> str | None:
        """The key sent, by `authorization: Bearer`, `api-key` or `x-api-key`; for tests in this process only."""
        for raw_name, value in self.raw_headers:
            if raw_name.decode("latin-1").lower() in _KEY_HEADERS:
                return value.decode("latin-1").removeprefix("Bearer ")
        return None

    @property
    def json(self) -> Any:
        """
        The parsed body.

        Raises:
            orjson.JSONDecodeError: It is not JSON.
        """
        return orjson.loads(self.body)

    @property
    def n_bytes(self) -> int:
        """What it weighs in the journal, roughly."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.raw_headers) + 200


def render_received(received: Received) -> dict[str, Any]:
    """Give plain objects for JSON: the body parsed under `json`, or else in base64 under `body_base64`."""
    key = received.key
    rendered: dict[str, Any] = {
        name: getattr(received, name)
        for name in ("serial", "connection_id", "method", "path", "query", "headers", "model", "fault", "status")
    }
    rendered |= {
        "has_key": key is not None,
        "key_sha256_8": hashlib.sha256(key.encode()).hexdigest()[:8] if key is not None else None,
        "client_left": received.client_left,
        "arrived_unix_ms": received.arrived_unix_ms,
        "ended_unix_ms": received.ended_unix_ms,
        "n_body_bytes": len(received.body),
    }
    try:
        return rendered | {"json": received.json}
    except orjson.JSONDecodeError:
        return rendered | {"body_base64": b64encode(received.body).decode()}


class Journal:
    """The newest requests, oldest first. The oldest go when either bound is passed."""

    __slots__ = ("_entries", "_max_bytes", "_max_requests", "_n_bytes")

    def __init__(self, *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> None:
        self._entries: OrderedDict[int, Received] = OrderedDict()
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._n_bytes = 0

    def __len__(self) -> int:
        """Give how many it holds."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Received]:
        """Give the requests, oldest first."""
        return iter(tuple(self._entries.values()))

    def note(self, received: Received) -> None:
        """Add a request, or say how one already here went on."""
        before = self._entries.get(received.serial)
        self._entries[received.serial] = received
        self._n_bytes += received.n_bytes - (before.n_bytes if before else 0)
        while self._entries and (len(self._entries) > self._max_requests or self._n_bytes > self._max_bytes):
            _, gone = self._entries.popitem(last=False)
            self._n_bytes -= gone.n_bytes

    def note_end(self, serial: int, *, unix_ms: int, client_left: bool) -> None:
        """Say that a request ended; one already dropped or cleared is left so."""
        if (entry := self._entries.get(serial)) is not None:
            self._entries[serial] = replace(entry, ended_unix_ms=unix_ms, client_left=client_left)

    def read(
        self, *, limit: int | None = None, path: str | None = None, model: str | None = None, after: int = 0
    ) -> list[Received]:
        """Give the newest `limit` that fit, oldest first; `after` is a serial."""
        fitting = [
            entry
            for entry in self
            if entry.serial > after and path in (None, entry.path) and model in (None, entry.model)
        ]
        return fitting if limit is None else fitting[max(0, len(fitting) - limit) :]

    def clear(self) -> None:
        """Forget them all."""
        self._entries.clear()
        self._n_bytes = 0
