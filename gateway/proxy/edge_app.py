"""What the edge needs of whoever answers, and what one connection may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.proxy.exchange import ClientRequest
from gateway.proxy.whole import WholeRequests

if TYPE_CHECKING:
    from gateway.proxy.edge import EdgeConnection


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """
    What one connection may cost.

    Attributes:
        header_s: From a request's first byte to its last header.
        body_s: Between two pieces of a body.
        idle_s: Between two requests on a connection.
        drain_idle_s: The same while draining; longer than the 5 s for which the official Python
            client reuses a connection, so that none is closed under a request.
        stall_s: For a client that reads nothing of its answer.
        linger_s: For reading on after a refusal.
        header_bytes: Of one head, names and values and target together.
        header_count: Headers in one head.
        pending: Requests sent ahead on one connection.
        write_bytes: What may wait for a slow reader before the provider is made to wait.
    """

    header_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 75.0
    drain_idle_s: float = 6.0
    stall_s: float = 30.0
    linger_s: float = 2.0
    header_bytes: int = 64 * 1024
    header_count: int = 128
    pending: int = 16
    write_bytes: int = 64 * 1024


class Serving(Protocol):
    """A request being answered: a task, or something that needs none."""

    def cancel(self) -> object:
        """Stop: the client has left."""
        ...


class EdgeApp(Protocol):
    """What the edge needs of whoever answers."""

    limits: EdgeLimits
    is_draining: bool
    whole_requests: WholeRequests

    def body_limit(self, request: ClientRequest) -> int | None:
        """Give how many bytes of body to hold, or None to have it streamed."""
        ...

    def begin(self, request: ClientRequest, sink: EdgeConnection) -> Serving:
        """Begin to answer a request, perhaps to the end; must not raise."""
        ...

    def note_connected(self, connection: EdgeConnection) -> None:
        """Take note of a new connection."""
        ...

    def note_closed(self, connection: EdgeConnection) -> None:
        """Take note of a closed one."""
        ...
