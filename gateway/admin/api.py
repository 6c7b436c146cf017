"""
The operators' JSON endpoints: what each takes and gives.

They only translate: what is asked of the running gateway is `Operations`, which the control process
provides. ENDPOINTS is the whole list; the OpenAPI document and the authorisation test read it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from aiohttp import web

from gateway.admin.openapi import render_openapi
from gateway.errors import Finding

MAX_BODY_BYTES = 1024 * 1024
"""As large as a configuration may be."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What an operation gives.

    Attributes:
        body: Becomes JSON.
        status: HTTP status.
    """

    body: Json
    status: int = 200


class Operations(Protocol):
    """What may be asked of a running gateway."""

    @property
    def is_ready(self) -> bool:
        """Say whether a table is in use and workers serve it."""
        ...

    def status(self) -> Json:
        """Give versions, workers and what is wrong."""
        ...

    def config(self) -> Json:
        """Give the configuration in use, without secrets."""
        ...

    async def reload(self) -> Answer:
        """Read the file again, and wait for the workers."""
        ...

    async def restart(self) -> Answer:
        """Replace the workers one by one."""
        ...

    async def validate(self, text: str) -> list[Finding]:
        """Give everything wrong with this text as a configuration."""
        ...

    def explain(self, route: str, user: str, segments: Mapping[str, str]) -> Json | None:
        """Give which arm and why; None when there is no such route."""
        ...

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the metrics page a scraper with this Accept header wants, and its content type."""
        ...


class ApiError(Exception):
    """An endpoint's refusal; becomes `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


Respond = Callable[[Operations, web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One operation at one path.

    Attributes:
        method: HTTP method.
        path: Exact path; there are no patterns.
        summary: For the OpenAPI document.
        respond: What answers it.
        is_open: Answered without a token: it says nothing but alive or ready.
        parameters: Query parameters by name, with their meaning; a trailing `?` means it may be left out.
        takes: Content type of the request body, if one is read.
        statuses: What it answers beside 200, with the meaning.
    """

    method: str
    path: str
    summary: str
    respond: Respond
    is_open: bool = False
    parameters: tuple[tuple[str, str], ...] = ()
    takes: str | None = None
    statuses: tuple[tuple[int, str], ...] = ()


def json_response(body: object, status: int = 200) -> web.Response:
    """Give `body` as JSON."""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=text, status=status, content_type="application/json")


def finding_json(finding: Finding) -> Json:
    """Give a finding field by field, and as the line a person reads."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "key_path": finding.key_path,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "text": str(finding),
    }


async def _livez(_: Operations, __: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _readyz(operations: Operations, _: web.Request) -> web.Response:
    if operations.is_ready:
        return web.Response(text="ok\n")
    return web.Response(text="not ready\n", status=503)


async def _metrics(operations: Operations, request: web.Request) -> web.Response:
    body, content_type = await operations.metrics(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _status(operations: Operations, _: web.Request) -> web.Response:
    return json_response(operations.status())


async def _config(operations: Operations, _: web.Request) -> web.Response:
    return json_response(operations.config())


async def _reload(operations: Operations, _: web.Request) -> web.Response:
    answer = await operations.reload()
    return json_response(answer.body, answer.status)


async def _restart(operations: Operations, _: web.Request) -> web.Response:
    answer = await operations.restart()
    return json_response(answer.body, answer.status)


async def _validate(operations: Operations, request: web.Request) -> web.Response:
    try:
        text = (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, "not_utf8", f"the body is not UTF-8 at byte {error.start}") from error
    findings = await operations.validate(text)
    body = {"is_valid": not findings, "findings": [finding_json(finding) for finding in findings]}
    return json_response(body)


async def _explain(operations: Operations, request: web.Request) -> web.Response:
    segments: dict[str, str] = {}
    for name, value in request.query.items():
        if name.startswith("segment."):
            segments[name.removeprefix("segment.")] = value
        elif name not in ("route", "user"):
            raise ApiError(400, "unknown_parameter", f"{name!r} is not a parameter: use route, user, segment.NAME")
    route, user = request.query.get("route"), request.query.get("user")
    if not route or user is None:
        raise ApiError(400, "missing_parameter", "both route and user are needed")
    explained = operations.explain(route, user, segments)
    if explained is None:
        raise ApiError(404, "no_such_route", f"no route is called {route!r}; GET /api/config lists them")
    return json_response(explained)


async def _openapi(_: Operations, __: web.Request) -> web.Response:
    return json_response(render_openapi(ENDPOINTS))


_FULL = (503, "The parent did not answer in time.")

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/livez", "The control process is alive.", _livez, is_open=True),
    Endpoint(
        "GET",
        "/readyz",
        "A table is in use and every worker serves it.",
        _readyz,
        is_open=True,
        statuses=((503, "Not yet, or not any more."),),
    ),
    Endpoint("GET", "/metrics", "Every metric, as Prometheus reads it.", _metrics),
    Endpoint("GET", "/api/status", "Versions, workers, the last reload and what is wrong.", _status),
    Endpoint("GET", "/api/config", "The configuration in use, without secrets.", _config),
    Endpoint(
        "POST",
        "/api/reload",
        "Read the file again and wait up to 2 s for the workers.",
        _reload,
        statuses=((422, "Refused: the findings say why, and the configuration before goes on."),),
    ),
    Endpoint(
        "POST",
        "/api/restart",
        "Replace the workers one by one.",
        _restart,
        statuses=((500, "It stopped half-way."), _FULL),
    ),
    Endpoint(
        "POST",
        "/api/validate",
        "Check a configuration without using it.",
        _validate,
        takes="application/yaml",
        statuses=((400, "Not UTF-8."), (413, "Over 1 MiB.")),
    ),
    Endpoint(
        "GET",
        "/api/explain",
        "Which arm a user gets on a route, and why.",
        _explain,
        parameters=(("route", "Route name."), ("user", "User id."), ("segment.NAME?", "Value of a segment.")),
        statuses=((400, "A parameter is missing or unknown."), (404, "No such route.")),
    ),
    Endpoint("GET", "/api/openapi.json", "This list as an OpenAPI document.", _openapi),
)
