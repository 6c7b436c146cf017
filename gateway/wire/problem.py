"""
Errors as clients understand them: OpenAI's body, and its frames for streams that have begun.

No `event: error` and no `id:` lines are ever written: official clients take the first for an
ordinary chunk and stumble over comments after the second. No `[DONE]` follows an error, because
that would say the answer is whole.
"""

from __future__ import annotations

import msgspec

from gateway.domain.variant import Api
from gateway.errors import GatewayError


def render_problem(error: GatewayError) -> bytes:
    """Give the body of an error answer: `{"error": {message, type, param, code}}`."""
    return msgspec.json.encode({"error": _error_of(error)})


def render_stream_problem(
    api: Api,
    error: GatewayError,
    *,
    sequence_number: int,
    at_boundary: bool,
    response_id: str = "",
    model: str = "",
    created_at_unix_s: int = 0,
) -> bytes:
    """
    Give the frame that ends a stream which cannot go on.

    Within an event (`at_boundary` is False, possible only after `StreamTap` spilled an event over
    64 KiB) the frame begins with a blank line, and clients then fail on the broken event with a
    JSON error before they see ours: breaking the connection off tells them more clearly.

    Args:
        api: Responses get `response.failed`, the others an error chunk.
        error: What happened.
        sequence_number: The last one passed on, -1 for none; the frame's is one more.
        at_boundary: What the client has ends between two events.
        response_id: The response's id, if it was seen.
        model: The model's name, as far as the client may know it.
        created_at_unix_s: Seconds since 1970, for responses.
    """
    lead = b"" if at_boundary else b"\n\n"
    if api is not Api.RESPONSES:
        return lead + b"data: " + render_problem(error) + b"\n\n"
    response = {
        "id": response_id or "resp_failed",
        "object": "response",
        "created_at": created_at_unix_s,
        "status": "failed",
        "error": {"code": "server_error", "message": error.message},
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
    event = {"type": "response.failed", "sequence_number": sequence_number + 1, "response": response}
    return lead + b"event: response.failed\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _error_of(error: GatewayError) -> dict[str, str | None]:
    return {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
