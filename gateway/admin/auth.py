"""
Who may use the operators' port.

With a token, whoever shows it. Without one, only this machine: the peer must be a loopback address
and the Host header must name one, or a page in somebody's browser could reach us through a name it
made resolve to 127.0.0.1. A request that changes something must not come from a foreign page either.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """
    What a request shows of its sender.

    Attributes:
        method: HTTP method.
        peer: Address it came from; None when the connection is gone already.
        host: Host header.
        origin: Origin header, or None.
        authorization: Authorization header, or None.
    """

    method: str
    peer: str | None
    host: str
    origin: str | None = None
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why not.

    Attributes:
        status: 401 or 403.
        code: Stable word for scripts.
        message: For people, with the way out.
    """

    status: int
    code: str
    message: str


class Gatekeeper:
    """Decides by token and address; keeps only a digest of the token."""

    def __init__(self, token: str | None) -> None:
        self._digest = sha256(token.encode()).digest() if token else None

    def decide(self, caller: Caller) -> Refusal | None:
        """Give the refusal, or None to let the caller in."""
        if self._digest is not None:
            if not self._has_token(caller):
                return Refusal(401, "unauthorized", "send Authorization: Bearer with the operators' token")
        elif not (is_loopback_name(caller.peer or "") and is_loopback_name(host_of(caller.host))):
            return Refusal(403, "loopback_only", "without SLUICE_ADMIN_TOKEN only this machine is answered")
        if caller.method not in SAFE_METHODS and _is_foreign(caller):
            return Refusal(403, "foreign_origin", "a page of another origin may not change anything here")
        return None

    def _has_token(self, caller: Caller) -> bool:
        scheme, _, shown = (caller.authorization or "").partition(" ")
        digest = sha256(shown.strip().encode(errors="surrogateescape")).digest()
        return hmac.compare_digest(digest, self._digest or b"") and scheme.lower() == "bearer"


def host_of(authority: str) -> str:
    """
    Give the host of a Host header.

    >>> host_of("[::1]:8081"), host_of("LocalHost:8081"), host_of("10.0.0.1")
    ('::1', 'localhost', '10.0.0.1')
    """
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def is_loopback_name(host: str) -> bool:
    """
    Say whether `host` can only mean this machine.

    >>> is_loopback_name("localhost"), is_loopback_name("127.8.8.8"), is_loopback_name("localhost.evil.example")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_foreign(caller: Caller) -> bool:
    if caller.origin is None:
        return False
    return urlsplit(caller.origin).netloc.lower() != caller.host.lower()
