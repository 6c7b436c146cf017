"""The operators' port as a client sees it: every route guarded, every answer in shape."""

from __future__ import annotations

import io
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from gateway.admin.api import ENDPOINTS
from gateway.admin.auth import Role
from gateway.admin.endpoint import Endpoint
from gateway.admin.operations import Answer, ConfigTexts
from gateway.admin.pages.listing import PAGES
from gateway.admin.server import HEADERS, AdminServer, build_app
from gateway.errors import Finding
from gateway.wire.ofrep import FlagAnswer

VERBS = ("promote", "pause", "resume", "rollback", "approve", "stage")
ANYONE, VIEWER, OPERATOR = Role
NEEDS = {
    ("GET", "/livez"): ANYONE,
    ("GET", "/readyz"): ANYONE,
    ("GET", "/metrics"): VIEWER,
    ("GET", "/api/status"): VIEWER,
    ("GET", "/api/config"): VIEWER,
    ("POST", "/api/reload"): OPERATOR,
    ("POST", "/api/restart"): OPERATOR,
    ("POST", "/api/validate"): OPERATOR,
    ("GET", "/api/explain"): VIEWER,
    ("GET", "/api/openapi.json"): VIEWER,
    ("POST", "/ofrep/v1/evaluate/flags"): VIEWER,
    ("POST", "/ofrep/v1/evaluate/flags/{key}"): VIEWER,
    ("GET", "/api/rollouts"): VIEWER,
    ("GET", "/api/rollouts/{release}"): VIEWER,
    **{("POST", f"/api/rollouts/{{release}}/{verb}"): OPERATOR for verb in VERBS},
    ("GET", "/api/journal"): VIEWER,
    ("GET", "/api/journal/{id}"): VIEWER,
    ("GET", "/api/overview"): VIEWER,
    ("GET", "/api/routes/{route}"): VIEWER,
    ("GET", "/api/live"): VIEWER,
    ("GET", "/api/tail"): VIEWER,
    ("GET", "/api/reports/{kind}/{route}"): VIEWER,
    ("GET", "/"): VIEWER,
    ("GET", "/routes/{route}"): VIEWER,
    ("GET", "/reports"): VIEWER,
    ("GET", "/routes/{route}/experiment"): VIEWER,
    ("GET", "/routes/{route}/shadow"): VIEWER,
    ("GET", "/routes/{route}/rollout-report"): VIEWER,
    ("GET", "/rollouts"): VIEWER,
    ("GET", "/rollouts/{release}"): VIEWER,
    ("GET", "/rollouts/{release}/{action}"): OPERATOR,
    ("POST", "/rollouts/{release}/{action}"): OPERATOR,
    ("GET", "/journal"): VIEWER,
    ("GET", "/journal/{id}"): VIEWER,
    ("GET", "/config"): VIEWER,
    ("POST", "/config/validate"): OPERATOR,
    ("GET", "/requests"): VIEWER,
    ("GET", "/assets/{name}"): ANYONE,
    ("GET", "/sign-in"): ANYONE,
    ("POST", "/sign-in"): ANYONE,
    ("POST", "/sign-out"): VIEWER,
    ("GET", "/sessions"): OPERATOR,
    ("POST", "/sessions/revoke"): OPERATOR,
}
"""Everything there is, and who may have it. What is not listed here fails below."""

TOKEN = "0123456789abcdef"


class Toy:
    """A gateway that answers what it is set to."""

    is_ready = True
    steering = None
    live = None
    reports = None
    reload_status = 200

    def status(self) -> dict[str, Any]:
        return {"version": 1}

    def config(self) -> dict[str, Any]:
        return {"routes": {}}

    async def config_texts(self) -> ConfigTexts:
        return ConfigTexts(None, None)

    async def reload(self) -> Answer:
        return Answer({"result": "refused"}, self.reload_status)

    async def restart(self) -> Answer:
        raise RuntimeError("secret detail")

    async def validate(self, text: str) -> list[Finding]:
        return [Finding("s.yaml", 1, 2, "a", text)] if text else []

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        return FlagAnswer(200, b"{}")

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"up 1\n", f"text/plain; version=0.0.4; charset=utf-8; for={accept or 'all'}"

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> dict[str, Any] | None:
        return {"route": route, "user": user, "segments": dict(segments)} if route == "support" else None


