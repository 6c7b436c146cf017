"""What a client is told beside the answer itself, and what an answer that is a problem says of whose it is."""

from __future__ import annotations

from gateway.domain.provider import Auth
from gateway.domain.variant import Api
from gateway.proxy.bound import BoundArm, BoundVariant
from gateway.proxy.exchange import Headers
from gateway.proxy.observe import note_blame, note_signal
from gateway.proxy.upstream.response import UpstreamResponse
from gateway.record.outcome import Outcome
from gateway.wire.answer import names_field
from gateway.wire.fault import fault_of
from gateway.wire.headers import encode_headers, response_headers, response_lines
from gateway.wire.safety import read_problem


def answer_headers(
    response: UpstreamResponse,
    outcome: Outcome,
    arm: BoundArm | None,
    variant: BoundVariant,
    config_header: tuple[bytes, bytes],
) -> Headers:
    """
    Give the headers of an answer: the provider's that travel, then ours. The outcome learns who served it.

    Args:
        response: The provider's answer.
        outcome: Of the request.
        arm: The request's; None for a call that no route takes.
        variant: Which answered.
        config_header: What says which table it was.
    """
    headers = response_headers(response.headers, response.connection_header)
    headers.append((b"x-sluice-request-id", outcome.request_id.encode()))
    if arm is None or variant.variant is None:
        headers.append(config_header)
        return headers
    headers += arm.headers
    outcome.served = served = variant.variant.name
    if served != arm.name and len(arm.headers) > 1:  # Shown where the arm is.
        headers.append((b"x-sluice-served", served.encode()))
    return headers


def answer_lines(
    response: UpstreamResponse,
    outcome: Outcome,
    arm: BoundArm | None,
    variant: BoundVariant,
    config_header: tuple[bytes, bytes],
) -> bytes:
    """Give the same, encoded: at little cost where the answer was one read of the arm's own variant."""
    served = variant.variant
    if arm is None or served is None or served.name != arm.name or not response.lines:
        return encode_headers(answer_headers(response, outcome, arm, variant, config_header))
    outcome.served = served.name
    lines = response_lines(response.first, response.lines)
    lines.append(b"x-sluice-request-id: " + outcome.request_id.encode())
    lines.append(arm.lines)  # Ends with a line end of its own.
    return b"\r\n".join(lines)


def note_problem(outcome: Outcome, response: UpstreamResponse, variant: BoundVariant, api: Api) -> None:
    """Note whose failure an answer with a status of 400 or more is, and what it says of safety."""
    fault = fault_of(
        response.status,
        is_client_key=variant.provider.provider.auth is Auth.CLIENT,
        param=names_field(response.body()) if response.status in (400, 422) and response.is_whole else None,
        rewrite=variant.plan(api).rewrite,
    )
    note_blame(outcome, fault, f"upstream_{response.status}")
    if response.is_whole:
        note_signal(outcome, read_problem(response.status, response.body()))
