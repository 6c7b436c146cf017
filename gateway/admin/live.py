"""The operators' endpoints about the traffic of right now: numbers, their stream, and the tail of requests."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint, json_response
from gateway.admin.live_operations import Listening, LiveOperations, TooManyListenersError
from gateway.admin.live_schema import OVERVIEW, ROUTE
from gateway.admin.operations import Operations
from gateway.admin.streams import STREAMS, Told, frame_of, pump

EVENT_STREAM = "text/event-stream"


def _live(operations: Operations) -> LiveOperations:
    if operations.live is None:
        raise ApiError(503, "not_counting", "nothing is counted yet; ask again in a second")
    return operations.live


async def _overview(operations: Operations, _: web.Request) -> web.Response:
    return json_response(_live(operations).overview())


async def _route(operations: Operations, request: web.Request) -> web.Response:
    name = request.match_info["route"]
    view = _live(operations).route(name)
    if view is None:
        raise _no_route(name)
    return json_response(view)


async def _stream(operations: Operations, request: web.Request) -> web.StreamResponse:
    live, route = _live(operations), _route_asked(operations, request)
    if request.method == "HEAD":
        return web.Response(content_type=EVENT_STREAM)
    streams = request.app[STREAMS]
    reader = streams.open(live, route)
    try:
        return await pump(request, reader.take)
    finally:
        streams.forget(reader)


async def _tail(operations: Operations, request: web.Request) -> web.StreamResponse:
    live, route = _live(operations), _route_asked(operations, request)
    if request.method == "HEAD":
        return web.Response(content_type=EVENT_STREAM)
    try:
        listening = live.tail(route)
    except TooManyListenersError as error:
        raise ApiError(503, "too_many_streams", f"{error}; close one of them") from None
    try:
        return await pump(request, _telling(listening))
    finally:
        await listening.aclose()


def _telling(listening: Listening) -> Told:
    async def take() -> bytes | None:
        return frame_of("request", await anext(listening))

    return take


def _route_asked(operations: Operations, request: web.Request) -> str | None:
    unknown = request.query.keys() - {"route"}
    if unknown:
        raise ApiError(400, "unknown_parameter", f"{min(unknown)!r} is not a parameter: use route")
    route = request.query.get("route") or None
    if route is not None and _live(operations).route(route) is None:
        raise _no_route(route)
    return route


def _no_route(name: str) -> ApiError:
    return ApiError(404, "no_such_route", f"no route is called {name!r}; GET /api/config lists them")


_NO_ROUTE = (404, "No such route.")
_NOT_YET = (503, "Nothing is counted yet.")
_FULL = (503, "Nothing is counted yet, or too many streams are open.")
_UNKNOWN = (400, "A parameter is unknown.")
_ROUTE = (("route?", "Of this route; of all routes otherwise."),)

LIVE_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/overview",
        "Every route: how it stands, and what the last 15 minutes brought.",
        _overview,
        needs=Role.VIEWER,
        statuses=(_NOT_YET,),
        gives=OVERVIEW,
    ),
    Endpoint(
        "GET",
        "/api/routes/{route}",
        "One route, likewise.",
        _route,
        needs=Role.VIEWER,
        parts=(("route", "Route name."),),
        statuses=(_NO_ROUTE, _NOT_YET),
        gives=ROUTE,
    ),
    Endpoint(
        "GET",
        "/api/live",
        "The overview, or one route, every 2 s, and every change of a release: events `overview`, `route`, `rollout`.",
        _stream,
        needs=Role.VIEWER,
        parameters=_ROUTE,
        statuses=(_UNKNOWN, _NO_ROUTE, _FULL),
        gives_type=EVENT_STREAM,
    ),
    Endpoint(
        "GET",
        "/api/tail",
        "Requests as they end, without contents and users, at most 20 a second: events `request`.",
        _tail,
        needs=Role.VIEWER,
        parameters=_ROUTE,
        statuses=(_UNKNOWN, _NO_ROUTE, _FULL),
        gives_type=EVENT_STREAM,
    ),
)