class Door:
    """A running operators' port."""

    def __init__(self, toy: Toy, url: str, session: aiohttp.ClientSession) -> None:
        self.toy = toy
        self.url = url
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Give status and JSON, having looked at the headers every answer must have."""
        async with self.session.request(method, self.url + path, **options) as response:
            assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()


@pytest.fixture(params=[None])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    """Give a port without a token, or with the parameter as one."""
    toy = Toy()
    server = AdminServer(toy, token=request.param)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        await server.open(sock)
        async with aiohttp.ClientSession() as session:
            yield Door(toy, f"http://127.0.0.1:{sock.getsockname()[1]}", session)
        await server.close()


with_token = pytest.mark.parametrize("door", [TOKEN], indirect=True)


def test_no_route_is_unlisted() -> None:
    """Every route of the router is one this file knows, with the role it needs."""
    app = build_app(Toy(), token=None)
    routes = {(r.method, r.resource.canonical) for r in app.router.routes() if r.resource is not None}
    assert {route for route in routes if route[0] != "HEAD"} == set(NEEDS)
    assert {(e.method, e.path): e.needs for e in (*ENDPOINTS, *PAGES)} == NEEDS


@with_token
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
async def test_guarded_by_token(door: Door, endpoint: Endpoint) -> None:
    """Without the token everything but health is 401, with it nothing is."""
    bare, _ = await door.ask(endpoint.method, endpoint.path)
    shown, _ = await door.ask(endpoint.method, endpoint.path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (bare == 401) is not endpoint.is_open
    assert shown != 401


@with_token
@pytest.mark.parametrize(
    "path", ["/other", "/api", "/api/nothing", "//api/status", "/api/../api/status", "/livez/../api/status"]
)
async def test_unknown_path_is_guarded(door: Door, path: str) -> None:
    """Whatever is no route is refused like one, so that nobody learns what there is."""
    assert (await door.ask("GET", path))[0] == 401


async def test_rebinding_is_refused(door: Door) -> None:
    """A page that reaches us through a name of its own gets nothing."""
    status, body = await door.ask("GET", "/api/status", headers={"Host": "evil.example"})
    assert (status, body["error"]["code"]) == (403, "loopback_only")


@pytest.mark.parametrize("path", ["/api/reload", "/api/restart", "/api/validate", "/api/rollouts/support/promote"])
async def test_foreign_page_changes_nothing(door: Door, path: str) -> None:
    """A form on another site cannot post here."""
    status, body = await door.ask("POST", path, headers={"Origin": "https://evil.example"})
    assert (status, body["error"]["code"]) == (403, "foreign_origin")


async def test_fault_shows_nothing(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is logged here and says nothing there."""
    status, body = await door.ask("POST", "/api/restart")
    assert (status, body["error"]["code"]) == (500, "internal")
    assert "secret detail" not in str(body) and "secret detail" in caplog.text


async def test_errors_have_a_shape(door: Door) -> None:
    """No such path, wrong method, too much: all are {error: {code, message}}."""
    answers = [
        await door.ask("GET", "/nothing"),
        await door.ask("GET", "/api/reload"),
        await door.ask("POST", "/api/validate", data=io.BytesIO(bytes(1_048_577))),
    ]
    assert [(status, body["error"]["code"]) for status, body in answers] == [
        (404, "no_such_path"),
        (405, "method_not_allowed"),
        (413, "too_large"),
    ]


async def test_not_steering_is_503(door: Door) -> None:
    """Before there is a controller, whatever is asked of one is 503 in the usual shape."""
    answers = [
        await door.ask("GET", "/api/rollouts"),
        await door.ask("GET", "/api/rollouts/support"),
        await door.ask("POST", "/api/rollouts/support/rollback", data=b'{"who": "ana"}'),
        await door.ask("GET", "/api/journal/support-1"),
    ]
    assert {(status, body["error"]["code"]) for status, body in answers} == {(503, "not_steering")}


async def test_not_ready_is_503(door: Door) -> None:
    """Readiness follows the gateway, liveness does not."""
    door.toy.is_ready = False
    assert (await door.ask("GET", "/readyz"))[0] == 503
    assert (await door.ask("GET", "/livez"))[0] == 200


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
async def test_metrics_have_their_type(door: Door, accept: str) -> None:
    """A scraper's Accept header reaches the page, and the page's own content type the scraper."""
    headers = {"Accept": accept}
    async with door.session.get(door.url + "/metrics", headers=headers) as response:
        assert response.headers["Content-Type"] == f"text/plain; version=0.0.4; charset=utf-8; for={accept or 'all'}"
        assert await response.read() == b"up 1\n"


def test_forms_may_say_where_they_come_from() -> None:
    """Under `no-referrer` a browser sends `Origin: null` with our own forms, and every button would be refused."""
    assert HEADERS["Referrer-Policy"] == "same-origin"
