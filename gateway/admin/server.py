"""
The operators' HTTP server, on a socket the parent keeps: a restarted control process loses no port.

Every request passes `_Guard`: authorisation by the endpoint that was matched (never by the text of the URL), the same
error shape for everything, no traceback to anybody, and the headers that keep a browser from caching or guessing. Pages
pass it like everything else; only what it says then is a page too.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.admin.api import ENDPOINTS, MAX_BODY_BYTES
from gateway.admin.auth import Caller, Gatekeeper, Role, Visitor
from gateway.admin.endpoint import VISITOR, ApiError, Endpoint, json_response
from gateway.admin.operations import Operations
from gateway.admin.pages.error import error_page
from gateway.admin.pages.form import form_of
from gateway.admin.pages.listing import PAGES
from gateway.admin.pages.shell import SHELL, Shell
from gateway.admin.pages.sign_in import GATE, Gate
from gateway.admin.sessions import SESSION_COOKIE, Sessions
from gateway.admin.streams import STREAMS, Streams

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
"""
What every answer has, unless it says something else itself.

Not `no-referrer`: under it browsers send `Origin: null` with forms, which is no proof of where they come from.
"""

_PART = re.compile(r"\{(\w+)\}")
_FORM = "application/x-www-form-urlencoded"

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(
    operations: Operations, *, token: str | None, viewer_token: str | None = None, sessions: Sessions | None = None
) -> web.Application:
    """Give the application: ENDPOINTS, PAGES and nothing else."""
    gatekeeper = Gatekeeper(token, viewer_token=viewer_token, sessions=sessions)
    guard = _Guard(gatekeeper)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[guard.middleware()])
    app.on_response_prepare.append(_add_headers)
    app[SHELL] = Shell()
    app[GATE] = Gate(gatekeeper, sessions)
    for endpoint in (*ENDPOINTS, *PAGES):
        responder = _responder_of(endpoint, operations)
        guard.endpoints[responder] = endpoint
        app.router.add_route(endpoint.method, _pattern_of(endpoint.path), responder)
        if endpoint.method == "GET":
            app.router.add_route("HEAD", _pattern_of(endpoint.path), responder)
    app[STREAMS] = streams = Streams()

    async def end_streams(_: web.Application) -> None:
        await streams.close()

    app.on_shutdown.append(end_streams)
    return app


class AdminServer:
    """The application on its socket, from `open` to `close`."""

    def __init__(
        self,
        operations: Operations,
        *,
        token: str | None,
        viewer_token: str | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._runner = web.AppRunner(
            build_app(operations, token=token, viewer_token=viewer_token, sessions=sessions),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=15.0,
            shutdown_timeout=2.0,
        )

    async def open(self, sock: socket.socket) -> None:
        """Start answering on `sock`."""
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def close(self) -> None:
        """Finish what is being answered, for at most 2 s."""
        await self._runner.cleanup()


def _pattern_of(path: str) -> str:
    """Give a path whose parts take any one segment: by themselves they take no braces, and a name may have some."""
    return _PART.sub(r"{\1:[^/]+}", path)


def _responder_of(endpoint: Endpoint, operations: Operations) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        return await endpoint.respond(operations, request)

    return respond


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Streams begin within their endpoint, so the guard would come too late for theirs."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


class _Guard:
    """What every request passes."""

    def __init__(self, gatekeeper: Gatekeeper) -> None:
        self.endpoints: dict[object, Endpoint] = {}
        self._gatekeeper = gatekeeper

    def middleware(self) -> Middleware:
        """Give it as aiohttp wants it."""

        @web.middleware
        async def guard(request: web.Request, handler: Respond) -> web.StreamResponse:
            endpoint = self.endpoints.get(request.match_info.handler)
            try:
                return await self._guarded(request, handler, endpoint)
            except ApiError as error:
                response = self._told(request, endpoint, error)
            except web.HTTPException as error:
                response = self._told(request, endpoint, ApiError(error.status, _code_of(error.status), error.reason))
                _keep_allow(error.headers, response)
            except web.RequestPayloadError:
                odd = ApiError(400, "bad_request", "the body is not packed as its headers say")
                response = self._told(request, endpoint, odd)
            except Exception:  # A fault of ours must not show its traceback to whoever asks.
                log.exception("an operators' request failed", extra={"storm": "admin"})
                fault = ApiError(500, "internal", "a fault of ours; the log has it")
                response = self._told(request, endpoint, fault)
            return response

        return guard

    async def _guarded(self, request: web.Request, respond: Respond, endpoint: Endpoint | None) -> web.StreamResponse:
        # What is no endpoint answers with an error only: whoever may look may know that there is none.
        needs = Role.VIEWER if endpoint is None else endpoint.needs
        decided = self._gatekeeper.decide(await _caller_of(request, endpoint), needs)
        if isinstance(decided, Visitor):
            request[VISITOR] = decided
            return await respond(request)
        if decided.status == 401 and request.method == "GET" and _wants_page(request, endpoint):
            return web.Response(status=303, headers={"Location": f"/sign-in?next={quote(request.path_qs, safe='')}"})
        raise ApiError(decided.status, decided.code, decided.message)

    def _told(self, request: web.Request, endpoint: Endpoint | None, error: ApiError) -> web.Response:
        if _wants_page(request, endpoint):
            return error_page(request, error.status, error.code, error.message)
        return json_response({"error": {"code": error.code, "message": error.message}}, error.status)


def _wants_page(request: web.Request, endpoint: Endpoint | None) -> bool:
    if endpoint is not None:
        return endpoint.is_page
    is_api = request.path.startswith(("/api/", "/ofrep/"))
    return not is_api and "text/html" in request.headers.get("Accept", "")


async def _caller_of(request: web.Request, endpoint: Endpoint | None) -> Caller:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    csrf = request.headers.get("X-Sluice-CSRF")
    if csrf is None and endpoint is not None and endpoint.is_page and request.content_type == _FORM:
        with suppress(ApiError):  # Who asks comes first; whoever is let in is told what is wrong with the form.
            field = (await form_of(request)).get("csrf")
            csrf = field if isinstance(field, str) else None
    return Caller(
        method=request.method,
        peer=peer[0] if isinstance(peer, tuple) else None,
        host=request.headers.get("Host", ""),
        origin=request.headers.get("Origin"),
        fetch_site=request.headers.get("Sec-Fetch-Site"),
        authorization=request.headers.get("Authorization"),
        cookie=request.cookies.get(SESSION_COOKIE),
        csrf=csrf,
    )


def _keep_allow(headers: Mapping[str, str], response: web.StreamResponse) -> None:
    if "Allow" in headers:
        response.headers["Allow"] = headers["Allow"]


def _code_of(status: int) -> str:
    return {404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}.get(status, "bad_request")
