"""
Flags over OpenFeature's remote protocol: one evaluation for both ports, so that they cannot disagree.

Answering all flags gives way to requests every few routes. Nothing is recorded: an evaluation is no request, and
whether its user was exposed is only known when a request is sent.
"""

from __future__ import annotations

import asyncio
from urllib.parse import unquote_to_bytes

from gateway.assign.flags import FlagSource, evaluate_flag, evaluate_route
from gateway.assign.identity import CompiledIdentity
from gateway.domain.flag import FlagErrorCode, FlagProblem
from gateway.domain.request_view import RequestView
from gateway.domain.route import Route
from gateway.domain.table import RoutingTable
from gateway.errors import MethodError, UnsupportedMediaError
from gateway.proxy.bound import BoundTable
from gateway.proxy.exchange import ClientRequest, Headers, Sink
from gateway.wire.ofrep import (
    FLAGS_PATH,
    MAX_BODY_BYTES,
    MAX_BULK_BYTES,
    MAX_BULK_FLAGS,
    FlagAnswer,
    encode_flag,
    parse_context,
    render_bulk,
    render_bulk_problem,
    render_failure,
    render_flag,
)

PREFIX = b"/ofrep/"
"""Everything below it is answered here, and never reaches a provider: contexts name users."""

BODY_LIMIT = MAX_BODY_BYTES
"""For the edge: larger bodies are refused unread."""

_ROUTES_PER_TURN = 10
"""Looked at before others get their turn: a millisecond where they were never asked for before."""

_FLAGS_AT_ONCE = 20
"""A route of more has a turn of its own."""

_JSON_TYPE = (b"content-type", b"application/json")


async def answer_ofrep(bound: BoundTable, request: ClientRequest, sink: Sink) -> None:
    """
    Answer on the public port.

    Raises:
        GatewayError: A MethodError or an UnsupportedMediaError; what is wrong with a flag or a context is an answer.
    """
    _check_request(request)
    key = _key_of(request.path)
    if_none_match = (request.header(b"if-none-match") or b"").decode("latin-1")
    if key is None:
        answer = render_failure(404, f"flags are at {FLAGS_PATH} and {FLAGS_PATH}/KEY")
    else:
        source = FlagSource(bound.table.route_names, lambda name: _bound_route(bound, name), bound.identity)
        answer = await answer_flags(source, key or None, request.body, if_none_match)
    headers: Headers = [_JSON_TYPE, bound.config_header]
    if answer.etag:
        headers.append((b"etag", answer.etag.encode()))
    sink.respond(answer.status, headers, answer.body)


async def answer_flags(source: FlagSource, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
    """
    Give the answer about one flag, or about all.

    Args:
        source: Where flags are looked up.
        key: The flag's; None for all.
        body: The request's.
        if_none_match: The header of a client that may have the answer already.
    """
    context = parse_context(body)
    if key is not None:
        return render_flag(context if isinstance(context, FlagProblem) else evaluate_flag(source, key, context), key)
    if isinstance(context, FlagProblem):
        return render_bulk_problem(context)
    return await _answer_bulk(source, context, if_none_match)


async def answer_from_table(table: RoutingTable, key: str | None, body: bytes, if_none_match: str | None) -> FlagAnswer:
    """Give what `answer_flags` does, for whoever holds a table and serves no requests from it."""
    source = FlagSource(table.route_names, table.route, CompiledIdentity(table.head.identity))
    return await answer_flags(source, key, body, if_none_match)


async def _answer_bulk(source: FlagSource, context: RequestView, if_none_match: str | None) -> FlagAnswer:
    encoded: list[bytes] = []
    n_bytes = 0
    for index, name in enumerate(source.route_names, start=1):
        route = source.route_of(name)
        told = () if route is None else evaluate_route(source, route, context)
        of_route = [encode_flag(each, key) for key, each in told]
        encoded += of_route
        n_bytes += sum(map(len, of_route))
        if len(encoded) > MAX_BULK_FLAGS or n_bytes > MAX_BULK_BYTES:
            problem = f"there are too many flags for one answer: ask for them one by one, at {FLAGS_PATH}/KEY"
            return render_bulk_problem(FlagProblem(FlagErrorCode.GENERAL, problem))
        if len(of_route) > _FLAGS_AT_ONCE or index % _ROUTES_PER_TURN == 0:
            await asyncio.sleep(0)
    return render_bulk(encoded, if_none_match)


def _bound_route(bound: BoundTable, name: str) -> Route | None:
    """Give a route as requests find it: what a breaker holds is taken out."""
    found = bound.route(name)
    return None if found is None else found.route


def _key_of(path: bytes) -> str | None:
    """Give the key at the end of a path, empty for all flags; None where the path is another."""
    start = FLAGS_PATH.encode()
    if path.rstrip(b"/") == start:
        return ""
    if not path.startswith(start + b"/"):
        return None
    # The official client puts keys into the path as they are, slashes and all.
    return unquote_to_bytes(path[len(start) + 1 :]).decode("utf-8", "replace")


def _check_request(request: ClientRequest) -> None:
    if request.method != b"POST":
        message = "Flags are asked for by POST."
        raise MethodError(message)
    if request.first.get(b"content-encoding", b"identity").lower() != b"identity":
        message = "Compressed request bodies are not read here; send it without content-encoding."
        raise UnsupportedMediaError(message)
