"""A provider: an account at a model API, and how to treat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

LEFT_OUT = "left_out:"
"""Begins the name of a worker's count: seconds for which some variant there leaves the provider of that name out."""


class Auth(StrEnum):
    """Whose key a provider is called with."""

    KEY = "key"
    CLIENT = "client"
    NONE = "none"


class InjectUsage(StrEnum):
    """Whether streams are asked for their token usage when the client did not ask."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long each phase of an attempt may take, in seconds.

    Attributes:
        connect_s: Name, TCP and TLS together.
        first_byte_s: From the request's last byte to the response's first.
        idle_s: Between two bytes of a response.
        queue_s: For a free connection when all `max_connections` are busy.
    """

    connect_s: float = 5.0
    first_byte_s: float = 600.0
    idle_s: float = 120.0
    queue_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Retries:
    """
    When the same provider is asked again, always before the client got a byte.

    Attributes:
        max: Attempts beyond the first, 0 to 5.
        on_connect: After a connection that never came about: nothing was sent.
        on_status: Statuses by which a provider says it did no work: 429, 503, 529 …
    """

    max: int = 1
    on_connect: bool = True
    on_status: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Provider:
    """
    An account at a model API.

    Attributes:
        name: What the file calls it.
        scheme: "http" or "https".
        host: Name or address, without brackets.
        port: 1 to 65535.
        base_path: What stands before `/chat/completions`: "/v1", or "" ; never ends in a slash.
        auth: Whose key.
        key: The key itself when `auth` is KEY. Sent to this host and nowhere else.
        key_header: "authorization" (sent as `Bearer …`), "api-key" or "x-api-key" (sent bare).
        headers: Sent with every request, names in lower case.
        forward_headers: Client headers let through beside the usual ones, in lower case.
        max_connections: Per worker.
        keepalive_s: An idle connection is not used again after this long; stay below the provider's own.
        ca_file: PEM file of the authorities to trust instead of the system's.
    """

    name: str
    scheme: str
    host: str
    port: int
    base_path: str
    auth: Auth = Auth.NONE
    key: str | None = field(default=None, repr=False)
    key_header: str = "authorization"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    forward_headers: frozenset[str] = frozenset()
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    max_connections: int = 1_000
    keepalive_s: float = 4.0
    inject_usage: InjectUsage = InjectUsage.AUTO
    ca_file: str | None = None

    @property
    def authority(self) -> str:
        """Give the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = 443 if self.scheme == "https" else 80
        return host if self.port == standard else f"{host}:{self.port}"
