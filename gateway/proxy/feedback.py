"""
`POST /v1/feedback`: parsed and attributed here, made durable elsewhere, and acknowledged only then.

Of a list either every piece is well-formed and all of them are handed over, or none is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator

from gateway.clock import Clock
from gateway.errors import BadRequestError, MethodError, UnsupportedMediaError
from gateway.proxy.attribution import attribute
from gateway.proxy.bound import BoundTable
from gateway.proxy.exchange import ClientRequest, Headers, Sink
from gateway.record.feedback import Feedback, Receipt
from gateway.wire.feedback import MAX_BODY_BYTES, Answered, Said, parse_feedback, render_receipts

PATH = b"/v1/feedback"

BODY_LIMIT = MAX_BODY_BYTES
"""For the edge: larger bodies are refused unread."""

Give = Callable[[list[Feedback]], Awaitable[list[Receipt]]]
"""Hands feedback over and returns once it is durable, with one receipt each."""

_PIECES_PER_TURN = 20
"""Read and attributed before others get their turn: below a millisecond."""

_JSON_TYPE = (b"content-type", b"application/json")


async def answer_feedback(bound: BoundTable, request: ClientRequest, sink: Sink, give: Give, clock: Clock) -> None:
    """
    Take feedback, and answer once it is durable: 200, or 409 where an id was used for something else.

    When cancelled, because the client left, what was handed over may have been kept.

    Raises:
        GatewayError: A MethodError, an UnsupportedMediaError, a BadRequestError that names what is
            wrong, or whatever `give` raises. Nothing is then acknowledged.
    """
    _check_request(request)
    received_unix_ms = clock.unix_ms()
    said = parse_feedback(
        request.body,
        bound.table.head.metrics,
        received_unix_ms=received_unix_ms,
        idempotency_key=_idempotency_key_of(request),
    )
    feedback = await _attributed(said, bound, received_unix_ms)
    receipts = await give(feedback)
    answered = [Answered(one.id, one.metric, receipt.value) for one, receipt in zip(feedback, receipts, strict=True)]
    has_conflict = Receipt.CONFLICT in receipts
    headers: Headers = [_JSON_TYPE, bound.config_header]
    if has_conflict:
        # The SDKs try a 409 three times; this would be refused three times.
        headers.append((b"x-should-retry", b"false"))
    sink.respond(409 if has_conflict else 200, headers, render_receipts(answered))


async def _attributed(said: Iterator[Said], bound: BoundTable, received_unix_ms: int) -> list[Feedback]:
    feedback: list[Feedback] = []
    for one in said:
        if feedback and len(feedback) % _PIECES_PER_TURN == 0:
            await asyncio.sleep(0)
        spare_id = secrets.token_hex(16)
        feedback.append(attribute(one, bound.table, bound.seal, received_unix_ms=received_unix_ms, spare_id=spare_id))
    return feedback


def _check_request(request: ClientRequest) -> None:
    if request.method != b"POST":
        message = "Feedback is given by POST."
        raise MethodError(message)
    if request.first.get(b"content-encoding", b"identity").lower() != b"identity":
        message = "Compressed request bodies are not read here; send it without content-encoding."
        raise UnsupportedMediaError(message)


def _idempotency_key_of(request: ClientRequest) -> str | None:
    value = request.header(b"idempotency-key")
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        message = "`idempotency-key`: It is not UTF-8."
        raise BadRequestError(message, code="invalid_feedback", param="idempotency-key") from None
