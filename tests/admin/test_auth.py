"""Who is let in, and who is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.admin.auth import Caller, Gatekeeper, Refusal, Role, Visitor, csrf_of, host_of, is_loopback_name
from gateway.admin.sessions import Sessions
from gateway.clock import SettableClock

LOCAL = Caller("GET", "127.0.0.1", "localhost:8081")
REMOTE = Caller("GET", "10.0.0.9", "gateway:8081")
TOKEN = "0123456789abcdef"


def refusal_code(token: str | None, caller: Caller) -> str | None:
    """Give the refusal's code, or None."""
    decided = Gatekeeper(token).decide(caller)
    return decided.code if isinstance(decided, Refusal) else None


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (LOCAL, None),
        (replace(LOCAL, peer="::1", host="[::1]:8081"), None),
        (replace(LOCAL, peer="::ffff:127.0.0.1"), None),
        (REMOTE, "loopback_only"),
        (replace(LOCAL, peer=None), "loopback_only"),
        (replace(LOCAL, host="evil.example:8081"), "loopback_only"),
        (replace(LOCAL, host="127.0.0.1.evil.example"), "loopback_only"),
        (replace(LOCAL, host=""), "loopback_only"),
        (replace(LOCAL, host="[::1"), "loopback_only"),
        (replace(LOCAL, method="POST"), None),
        (replace(LOCAL, method="POST", origin="http://localhost:8081"), "no_csrf"),
        (replace(LOCAL, method="POST", fetch_site="same-origin"), "no_csrf"),
        (replace(LOCAL, method="POST", fetch_site="same-origin", csrf="x"), "no_csrf"),
        (replace(LOCAL, method="POST", fetch_site="cross-site"), "foreign_origin"),
        (replace(LOCAL, method="POST", origin="http://[::1", host="[::1"), "loopback_only"),
        (replace(LOCAL, method="POST", origin="http://[::1"), "foreign_origin"),
        (replace(LOCAL, method="POST", origin="http://localhost:3000"), "foreign_origin"),
        (replace(LOCAL, method="POST", origin="null"), "foreign_origin"),
        (replace(LOCAL, origin="http://evil.example"), None),
    ],
)
def test_without_token(caller: Caller, code: str | None) -> None:
    """Only this machine, by its own name, and no foreign page may change anything."""
    assert refusal_code(None, caller) == code


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (f"Bearer {TOKEN}", None),
        (f"bearer  {TOKEN}", None),
        (None, "unauthorized"),
        ("", "unauthorized"),
        (TOKEN, "unauthorized"),
        (f"Basic {TOKEN}", "unauthorized"),
        (f"Bearer {TOKEN}x", "unauthorized"),
        (f"Bearer {TOKEN[:-1]}", "unauthorized"),
        ("Bearer ", "unauthorized"),
        ("Bearer \udcff", "unauthorized"),
    ],
)
def test_with_token(shown: str | None, code: str | None) -> None:
    """With a token only the token counts, from wherever."""
    assert refusal_code(TOKEN, replace(REMOTE, authorization=shown)) == code
    assert refusal_code(TOKEN, replace(LOCAL, authorization=shown)) == code


def test_token_is_not_shown() -> None:
    """The token is nowhere in the gatekeeper."""
    assert TOKEN not in repr(vars(Gatekeeper(TOKEN)))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_names(host: str) -> None:
    """These can only mean this machine."""
    assert is_loopback_name(host)


def test_broken_authority_has_no_host() -> None:
    """What is no host is none, not an exception."""
    assert [host_of(text) for text in ("[", "", ":", "a:b:c")] == ["", "", "", "a"]


VIEWERS = "viewers-viewers-viewers"
READING, CHANGING = (Caller(method, "10.0.0.9", "gateway:8081") for method in ("GET", "POST"))


@pytest.fixture(name="gate")
def _gate() -> tuple[Gatekeeper, Sessions]:
    """Give a gatekeeper with both tokens, and the sessions it looks in."""
    sessions = Sessions(SettableClock(unix_ms=1_000), [TOKEN, VIEWERS])
    return Gatekeeper(TOKEN, viewer_token=VIEWERS, sessions=sessions), sessions


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("token", [TOKEN, VIEWERS])
def test_role_decides(gate: tuple[Gatekeeper, Sessions], role: Role, token: str) -> None:
    """An operator may all, a viewer may look, and who shows neither gets what is open."""
    own = Role.OPERATOR if token == TOKEN else Role.VIEWER
    decided = gate[0].decide(replace(READING, authorization=f"Bearer {token}"), role)
    assert decided == (Visitor(own) if own >= role else Refusal(403, "not_allowed", decided_words(role)))
    bare = gate[0].decide(READING, role)
    assert isinstance(bare, Visitor) is (role is Role.ANYONE)


def decided_words(role: Role) -> str:
    """Give what a viewer is told."""
    return f"viewers may look here; this wants an {role}"


def test_page_on_this_machine() -> None:
    """Without a token our own page repeats what it was given; then it may change things."""
    keeper = Gatekeeper(None)
    seen = keeper.decide(LOCAL, Role.VIEWER)
    assert isinstance(seen, Visitor) and seen.is_local and len(seen.csrf) == 32
    post = replace(LOCAL, method="POST", origin="http://localhost:8081", csrf=seen.csrf)
    assert keeper.decide(post) == seen


def test_session_needs_its_pages_token(gate: tuple[Gatekeeper, Sessions]) -> None:
    """A cookie alone reads; to change something the request repeats what only the page knows."""
    keeper, sessions = gate
    cookie = sessions.open(TOKEN, Role.OPERATOR, name="ana")
    seen = keeper.decide(replace(READING, cookie=cookie))
    assert isinstance(seen, Visitor) and (seen.name, seen.csrf) == ("ana", csrf_of(cookie.encode()))
    for csrf, expected in (
        (None, "no_csrf"),
        ("", "no_csrf"),
        ("ü", "no_csrf"),
        ("\udcff", "no_csrf"),
        (seen.csrf, None),
    ):
        decided = keeper.decide(replace(CHANGING, cookie=cookie, csrf=csrf))
        assert (decided.code if isinstance(decided, Refusal) else None) == expected


def test_wrong_bearer_beats_a_cookie(gate: tuple[Gatekeeper, Sessions]) -> None:
    """Who shows a wrong token is not let in by a cookie beside it."""
    cookie = gate[1].open(TOKEN, Role.OPERATOR, name="ana")
    decided = gate[0].decide(replace(READING, cookie=cookie, authorization="Bearer no"))
    assert isinstance(decided, Refusal) and decided.status == 401


def test_viewers_alone_open_nothing() -> None:
    """A viewers' token without an operators' is none."""
    assert not Gatekeeper(None, viewer_token=VIEWERS).has_tokens
