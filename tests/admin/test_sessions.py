"""Sessions: how long they live, and what ends them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.admin.auth import Role
from gateway.admin.sessions import IDLE_FOR_MS, LIVES_FOR_MS, MAX_SESSIONS, Session, Sessions
from gateway.clock import SettableClock

TOKEN, OTHER = "0123456789abcdef", "fedcba9876543210"


class Shelf:
    """Keeps sessions for the next life."""

    def __init__(self) -> None:
        self.kept: list[Session] = []

    def load(self) -> list[Session]:
        """Give what was saved."""
        return list(self.kept)

    def save(self, sessions: Iterable[Session]) -> None:
        """Keep them."""
        self.kept = list(sessions)


def test_cookie_finds_its_session() -> None:
    """And nothing else does; what is kept does not hold the cookie."""
    shelf = Shelf()
    sessions = Sessions(SettableClock(), [TOKEN], shelf)
    cookie = sessions.open(TOKEN, Role.VIEWER, name="ana", address="10.0.0.1", agent="b" * 999)
    found = sessions.find(cookie)
    assert found is not None and (found.name, found.role, len(found.agent)) == ("ana", Role.VIEWER, 200)
    assert [sessions.find(text) for text in ("", cookie[:-1], found.session_id, found.digest, "\udcff")] == [None] * 5
    assert cookie not in repr(shelf.kept) and TOKEN not in repr(shelf.kept)


def test_idle_ends_and_age_ends() -> None:
    """Twelve hours without a request, or a week in any case."""
    clock = SettableClock()
    sessions = Sessions(clock, [TOKEN])
    idle, busy = (sessions.open(TOKEN, Role.OPERATOR, name=name) for name in ("idle", "busy"))
    for _ in range(LIVES_FOR_MS // (IDLE_FOR_MS // 2)):
        assert sessions.find(busy) is not None
        clock.advance(IDLE_FOR_MS / 2_000)
    assert [one.name for one in sessions.listed()] == ["busy"]
    assert sessions.find(idle) is None
    clock.advance(1)
    assert sessions.find(busy) is None and sessions.listed() == []


def test_revoked_is_gone() -> None:
    """One, then all."""
    sessions = Sessions(SettableClock(), [TOKEN])
    cookies = [sessions.open(TOKEN, Role.OPERATOR, name=name) for name in "abc"]
    first = sessions.find(cookies[0])
    assert first is not None
    assert (sessions.revoke(first.session_id), sessions.revoke(first.session_id)) == (True, False)
    assert sessions.find(cookies[0]) is None and sessions.find(cookies[1]) is not None
    assert sessions.revoke_all() == 2 and sessions.find(cookies[1]) is None


def test_odd_browser_is_kept_as_text() -> None:
    """What a browser calls itself may be bytes that are no text; the list of all must stay one that can be written."""
    sessions = Sessions(SettableClock(), [TOKEN])
    sessions.open(TOKEN, Role.OPERATOR, name="ana", agent="a\udcff" * 200)
    (session,) = sessions.listed()
    assert session.agent.encode().decode() == session.agent and len(session.agent) == 200


def test_next_life_knows_them() -> None:
    """Unless the token they were opened with is not one any more."""
    shelf = Shelf()
    cookie = Sessions(SettableClock(), [TOKEN], shelf).open(TOKEN, Role.OPERATOR, name="ana")
    assert Sessions(SettableClock(), [TOKEN, OTHER], shelf).find(cookie) is not None
    assert Sessions(SettableClock(), [OTHER], shelf).find(cookie) is None


def test_full_house_drops_the_longest_unused() -> None:
    """Signing in always works, and the number is bounded."""
    clock = SettableClock()
    sessions = Sessions(clock, [TOKEN, OTHER])
    operator = sessions.open(OTHER, Role.OPERATOR, name="operator")
    first = sessions.open(TOKEN, Role.VIEWER, name="first")
    for number in range(MAX_SESSIONS):
        clock.advance(1)
        sessions.open(TOKEN, Role.VIEWER, name=str(number))
    assert len(sessions.listed()) == MAX_SESSIONS + 1 and sessions.find(first) is None
    assert sessions.find(operator) is not None
