"""
Who may use the operators' port, and for what.

Theory of operation
===================
Whoever asks is found out first. A Bearer token says operator or viewer; a session cookie says what it was opened with;
where no token is set at all, this machine is an operator: the peer must be a loopback address and the Host header must
name one, or a page in somebody's browser could reach us through a name it made resolve to 127.0.0.1.

Then what they ask is looked at. Every endpoint says which role it needs, and one that says nothing needs an operator.
What changes something must not come from a foreign page; and where a browser sends its rights along by itself (a
cookie, or being on this machine), the request must also repeat a token that only our own pages know.

Nothing here does I/O, and only digests of tokens are kept.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD"})
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})


class Role(IntEnum):
    """What a caller may do; each includes those before."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 2

    def __str__(self) -> str:
        """Give the word people use."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Caller:
    """
    What a request shows of its sender.

    Attributes:
        method: HTTP method.
        peer: Address it came from; None when the connection is gone already.
        host: Host header.
        origin: Origin header, or None.
        fetch_site: Sec-Fetch-Site header, or None: browsers send it, other clients do not.
        authorization: Authorization header, or None.
        cookie: Session cookie, or None.
        csrf: What the request repeats of its page's token: a header's or a form field's value, or None.
    """

    method: str
    peer: str | None
    host: str
    origin: str | None = None
    fetch_site: str | None = None
    authorization: str | None = None
    cookie: str | None = None
    csrf: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Who was let in.

    Attributes:
        role: What they may do.
        name: As they signed in; empty where nobody said.
        session: Their session's public id; empty without one.
        csrf: What their pages must repeat to change something.
        is_local: Let in for being on this machine, without any token.
    """

    role: Role
    name: str = ""
    session: str = ""
    csrf: str = ""
    is_local: bool = False


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


class OpenSession(Protocol):
    """What is known of a session."""

    @property
    def session_id(self) -> str:
        """Give its public id."""
        ...

    @property
    def role(self) -> Role:
        """Give what it was opened with."""
        ...

    @property
    def name(self) -> str:
        """Give who opened it."""
        ...


class SessionFinder(Protocol):
    """Where sessions are looked up."""

    def find(self, secret: str) -> OpenSession | None:
        """Give the session of a cookie; None where it is unknown, ended or revoked."""
        ...


class Gatekeeper:
    """
    Decides by token, session and address; keeps only digests.

    Args:
        token: The operators'; None or empty where only this machine is answered.
        viewer_token: The viewers'; acts only beside an operators' token.
        sessions: Where cookies are looked up; None where nobody signs in.
    """

    def __init__(
        self, token: str | None, *, viewer_token: str | None = None, sessions: SessionFinder | None = None
    ) -> None:
        self._digests = {
            sha256(value.encode()).digest(): role
            for value, role in ((viewer_token, Role.VIEWER), (token, Role.OPERATOR))
            if value and token
        }
        self._sessions = sessions
        # Of this process's life: pages that were open before a restart ask for a new one.
        self._local_key = secrets.token_bytes(32)

    @property
    def has_tokens(self) -> bool:
        """Say whether people have to sign in."""
        return bool(self._digests)

    def decide(self, caller: Caller, needs: Role = Role.OPERATOR) -> Visitor | Refusal:
        """Give who is let in, or why not."""
        found = self._found(caller)
        if needs is Role.ANYONE and isinstance(found, Refusal):
            found = Visitor(Role.ANYONE)
        if isinstance(found, Refusal):
            return found
        if found.role < needs:
            return Refusal(403, "not_allowed", f"{found.role}s may look here; this wants an {needs}")
        if caller.method in SAFE_METHODS:
            return found
        if is_foreign(caller):
            return Refusal(403, "foreign_origin", "a page of another origin may not change anything here")
        # A header may hold bytes that are no text; they are no token either.
        shown = (caller.csrf or "").encode(errors="surrogateescape")
        if _is_ambient(caller, found) and not hmac.compare_digest(shown, found.csrf.encode()):
            return Refusal(403, "no_csrf", "the page's token is missing or old; load the page again")
        return found

    def role_of(self, token: str) -> Role | None:
        """Give what a token lets its bearer do; None for any that is not ours."""
        shown = sha256(token.strip().encode(errors="surrogateescape")).digest()
        found = None
        for digest, role in self._digests.items():
            if hmac.compare_digest(digest, shown):
                found = role
        return found

    def _found(self, caller: Caller) -> Visitor | Refusal:
        if not self._digests:
            if is_loopback_name(caller.peer or "") and is_loopback_name(host_of(caller.host)):
                return Visitor(Role.OPERATOR, csrf=csrf_of(self._local_key), is_local=True)
            return Refusal(403, "loopback_only", "without SLUICE_ADMIN_TOKEN only this machine is answered")
        if caller.authorization is not None:
            scheme, _, token = caller.authorization.partition(" ")
            role = self.role_of(token)
            if role is not None and scheme.lower() == "bearer":
                return Visitor(role)
        elif caller.cookie and self._sessions is not None:
            session = self._sessions.find(caller.cookie)
            if session is not None:
                csrf = csrf_of(caller.cookie.encode(errors="surrogateescape"))
                return Visitor(session.role, session.name, session.session_id, csrf)
        return Refusal(401, "unauthorized", "send Authorization: Bearer with the operators' token")


def csrf_of(key: bytes) -> str:
    """Give what pages repeat: it tells nothing of the key, and changes with it."""
    return hmac.digest(key, b"csrf", "sha256").hex()[:32]


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


def is_foreign(caller: Caller) -> bool:
    """Say whether a page of another origin sent this, as far as the browser tells."""
    if caller.fetch_site in _FOREIGN_SITES:
        return True
    if caller.origin is None:
        return False
    try:
        return urlsplit(caller.origin).netloc.lower() != caller.host.lower()
    except ValueError:
        return True


def _is_ambient(caller: Caller, visitor: Visitor) -> bool:
    """Say whether the browser, not the page, brought the right to ask."""
    if visitor.session:
        return True
    return visitor.is_local and (caller.origin is not None or caller.fetch_site is not None)
