"""Who gets what at the operators' port: everything there is, asked by everybody there is, straight and by odd ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from yarl import URL

from gateway.admin.api import ENDPOINTS
from gateway.admin.auth import Role, csrf_of
from gateway.admin.endpoint import Endpoint
from gateway.admin.pages.listing import PAGES
from gateway.admin.sessions import IDLE_FOR_MS, SESSION_COOKIE
from gateway.clock import SettableClock
from tests.fakes.busy_operations import BusyOperations
from tests.fakes.operators_port import OPERATOR, VIEWER, OperatorsPort

EVERYTHING = (*ENDPOINTS, *PAGES)
STREAMS = {"/api/live", "/api/tail"}
PARTS = {"release": "support", "route": "support", "action": "rollback", "id": "support-v8-1", "name": "sluice.css"}
PARTS |= {"kind": "experiment", "key": "support"}


class Caller:
    """
    Somebody who asks.

    Attributes:
        role: What they may do.
        headers: What they show.
    """

    def __init__(self, role: Role, headers: Mapping[str, str]) -> None:
        self.role = role
        self.headers = dict(headers)


class House:
    """A port with both tokens, and everybody who might come to it."""

    def __init__(self, port: OperatorsPort, operations: BusyOperations, clock: SettableClock) -> None:
        self.port = port
        self.operations = operations
        open_ = port.sessions.open
        ended = open_(OPERATOR, Role.OPERATOR, name="ended")
        clock.advance(IDLE_FOR_MS / 1000 + 1)
        self.viewer = open_(VIEWER, Role.VIEWER, name="vic")
        self.operator = open_(OPERATOR, Role.OPERATOR, name="ana")
        revoked = open_(OPERATOR, Role.OPERATOR, name="revoked")
        session = port.sessions.find(revoked)
        assert session is not None and port.sessions.revoke(session.session_id)
        self.callers = {
            "nobody": Caller(Role.ANYONE, {}),
            "a wrong token": Caller(Role.ANYONE, {"Authorization": "Bearer nonsense-0123456789"}),
            "the token as a password": Caller(Role.ANYONE, {"Authorization": f"Basic {OPERATOR}"}),
            "the token as a cookie": Caller(Role.ANYONE, {"Cookie": f"{SESSION_COOKIE}={OPERATOR}"}),
            "a viewer's token": Caller(Role.VIEWER, {"Authorization": f"Bearer {VIEWER}"}),
            "an operator's token": Caller(Role.OPERATOR, {"Authorization": f"Bearer {OPERATOR}"}),
            "a viewer's session": Caller(Role.VIEWER, _cookie(self.viewer)),
            "an operator's session": Caller(Role.OPERATOR, _cookie(self.operator)),
            "an ended session": Caller(Role.ANYONE, _cookie(ended)),
            "a revoked session": Caller(Role.ANYONE, _cookie(revoked)),
        }

    async def ask(self, method: str, path: str, headers: Mapping[str, str], data: bytes | None = None) -> int:
        """Give the status; nothing is followed, and of a stream nothing is read."""
        url = URL(self.port.url + path, encoded=True)
        async with self.http.request(method, url, headers=headers, data=data, allow_redirects=False) as response:
            return response.status

    async def __aenter__(self) -> House:
        """Open a client without a cookie jar: who shows what is up to the test."""
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.http.close()


def _cookie(secret: str) -> dict[str, str]:
    return {"Cookie": f"{SESSION_COOKIE}={secret}", "X-Sluice-CSRF": csrf_of(secret.encode())}


@pytest.fixture(name="house")
async def _house() -> AsyncIterator[House]:
    """Give it, open."""
    operations, clock = BusyOperations(), SettableClock(unix_ms=1_000_000)
    async with OperatorsPort(operations, has_tokens=True, clock=clock) as port, House(port, operations, clock) as house:
        yield house


def path_of(endpoint: Endpoint) -> str:
    """Give a path that this endpoint answers."""
    return endpoint.path.format_map(PARTS)


@pytest.mark.parametrize("endpoint", EVERYTHING, ids=lambda one: f"{one.method} {one.path}")
async def test_role_decides(house: House, endpoint: Endpoint) -> None:
    """Whoever may not is 401, 403 or sent to sign in; whoever may is told something else, and never a fault of ours."""
    for name, caller in house.callers.items():
        # A body that makes no sense: what is looked at is who is let in, not what is done.
        status = await house.ask(endpoint.method, path_of(endpoint), caller.headers)
        is_refused = status in (401, 403) or (status == 303 and endpoint.needs > Role.ANYONE and not caller.role)
        assert is_refused is (caller.role < endpoint.needs) or endpoint.path == "/sign-in", (name, status)
        assert status < 500 or status == 503, (name, status)


ODD = (
    "//{path}",
    "/./{path}",
    "/%2e/{path}",
    "/x/../{path}",
    "/x/%2e%2e/{path}",
    "/{path}/",
    "/{path}%2f",
    "/{path}%00",
    "/{path};.css",
    "/{path}?next=/livez",
    "/{upper}",
    "/assets/../{path}",
    "/assets/%2e%2e/{path}",
    "/livez/../{path}",
    "/livez%2f..%2f{path}",
    "/sign-in/../{path}",
)


@pytest.mark.parametrize("odd", ODD)
async def test_odd_paths_open_nothing(house: House, odd: str) -> None:
    """However a path is written, nobody gets what needs a role without it."""
    closed = [one for one in EVERYTHING if one.needs > Role.ANYONE and one.path not in STREAMS]
    for endpoint in closed:
        path = path_of(endpoint).lstrip("/")
        asked = odd.format(path=path, upper=path.upper())
        for name in ("nobody", "a wrong token", "a revoked session"):
            status = await house.ask(endpoint.method, asked, house.callers[name].headers)
            assert not 200 <= status < 300 and status < 500, (endpoint.path, asked, name, status)


@pytest.mark.parametrize(
    "more",
    [
        {"X-HTTP-Method-Override": "GET"},
        {"X-Original-URL": "/livez"},
        {"X-Rewrite-URL": "/livez"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"Host": "localhost"},
        {"X-Forwarded-User": "ana"},
        {"Authorization": ""},
        {"Cookie": f"{SESSION_COOKIE}="},
    ],
    ids=lambda more: next(iter(more)),
)
async def test_no_header_stands_in_for_a_token(house: House, more: dict[str, str]) -> None:
    """What proxies and frameworks believe is not believed here."""
    for endpoint in EVERYTHING:
        if endpoint.needs > Role.ANYONE and endpoint.path not in STREAMS:
            status = await house.ask(endpoint.method, path_of(endpoint), more)
            assert status in (303, 401), (endpoint.path, status)


FORM = "application/x-www-form-urlencoded"
CHANGING = tuple(one for one in EVERYTHING if one.method != "GET" and one.needs is Role.OPERATOR)


async def test_foreign_pages_change_nothing(house: House) -> None:
    """Whatever another page makes a signed-in browser send is refused, before it is read."""
    cookie, own = {"Cookie": f"{SESSION_COOKIE}={house.operator}"}, house.port.url
    token, others = csrf_of(house.operator.encode()), csrf_of(house.viewer.encode())
    attacks: dict[str, dict[str, str]] = {
        "no token": {},
        "another origin": {"Origin": "https://evil.example", "X-Sluice-CSRF": token},
        "no origin at all": {"Origin": "null", "X-Sluice-CSRF": token},
        "another port": {"Origin": "http://127.0.0.1:1", "X-Sluice-CSRF": token},
        "a sister site": {"Sec-Fetch-Site": "same-site", "X-Sluice-CSRF": token},
        "another site": {"Sec-Fetch-Site": "cross-site", "X-Sluice-CSRF": token},
        "our origin alone": {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        "another session's token": {"Origin": own, "X-Sluice-CSRF": others},
        "an empty token": {"Origin": own, "X-Sluice-CSRF": ""},
        "text": {"Origin": own, "Content-Type": "text/plain"},
        "a form": {"Origin": own, "Content-Type": FORM},
    }
    before = house.operations.status()
    for endpoint in CHANGING:
        for name, attack in attacks.items():
            body = b'{"who":"ana"}' if attack.get("Content-Type") != FORM else b"who=ana&why=x&csrf=0"
            status = await house.ask(endpoint.method, path_of(endpoint), cookie | attack, body)
            assert status == 403, (endpoint.path, name, status)
    assert house.operations.status() == before and len(house.port.sessions.listed()) == 2


async def test_reading_changes_nothing(house: House) -> None:
    """No GET does what a button does: an image on another page presses none."""
    cookie = {"Cookie": f"{SESSION_COOKIE}={house.operator}"}
    before = house.operations.status()
    for endpoint in CHANGING:
        status = await house.ask("GET", path_of(endpoint), cookie)
        assert status < 500, (endpoint.path, status)
    assert house.operations.status() == before and len(house.port.sessions.listed()) == 2


async def test_every_answer_says_how_it_may_be_used(house: House) -> None:
    """Not framed, not sniffed, not kept, and with a policy that allows nothing inline, whatever the answer is."""
    asked = [*(path_of(one) for one in EVERYTHING if one.method == "GET"), "/nothing", "/api/nothing"]
    for path in asked:
        for name in ("nobody", "an operator's session"):
            async with asyncio.timeout(20):
                response = await house.http.get(house.port.url + path, headers=house.callers[name].headers)
            policy = response.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy and "unsafe" not in policy, path
            assert response.headers["X-Content-Type-Options"] == "nosniff", path
            assert path.startswith("/assets/") or response.headers["Cache-Control"] in ("no-store", "no-cache"), path
            response.close()
