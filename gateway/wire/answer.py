"""Unary answers: what they may say to the client, and what a refusal names."""

from __future__ import annotations

import re

import msgspec

from gateway.domain.variant import Api
from gateway.wire.body import Fields

_FIELDS = msgspec.json.Decoder(Fields)
_ANY = msgspec.json.Decoder()
_UNKNOWN_NAME = re.compile(r'Unknown name "([^"]+)"')


def hide_model(api: Api, body: bytes, model_name: str, instructions: bytes | None) -> bytes:
    """
    Give the answer with the route's name as its model, and its own instructions echoed.

    Args:
        api: Only responses echo instructions.
        body: The answer; what is no JSON object comes back as it is.
        model_name: Written over `model`, where there is one.
        instructions: JSON of the client's own instructions, or None to leave the echo alone.
    """
    try:
        fields = _FIELDS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if "model" in fields:
        fields["model"] = msgspec.Raw(msgspec.json.encode(model_name))
    if instructions is not None and api is Api.RESPONSES and "instructions" in fields:
        fields["instructions"] = msgspec.Raw(instructions)
    return msgspec.json.encode(fields)


def names_field(body: bytes) -> str | None:
    """
    Give the request field that an error body blames, or None.

    Understands OpenAI's `error.param`, Gemini's array (`Unknown name "…"`), the flat object of some
    local servers, and `detail[].loc` of those built on FastAPI.
    """
    try:
        problem = _ANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(problem, list):
        problem = problem[0] if problem else None
    if not isinstance(problem, dict):
        return None
    error = problem.get("error", problem)
    if not isinstance(error, dict):
        return None
    param = error.get("param")
    if isinstance(param, str) and param:
        return param
    message = error.get("message")
    if isinstance(message, str):
        found = _UNKNOWN_NAME.search(message)
        return found[1] if found else None
    return _first_location(message if isinstance(message, dict) else problem)


def _first_location(problem: dict[str, object]) -> str | None:
    """Give `temperature` for `{"detail": [{"loc": ["body", "temperature"]}]}`."""
    details = problem.get("detail")
    if not isinstance(details, list) or not details or not isinstance(details[0], dict):
        return None
    location = details[0].get("loc")
    if not isinstance(location, list):
        return None
    names = [str(name) for name in location if name != "body"]
    return ".".join(names) or None
