"""Everything an OpenAI client may call that is not split: passed on raw, in both directions at once."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote_to_bytes

from gateway.errors import GatewayError, MethodError, NoRouteError, NotYetError, UpstreamBrokenError
from gateway.proxy.bound import BoundProvider, BoundTable
from gateway.proxy.exchange import BodyStream, ClientRequest, Headers, Sink
from gateway.proxy.relay import relay_raw
from gateway.proxy.upstream.connection import UpstreamConnection
from gateway.tasks import TaskGroup
from gateway.wire.headers import response_headers

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"})

ADMIN_SURFACES = (b"/v1/organization", b"/v1/organizations", b"/v1/projects")
"""Whoever may ask for answers may not thereby administer the account."""


async def pass_through(
    bound: BoundTable, request: ClientRequest, sink: Sink, tasks: TaskGroup, own_headers: Headers
) -> GatewayError | None:
    """
    Pass a call on to the default provider, and its answer back.

    Returns:
        None when the answer was whole, else what broke it after the client had bytes.

    Raises:
        GatewayError: Nothing was answered yet, and this is why.
    """
    check_passage(request)
    if bound.unrouted is None:
        message = "This path is not one that routes answer, and the gateway has no default_provider."
        raise NoRouteError(message, code="path_not_found")
    provider = bound.unrouted.provider
    target = provider.provider.base_path.encode() + request.path.removeprefix(b"/v1") + request.query
    connection = provider.pool.take_idle() or await provider.pool.acquire()
    return await _exchange(connection, provider, request, target, sink, tasks, own_headers)


def check_passage(request: ClientRequest) -> None:
    """
    Refuse what does not pass.

    Raises:
        MethodError, NoRouteError, NotYetError: As their messages say.
    """
    if request.method not in METHODS:
        message = f"Method {request.method.decode('latin-1')} is not passed on."
        raise MethodError(message)
    if (request.header(b"upgrade") or b"").lower() == b"websocket":
        message = "WebSocket connections are not passed on yet; use the HTTP endpoints."
        raise NotYetError(message)
    path = unquote_to_bytes(request.path).lower().rstrip(b"/")
    if not request.path.startswith(b"/v1/"):
        message = "There is nothing here; the API begins at /v1."
        raise NoRouteError(message, code="path_not_found")
    while path.startswith(b"/v1/v1/"):  # A provider without a base path would read it from the second one on.
        path = path.removeprefix(b"/v1")
    if any(path == surface or path.startswith(surface + b"/") for surface in ADMIN_SURFACES):
        message = "Administration of the provider's account does not go through the gateway."
        raise NoRouteError(message, code="path_blocked")


async def _exchange(
    connection: UpstreamConnection,
    provider: BoundProvider,
    request: ClientRequest,
    target: bytes,
    sink: Sink,
    tasks: TaskGroup,
    own_headers: Headers,
) -> GatewayError | None:
    response = connection.send_head(provider.passed_head(request, target), is_head=request.method == b"HEAD")
    pump = _start_pump(connection, request, tasks)
    try:
        await response.arrive()
        if 300 <= response.status < 400 and response.status != 304:
            message = f"The provider answered with a redirect ({response.status}), which is never followed."
            raise UpstreamBrokenError(message, code="upstream_redirect")
        return await relay_raw(
            response, response_headers(response.headers, response.connection_header) + own_headers, sink
        )
    finally:
        if pump is not None and not pump.done():
            pump.cancel()
        response.release()


def _start_pump(connection: UpstreamConnection, request: ClientRequest, tasks: TaskGroup) -> asyncio.Task[None] | None:
    is_chunked = request.content_length is None and request.header(b"transfer-encoding") is not None
    if request.stream is None or not (is_chunked or request.content_length):
        connection.finish_request()
        return None
    return tasks.spawn(_pump(connection, request.stream, is_chunked=is_chunked))


async def _pump(connection: UpstreamConnection, body: BodyStream, *, is_chunked: bool) -> None:
    """Send the body as it arrives."""
    async for piece in body:
        await connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if is_chunked:
        await connection.write(b"0\r\n\r\n")
    connection.finish_request()
