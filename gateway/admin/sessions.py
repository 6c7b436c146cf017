"""
Sessions of people who signed in with a token: opened, found by their cookie, revoked.

A cookie holds 32 random bytes, and only their digest is kept, here and on disk. A session ends after 12 hours without a
request, after 7 days in any case, when it is revoked, and when the token it was opened with is not a token any more.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from gateway.admin.auth import Role
from gateway.clock import Clock

MAX_SESSIONS = 100
"""Of one token at once; the one longest unused gives way: who holds one token signs out nobody who holds the other."""

SESSION_COOKIE = "sluice_session"

IDLE_FOR_MS = 12 * 3_600_000
LIVES_FOR_MS = 7 * 86_400_000

_SEEN_EVERY_MS = 60_000  # a request within it writes nothing anew


@dataclass(frozen=True, slots=True)
class Session:
    """
    One person signed in, in one browser.

    Attributes:
        session_id: Public; what is revoked.
        digest: Of the cookie, hex.
        token_digest: Of the token it was opened with, hex.
        role: What it may do.
        name: Who, as they said.
        address: Where from.
        agent: Which browser, cut to 200 characters.
        opened_unix_ms: When.
        seen_unix_ms: Last request, to the minute.
    """

    session_id: str
    digest: str
    token_digest: str
    role: Role
    name: str
    address: str
    agent: str
    opened_unix_ms: int
    seen_unix_ms: int


class SessionKeep(Protocol):
    """Where sessions outlive the process."""

    def load(self) -> list[Session]:
        """Give what was saved last; nothing where it cannot be read."""
        ...

    def save(self, sessions: Iterable[Session]) -> None:
        """Keep these; a disk that takes nothing is logged and raises nothing."""
        ...


class Sessions:
    """
    All that are open.

    Args:
        clock: Its wall clock; sessions outlive the process.
        tokens: Those in use: a session opened with any other has ended.
        keep: Where they outlive the process; None where they do not.
    """

    def __init__(self, clock: Clock, tokens: Iterable[str], keep: SessionKeep | None = None) -> None:
        self._clock = clock
        self._keep = keep
        tokens_in_use = {_digest_of(token) for token in tokens}
        kept = keep.load() if keep is not None else []
        self._by_digest = {one.digest: one for one in kept if one.token_digest in tokens_in_use}

    def open(self, token: str, role: Role, *, name: str, address: str = "", agent: str = "") -> str:
        """Open one for whoever showed `token`; give its cookie."""
        self._sweep()
        token_digest = _digest_of(token)
        siblings = [one for one in self._by_digest.values() if one.token_digest == token_digest]
        if len(siblings) >= MAX_SESSIONS:
            del self._by_digest[min(siblings, key=lambda one: one.seen_unix_ms).digest]
        cookie, now = secrets.token_urlsafe(32), self._clock.unix_ms()
        session = Session(
            session_id=secrets.token_hex(6),
            digest=_digest_of(cookie),
            token_digest=token_digest,
            role=role,
            name=name,
            address=address,
            # As sent it may be bytes that are no text, and one such session would keep all from being shown and saved.
            agent=agent.encode(errors="surrogateescape").decode(errors="replace")[:200],
            opened_unix_ms=now,
            seen_unix_ms=now,
        )
        self._by_digest[session.digest] = session
        self._save()
        return cookie

    def find(self, secret: str) -> Session | None:
        """Give the session of a cookie; None where it is unknown, ended or revoked."""
        digest = _digest_of(secret)
        found = self._by_digest.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            return None
        now = self._clock.unix_ms()
        if _has_ended(found, now):
            del self._by_digest[digest]
            return None
        if now - found.seen_unix_ms >= _SEEN_EVERY_MS:
            found = self._by_digest[digest] = replace(found, seen_unix_ms=now)
        return found

    def revoke(self, session_id: str) -> bool:
        """End one; False where there is none."""
        found = [one for one in self._by_digest.values() if one.session_id == session_id]
        for session in found:
            del self._by_digest[session.digest]
        if found:
            self._save()
        return bool(found)

    def revoke_all(self) -> int:
        """End all; give how many there were."""
        n_open = len(self._by_digest)
        self._by_digest.clear()
        self._save()
        return n_open

    def listed(self) -> list[Session]:
        """Give those that are open, the latest used first."""
        self._sweep()
        return sorted(self._by_digest.values(), key=lambda one: -one.seen_unix_ms)

    def _sweep(self) -> None:
        now = self._clock.unix_ms()
        self._by_digest = {digest: one for digest, one in self._by_digest.items() if not _has_ended(one, now)}

    def _save(self) -> None:
        if self._keep is not None:
            self._keep.save(self._by_digest.values())


def _has_ended(session: Session, now_unix_ms: int) -> bool:
    return now_unix_ms - session.seen_unix_ms > IDLE_FOR_MS or now_unix_ms - session.opened_unix_ms > LIVES_FOR_MS


def _digest_of(secret: str) -> str:
    return sha256(secret.encode(errors="surrogateescape")).hexdigest()
