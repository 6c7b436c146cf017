"""
The operators' endpoints about rollouts: how they stand, what a person may do to them, and the journal.

They read what is asked and refuse what makes no sense; what is done, and what comes of it, is `RolloutOperations`.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint, Respond, json_response
from gateway.admin.etag import UNCHANGED, tagged_json
from gateway.admin.operations import Answer, Asked, Operations, RolloutOperations

MAX_ENTRIES = 1_000
"""Journal entries in one answer."""

_DEFAULT_ENTRIES = 100
_TAKES_A_STAGE = frozenset({"promote", "set_stage"})

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Words = Annotated[str, msgspec.Meta(max_length=2_000)]
_Short = Annotated[str, msgspec.Meta(max_length=200)]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    who: _Name
    why: _Words = ""
    to: _Short | None = None
    expected_version: int | None = None
    key: _Short = ""
    arm: _Short = ""


def _steering(operations: Operations) -> RolloutOperations:
    steering = operations.steering
    if steering is None:
        raise ApiError(503, "not_steering", "rollouts are not steered yet; ask again in a second")
    return steering


def _respond(answer: Answer) -> web.Response:
    return json_response(answer.body, answer.status)


async def _rollouts(operations: Operations, _: web.Request) -> web.Response:
    return json_response(_steering(operations).rollouts())


async def _rollout(operations: Operations, request: web.Request) -> web.Response:
    return _respond(await _steering(operations).rollout(request.match_info["release"]))


def _commanding(kind: str) -> Respond:
    async def respond(operations: Operations, request: web.Request) -> web.Response:
        asked = parse_asked(kind, await request.read())
        return _respond(await _steering(operations).command(request.match_info["release"], asked))

    return respond


def parse_asked(kind: str, body: bytes) -> Asked:
    """
    Give what a request's body asks.

    Raises:
        ApiError: It is no JSON, lacks `who`, has what is not known, or says `to` where there is nowhere to go.
    """
    try:
        parsed = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(
            400, "bad_body", f"{error}; send JSON with who, and maybe why, to, expected_version, key"
        ) from None
    who = parsed.who.strip()
    if not who or not who.isprintable():
        raise ApiError(400, "bad_body", "`who` has to be a name that can be printed")
    if parsed.to is not None and kind not in _TAKES_A_STAGE:
        raise ApiError(400, "bad_body", f"`to` makes no sense here: {kind} goes where it goes")
    if parsed.to is None and kind == "set_stage":
        raise ApiError(400, "bad_body", "`to` is missing: the stage wanted, such as 25% or internal")
    why = " ".join("".join(letter if letter.isprintable() else " " for letter in parsed.why).split())
    return Asked(kind, who, why, parsed.to, parsed.expected_version, parsed.key, parsed.arm)


async def _journal(operations: Operations, request: web.Request) -> web.Response:
    unknown = request.query.keys() - {"release", "limit", "before"}
    if unknown:
        raise ApiError(400, "unknown_parameter", f"{min(unknown)!r} is not a parameter: use release, limit, before")
    text = request.query.get("limit", str(_DEFAULT_ENTRIES))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_ENTRIES):
        raise ApiError(400, "bad_parameter", f"`limit` is a number from 1 to {MAX_ENTRIES}")
    name, before = request.query.get("release") or None, request.query.get("before") or None
    answer = await _steering(operations).journal(name, limit=int(text), before=before)
    if answer.status != 200:
        return _respond(answer)
    response = tagged_json(request, answer.body)
    following = answer.body.get("next")
    if following is not None:
        query = {**request.query, "before": following}
        response.headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
    return response


async def _entry(operations: Operations, request: web.Request) -> web.Response:
    return _respond(await _steering(operations).entry(request.match_info["id"]))


_RELEASE = (("release", "A release's name, or its route's; `release:NAME` or `route:NAME` where one may mean two."),)
_NOT_YET = (503, "The control process does not steer yet.")
_UNKNOWN = (404, "No such release or route.")
_UNCLEAR = (400, "The name may mean two releases, or the body is wrong.")

COMMAND_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["who"],
    "additionalProperties": False,
    "properties": {
        "who": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Who asks; journalled."},
        "why": {"type": "string", "maxLength": 2_000, "description": "Their reason; journalled."},
        "to": {
            "type": ["string", "null"],
            "description": "promote and stage: the stage wanted, such as 25% or internal.",
        },
        "expected_version": {"type": ["integer", "null"], "description": "Refuse unless the rollout has this version."},
        "key": {"type": "string", "maxLength": 200, "description": "Asked twice with one key, it is done once."},
        "arm": {"type": "string", "maxLength": 200, "description": "Of a split: this arm only."},
    },
}
"""What a command's body may hold; the same as what is parsed."""


JOURNAL: dict[str, Any] = {
    "type": "object",
    "required": ["entries", "next"],
    "properties": {
        "entries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "release", "kind"],
                "properties": {name: {"type": "string"} for name in ("id", "release", "kind")},
            },
        },
        "next": {"type": ["string", "null"], "description": "`before` for older entries; null where there are none."},
    },
}
"""What the journal answers; a Link header says the same."""


def _command(action: str, kind: str, summary: str) -> Endpoint:
    return Endpoint(
        "POST",
        f"/api/rollouts/{{release}}/{action}",
        summary,
        _commanding(kind),
        parts=_RELEASE,
        takes="application/json",
        schema=COMMAND_SCHEMA,
        statuses=(
            _UNCLEAR,
            _UNKNOWN,
            (409, "Refused: the message says why, `rollout` how it stands now. Nothing changed."),
            _NOT_YET,
        ),
    )


ROLLOUT_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/rollouts",
        "Every rollout and split in short, and what is latched.",
        _rollouts,
        needs=Role.VIEWER,
        statuses=(_NOT_YET,),
    ),
    Endpoint(
        "GET",
        "/api/rollouts/{release}",
        "One rollout: phase, stage, weights, gates, signals, latches, epochs, and what it waits for.",
        _rollout,
        needs=Role.VIEWER,
        parts=_RELEASE,
        statuses=((400, "The name may mean two releases."), _UNKNOWN, _NOT_YET),
    ),
    _command("promote", "promote", "Go one stage on, or as far as `to` says, whatever the gates say."),
    _command("pause", "pause", "Stay where it is; trips go on."),
    _command("resume", "resume", "Go on; after a rollback from the first stage with traffic. Opens the latch."),
    _command("rollback", "rollback", "Give the candidate nothing, and latch that."),
    _command("approve", "approve", "Say yes where a stage asks a person."),
    _command("stage", "set_stage", "Go to the stage that `to` says, forward or back."),
    Endpoint(
        "GET",
        "/api/journal",
        "Decisions with the evidence they stood on, newest first.",
        _journal,
        needs=Role.VIEWER,
        parameters=(
            ("release?", "Of this release, or of this route's."),
            ("limit?", f"At most so many, 1 to {MAX_ENTRIES}; {_DEFAULT_ENTRIES}."),
            ("before?", "Only entries older than this one: an id."),
        ),
        statuses=(UNCHANGED, (400, "A parameter is unknown or wrong."), (404, "No such entry."), _NOT_YET),
        gives=JOURNAL,
        typed={"limit": {"type": "integer", "minimum": 1, "maximum": MAX_ENTRIES}},
    ),
    Endpoint(
        "GET",
        "/api/journal/{id}",
        "One decision.",
        _entry,
        needs=Role.VIEWER,
        parts=(("id", "As the journal names it, such as support-v8-17."),),
        statuses=((404, "No such entry."), _NOT_YET),
    ),
)
