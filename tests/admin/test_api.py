"""What each endpoint takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.api import ENDPOINTS
from gateway.admin.endpoint import ApiError
from gateway.admin.operations import Answer, ConfigTexts
from gateway.errors import Finding
from gateway.wire.ofrep import FlagAnswer


class Toy:
    """A gateway with one route."""

    is_ready = True
    steering = None
    live = None
    reports = None

    def status(self) -> dict[str, Any]:
        return {"version": 7}

    def config(self) -> dict[str, Any]:
        return {"routes": {"support": {}}}

    async def config_texts(self) -> ConfigTexts:
        return ConfigTexts(None, None)

    async def reload(self) -> Answer:
        return Answer({"result": "refused"}, 422)

    async def restart(self) -> Answer:
        return Answer({"replaced": 2})

    async def validate(self, text: str) -> list[Finding]:
        return []

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> dict[str, Any] | None:
        return {"user": user, "segments": dict(segments)} if route == "support" else None

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        return FlagAnswer(200, b"{}")

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"{}", "application/json"


async def ask(method: str, path: str) -> tuple[int, Any]:
    """Give status and JSON of the endpoint at `path`, without any server."""
    endpoint = next(e for e in ENDPOINTS if e.method == method and e.path == path.partition("?")[0])
    response = await endpoint.respond(Toy(), make_mocked_request(method, path))
    assert isinstance(response, web.Response) and isinstance(response.body, bytes)
    return response.status, orjson.loads(response.body)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/status", (200, {"version": 7})),
        ("GET", "/api/config", (200, {"routes": {"support": {}}})),
        ("POST", "/api/reload", (422, {"result": "refused"})),
        ("POST", "/api/restart", (200, {"replaced": 2})),
    ],
)
async def test_answers_pass_through(method: str, path: str, expected: tuple[int, Any]) -> None:
    """What the gateway says is what the client gets, status and all."""
    assert await ask(method, path) == expected


async def test_explain_takes_segments() -> None:
    """Segments come as segment.NAME, values may be anything."""
    answer = await ask("GET", "/api/explain?route=support&user=ana%40x&segment.plan=free")
    assert answer == (200, {"user": "ana@x", "segments": {"plan": "free"}})


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "missing_parameter"),
        ("?route=support", 400, "missing_parameter"),
        ("?route=&user=a", 400, "missing_parameter"),
        ("?route=support&user=a&plan=free", 400, "unknown_parameter"),
        ("?route=other&user=a", 404, "no_such_route"),
    ],
)
async def test_explain_says_what_is_wrong(query: str, status: int, code: str) -> None:
    """A missing, unknown or misspelt parameter is named, not guessed."""
    with pytest.raises(ApiError) as caught:
        await ask("GET", f"/api/explain{query}")
    assert (caught.value.status, caught.value.code) == (status, code)
