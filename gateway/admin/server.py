"""
The operators' HTTP server, on a socket the parent keeps: a restarted control process loses no port.

Every request passes `_guard`: authorisation by the endpoint that was matched (never by the text of
the URL), the same error shape for everything, no traceback to anybody, and the headers that keep a
browser from caching or guessing.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.admin.api import ENDPOINTS, MAX_BODY_BYTES
from gateway.admin.auth import Caller, Gatekeeper
from gateway.admin.endpoint import ApiError, Endpoint, json_response
from gateway.admin.operations import Operations

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(operations: Operations, *, token: str | None) -> web.Application:
    """Give the application: ENDPOINTS and nothing else."""
    endpoints: dict[object, Endpoint] = {}
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard_of(Gatekeeper(token), endpoints)])
    for endpoint in ENDPOINTS:
        responder = _responder_of(endpoint, operations)
        endpoints[responder] = endpoint
        app.router.add_route(endpoint.method, endpoint.path, responder)
    return app


class AdminServer:
    """The application on its socket, from `open` to `close`."""

    def __init__(self, operations: Operations, *, token: str | None) -> None:
        self._runner = web.AppRunner(
            build_app(operations, token=token),
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


def _responder_of(endpoint: Endpoint, operations: Operations) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        return await endpoint.respond(operations, request)

    return respond


def _error_response(status: int, code: str, message: str) -> web.Response:
    return json_response({"error": {"code": code, "message": message}}, status)


def _guard_of(gatekeeper: Gatekeeper, endpoints: dict[object, Endpoint]) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Respond) -> web.StreamResponse:
        try:
            response = await _guarded(request, handler)
        except ApiError as error:
            response = _error_response(error.status, error.code, error.message)
        except web.HTTPException as error:
            response = _error_response(error.status, _code_of(error.status), error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Exception:  # A fault of ours must not show its traceback to whoever asks.
            log.exception("an operators' request failed", extra={"storm": "admin"})
            response = _error_response(500, "internal", "a fault of ours; the log has it")
        response.headers.update(HEADERS)
        return response

    async def _guarded(request: web.Request, respond: Respond) -> web.StreamResponse:
        endpoint = endpoints.get(request.match_info.handler)
        if endpoint is None or not endpoint.is_open:
            refusal = gatekeeper.decide(_caller_of(request))
            if refusal is not None:
                raise ApiError(refusal.status, refusal.code, refusal.message)
        return await respond(request)

    return guard


def _caller_of(request: web.Request) -> Caller:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return Caller(
        method=request.method,
        peer=peer[0] if isinstance(peer, tuple) else None,
        host=request.headers.get("Host", ""),
        origin=request.headers.get("Origin"),
        authorization=request.headers.get("Authorization"),
    )


def _code_of(status: int) -> str:
    return {404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}.get(status, "bad_request")
