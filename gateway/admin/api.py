"""
The operators' JSON endpoints: what each takes and gives.

They only translate: what is asked of the running gateway is `Operations`, which the control process
provides. ENDPOINTS is the whole list, those about rollouts among them; the OpenAPI document and the
authorisation test read it too.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint, finding_json, json_response
from gateway.admin.etag import UNCHANGED, tagged_json
from gateway.admin.live import LIVE_ENDPOINTS
from gateway.admin.ofrep import OFREP_ENDPOINTS
from gateway.admin.openapi import render_openapi
from gateway.admin.operations import Operations
from gateway.admin.reports import REPORT_ENDPOINTS
from gateway.admin.rollouts import ROLLOUT_ENDPOINTS

MAX_BODY_BYTES = 1024 * 1024
"""As large as a configuration may be."""


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


async def _config(operations: Operations, request: web.Request) -> web.Response:
    return tagged_json(request, operations.config())


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


async def _openapi(_: Operations, request: web.Request) -> web.Response:
    return tagged_json(request, render_openapi(ENDPOINTS))


_FULL = (503, "The parent did not answer in time.")

VALIDATED: dict[str, Any] = {
    "type": "object",
    "required": ["is_valid", "findings"],
    "properties": {
        "is_valid": {"type": "boolean"},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["file", "line", "column", "key_path", "problem", "remedy", "text"],
                "properties": {name: {"type": "string"} for name in ("file", "key_path", "problem", "text")},
            },
        },
    },
}
"""What a check comes to."""

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/livez", "The control process is alive.", _livez, needs=Role.ANYONE, gives_type="text/plain"),
    Endpoint(
        "GET",
        "/readyz",
        "A table is in use and every worker serves it.",
        _readyz,
        needs=Role.ANYONE,
        statuses=((503, "Not yet, or not any more."),),
        gives_type="text/plain",
    ),
    Endpoint(
        "GET", "/metrics", "Every metric, as Prometheus reads it.", _metrics, needs=Role.VIEWER, gives_type="text/plain"
    ),
    Endpoint("GET", "/api/status", "Versions, workers, the last reload and what is wrong.", _status, needs=Role.VIEWER),
    Endpoint(
        "GET",
        "/api/config",
        "The configuration in use, without secrets.",
        _config,
        needs=Role.VIEWER,
        statuses=(UNCHANGED,),
    ),
    Endpoint(
        "POST",
        "/api/reload",
        "Read the file again and wait up to 2 s for the workers.",
        _reload,
        statuses=((422, "Refused: the findings say why, and the configuration before goes on."),),
        reports=(422,),
    ),
    Endpoint(
        "POST",
        "/api/restart",
        "Replace the workers one by one.",
        _restart,
        statuses=((500, "It stopped half-way."), _FULL),
        reports=(500,),
    ),
    Endpoint(
        "POST",
        "/api/validate",
        "Check a configuration without using it.",
        _validate,
        takes="application/yaml",
        statuses=((400, "Not UTF-8."), (413, "Over 1 MiB.")),
        gives=VALIDATED,
    ),
    Endpoint(
        "GET",
        "/api/explain",
        "Which arm a user gets on a route, and why.",
        _explain,
        needs=Role.VIEWER,
        parameters=(("route", "Route name."), ("user", "User id."), ("segment.NAME?", "Value of a segment.")),
        statuses=((400, "A parameter is missing or unknown."), (404, "No such route.")),
    ),
    *LIVE_ENDPOINTS,
    *ROLLOUT_ENDPOINTS,
    *OFREP_ENDPOINTS,
    *REPORT_ENDPOINTS,
    Endpoint(
        "GET",
        "/api/openapi.json",
        "This list as an OpenAPI document.",
        _openapi,
        needs=Role.VIEWER,
        statuses=(UNCHANGED,),
    ),
)
