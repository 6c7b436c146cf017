"""Signing in and out as a browser does it, and ending sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.admin.auth import Role
from gateway.admin.pages.sign_in import MAX_FAILURES
from gateway.admin.server import HEADERS
from tests.fakes.operators_port import OPERATOR, VIEWER, OperatorsPort
from tests.fakes.quiet_operations import QuietOperations


@pytest.fixture(name="port")
async def _port() -> AsyncIterator[OperatorsPort]:
    """Give a port with both tokens."""
    async with OperatorsPort(QuietOperations(), has_tokens=True) as port:
        yield port


async def test_page_asks_to_sign_in(port: OperatorsPort) -> None:
    """Whoever has no session is sent to the form and comes back to what they wanted."""
    async with port.http.get(port.url + "/sessions?a=b", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/sign-in?next=%2Fsessions%3Fa%3Db")
    status, text = await port.get("/sessions?a=b")
    assert status == 200 and 'name="next" value="/sessions?a=b"' in text


async def test_operator_signs_in(port: OperatorsPort) -> None:
    """The cookie is for our pages alone and cannot be read by scripts."""
    async with port.http.post(port.url + "/sign-in", data={"token": OPERATOR, "name": "ana"}) as response:
        (cookie,) = [value for value in response.history[0].headers.getall("Set-Cookie") if "sluice_session" in value]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    status, text = await port.get("/sessions")
    assert status == 200 and "1 signed in" in text and "ana" in text


@pytest.mark.parametrize(
    ("token", "name", "words"), [("no", "ana", "not one of the tokens"), (OPERATOR, " ", "who you are")]
)
async def test_refused_with_a_reason(port: OperatorsPort, token: str, name: str, words: str) -> None:
    """A wrong token, or nobody's name."""
    status, text = await port.submit("/sign-in", token=token, name=name, next="/")
    assert status == 401 and words in text and port.sessions.listed() == []


async def test_guessing_is_slowed(port: OperatorsPort) -> None:
    """After ten wrong ones not even the right one is looked at."""
    tries = [await port.sign_in(f"wrong-{number}") for number in range(MAX_FAILURES)]
    assert tries == [401] * MAX_FAILURES
    assert await port.sign_in() == 429 and port.sessions.listed() == []


async def test_viewer_may_not_revoke(port: OperatorsPort) -> None:
    """Nor see who is signed in."""
    assert await port.sign_in(VIEWER, "vic") == 303
    assert (await port.get("/sessions"))[0] == 403
    assert (await port.submit("/sessions/revoke", session="all"))[0] == 403
    assert len(port.sessions.listed()) == 1


async def test_sign_out_needs_the_pages_token(port: OperatorsPort) -> None:
    """A form on another page ends nothing; the own one does."""
    await port.sign_in()
    assert (await port.submit("/sign-out"))[0] == 403 and len(port.sessions.listed()) == 1
    assert await port.submit("/sign-out", page="/sessions") == (303, "/sign-in")
    assert port.sessions.listed() == []


async def test_session_is_ended_by_another(port: OperatorsPort) -> None:
    """The one named, and then all."""
    port.sessions.open(VIEWER, Role.VIEWER, name="vic")
    await port.sign_in()
    vic = next(one for one in port.sessions.listed() if one.name == "vic")
    assert await port.submit("/sessions/revoke", page="/sessions", session=vic.session_id) == (303, "/sessions")
    assert [one.name for one in port.sessions.listed()] == ["ana"]
    assert (await port.submit("/sessions/revoke", page="/sessions", session=vic.session_id))[0] == 404
    await port.submit("/sessions/revoke", page="/sessions", session="all")
    assert port.sessions.listed() == []


async def test_next_stays_here(port: OperatorsPort) -> None:
    """Nobody is sent to another host."""
    assert await port.submit("/sign-in", token=OPERATOR, name="ana", next="//evil.example") == (303, "/")


async def test_nobody_signs_in_without_tokens() -> None:
    """On this machine, without tokens, the form leads home and there is no session."""
    async with OperatorsPort(QuietOperations()) as port:
        status, text = await port.get("/sign-in?next=/sessions")
        assert status == 200 and "Nobody signs in here" in text
        async with port.http.get(port.url + "/sessions") as response:
            assert HEADERS.keys() <= response.headers.keys()
            assert "'unsafe" not in response.headers["Content-Security-Policy"]
