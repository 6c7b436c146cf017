"""
The RoutingTable: everything a worker needs to answer, frozen, swapped whole.

It crosses to workers as bytes: a small head, and one blob per route that is decoded when the route
is first asked for. A pickled table of 1,000 routes stalls a loop for 56 ms; this shape takes 0.3.
The bytes come over a socket pair from our own parent and from nowhere else, which is what makes
pickle the right codec: no untrusted byte reaches it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.domain.identity import Identity
from gateway.domain.metric import Metric
from gateway.domain.provider import Provider
from gateway.domain.route import DEFAULT_MAX_BODY_BYTES, Route


@dataclass(frozen=True, slots=True)
class TableHead:
    """
    What is not a route.

    Attributes:
        version: Counts up with every publication; a worker never goes back.
        config_hash: 12 hex digits over the file and all it names; sent as `x-sluice-config`.
        providers: By name.
        default_provider: Gets what no route takes; None makes such calls 404.
        identity: How users are found.
        seal_key: 32 bytes; seals request ids. Never leaves the machine.
        max_body_bytes: The largest that any route takes; what is over it is refused unread.
        metrics: What feedback may say, by name in file order.
        copied: Names of routes whose requests are copied, for shadows or for judges.
    """

    version: int
    config_hash: str
    providers: Mapping[str, Provider]
    default_provider: str | None
    identity: Identity
    seal_key: bytes = field(repr=False)
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    copied: tuple[str, ...] = ()


class RoutingTable:
    """A head, and routes decoded on first use; where they are at hand decoded, that is not done again."""

    __slots__ = ("_blobs", "_routes", "head")

    def __init__(self, head: TableHead, blobs: Mapping[str, bytes], routes: Mapping[str, Route] | None = None) -> None:
        self.head = head
        self._blobs = blobs
        self._routes: dict[str, Route] = dict(routes or {})

    def __repr__(self) -> str:
        """Give version, hash and size."""
        return f"<RoutingTable v{self.head.version} {self.head.config_hash}: {len(self._blobs)} routes>"

    @property
    def route_names(self) -> tuple[str, ...]:
        """Give the routes' names in file order."""
        return tuple(self._blobs)

    def route(self, name: str) -> Route | None:
        """Give the route, or None when there is none of this name."""
        route = self._routes.get(name)
        if route is None and (blob := self._blobs.get(name)) is not None:
            route = self._routes[name] = pickle.loads(blob)
        return route


def encode_table(head: TableHead, routes: Iterable[Route]) -> bytes:
    """Give the table as it crosses to workers."""
    return encode_blobs(head, {route.name: encode_route(route) for route in routes})


def encode_route(route: Route) -> bytes:
    """Give one route as it crosses to workers."""
    return pickle.dumps(route, pickle.HIGHEST_PROTOCOL)


def encode_blobs(head: TableHead, blobs: Mapping[str, bytes]) -> bytes:
    """Give the table of routes that are encoded already, by name in file order."""
    return pickle.dumps((head, blobs), pickle.HIGHEST_PROTOCOL)


def decode_table(encoded: bytes) -> RoutingTable:
    """Give the table back; its routes stay encoded until asked for."""
    head, blobs = pickle.loads(encoded)
    return RoutingTable(head, blobs)
