"""Endpoints about rollouts: what they read, what they refuse, what they hand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.endpoint import ApiError
from gateway.admin.operations import Answer, Asked, ConfigTexts
from gateway.admin.rollouts import COMMAND_SCHEMA, MAX_ENTRIES, ROLLOUT_ENDPOINTS, parse_asked
from gateway.errors import Finding
from gateway.wire.ofrep import FlagAnswer


class Wheel:
    """Steers nothing and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def rollouts(self) -> dict[str, Any]:
        return {"rollouts": []}

    async def rollout(self, name: str) -> Answer:
        return Answer({"name": name}, 200 if name == "support" else 404)

    async def command(self, name: str, asked: Asked) -> Answer:
        self.asked.append((name, asked))
        return Answer({"rollout": {}}, 409)

    async def journal(self, name: str | None, *, limit: int, before: str | None) -> Answer:
        return Answer({"name": name, "limit": limit, "before": before})

    async def entry(self, entry_id: str) -> Answer:
        return Answer({"id": entry_id})


class Toy:
    """A gateway with a wheel; whatever else it is asked is not asked here."""

    is_ready = True
    live = None
    reports = None

    def __init__(self) -> None:
        self.steering = Wheel()

    def status(self) -> dict[str, Any]:
        return {}

    def config(self) -> dict[str, Any]:
        return {}

    async def config_texts(self) -> ConfigTexts:
        return ConfigTexts(None, None)

    async def reload(self) -> Answer:
        return Answer({})

    async def restart(self) -> Answer:
        return Answer({})

    async def validate(self, text: str) -> list[Finding]:
        return []

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> dict[str, Any] | None:
        return None

    async def evaluate_flags(self, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
        return FlagAnswer(200, b"{}")

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"", ""


async def ask(toy: Toy, method: str, pattern: str, query: str = "", body: bytes = b"", **parts: str) -> tuple[int, Any]:
    """Give status and JSON of the endpoint at `pattern`, without any server."""
    endpoint = next(each for each in ROLLOUT_ENDPOINTS if (each.method, each.path) == (method, pattern))
    request = make_mocked_request(method, pattern.format(**parts) + query, match_info=parts)
    request._read_bytes = body
    response = await endpoint.respond(toy, request)
    assert isinstance(response, web.Response) and isinstance(response.body, bytes)
    return response.status, orjson.loads(response.body)


async def test_lists_and_shows() -> None:
    """All in short, one in full, and the status of whoever knows."""
    assert await ask(Toy(), "GET", "/api/rollouts") == (200, {"rollouts": []})
    shown = [await ask(Toy(), "GET", "/api/rollouts/{release}", release=name) for name in ("support", "other")]
    assert shown == [(200, {"name": "support"}), (404, {"name": "other"})]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("promote", "promote"),
        ("pause", "pause"),
        ("resume", "resume"),
        ("rollback", "rollback"),
        ("approve", "approve"),
        ("stage", "set_stage"),
    ],
)
async def test_commands_are_handed_on(action: str, kind: str) -> None:
    """Each path asks for its own command, with everything the body says, and gives the answer on."""
    toy, to = Toy(), {"to": "50%"} if action in ("promote", "stage") else {}
    body = {"who": " ana ", "why": "why\n not\x1b", "expected_version": 3, "key": "k", **to}
    answer = await ask(toy, "POST", f"/api/rollouts/{{release}}/{action}", body=orjson.dumps(body), release="support")
    assert answer == (409, {"rollout": {}})
    assert toy.steering.asked == [("support", Asked(kind, "ana", "why not", to.get("to"), 3, "k"))]


@pytest.mark.parametrize(
    ("kind", "body", "hint"),
    [
        ("pause", b"", "send JSON with who"),
        ("pause", b"\xff", "send JSON with who"),
        ("pause", b"{}", "`who`"),
        ("pause", b'{"who": ""}', "length >= 1"),
        ("pause", b'{"who": " "}', "can be printed"),
        ("pause", b'{"who": "a\\u001b[2J"}', "can be printed"),
        ("pause", b'{"who": "a", "whom": "b"}', "whom"),
        ("pause", b'{"who": "a", "expected_version": "3"}', "expected_version"),
        ("pause", b'{"who": "a", "to": "5%"}', "makes no sense"),
        ("rollback", b'{"who": "a", "to": "5%"}', "makes no sense"),
        ("set_stage", b'{"who": "a"}', "`to` is missing"),
    ],
)
def test_bad_bodies_are_400(kind: str, body: bytes, hint: str) -> None:
    """What is missing, unknown or of the wrong kind is named, and nothing is done."""
    with pytest.raises(ApiError, match=hint) as caught:
        parse_asked(kind, body)
    assert (caught.value.status, caught.value.code) == (400, "bad_body")


def test_schema_is_what_is_read() -> None:
    """A body with every property of the schema is read."""
    values = {"who": "a", "why": "b", "to": "5%", "expected_version": 1, "key": "k", "arm": "x"}
    assert set(values) == set(COMMAND_SCHEMA["properties"])
    assert parse_asked("promote", orjson.dumps(values)) == Asked("promote", "a", "b", "5%", 1, "k", "x")


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("", (None, 100, None)),
        ("?release=support&limit=5&before=support-9", ("support", 5, "support-9")),
        (f"?limit={MAX_ENTRIES}", (None, MAX_ENTRIES, None)),
    ],
)
async def test_journal_takes_a_page(query: str, meant: tuple[Any, ...]) -> None:
    """Of one release or all, so many, before a place."""
    status, body = await ask(Toy(), "GET", "/api/journal", query)
    assert (status, (body["name"], body["limit"], body["before"])) == (200, meant)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?limit=0", "bad_parameter"),
        ("?limit=1001", "bad_parameter"),
        ("?limit=99999999999999999999", "bad_parameter"),
        ("?limit=-1", "bad_parameter"),
        ("?limit=²", "bad_parameter"),
        ("?route=support", "unknown_parameter"),
    ],
)
async def test_journal_says_what_is_wrong(query: str, code: str) -> None:
    """A wrong or unknown parameter is named, not guessed."""
    with pytest.raises(ApiError) as caught:
        await ask(Toy(), "GET", "/api/journal", query)
    assert (caught.value.status, caught.value.code) == (400, code)


async def test_entry_by_id() -> None:
    """One entry by its id."""
    assert await ask(Toy(), "GET", "/api/journal/{id}", id="support-9") == (200, {"id": "support-9"})
