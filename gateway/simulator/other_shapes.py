"""Everything a provider answers that is not generated text: errors, models, embeddings, moderations, files."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.simulator.answers import CHARS_PER_TOKEN
from gateway.simulator.chance import share_of
from gateway.simulator.describe import ModelBehaviour
from gateway.simulator.question import Question, missing, text_of

EMBEDDING_DIMENSIONS = 64
"""Enough to compare vectors, few enough to read one."""

_CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)

_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-***."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Country, region or territory refused."),
    404: ("invalid_request_error", None, "Not found."),
    408: ("server_error", "request_timeout", "The request timed out."),
    409: ("invalid_request_error", "conflict", "Another process changed this resource."),
    413: ("invalid_request_error", "request_too_large", "The request body is too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Try again in a moment."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
    529: ("overloaded_error", "overloaded", "Overloaded."),
}


def render_error(
    status: int, message: str | None = None, *, code: str | None = None, param: str | None = None
) -> bytes:
    """Give an OpenAI error body with the type, code and message this status usually has."""
    usual = 400 if status < 500 else 500
    kind, usual_code, usual_message = _ERRORS.get(status) or _ERRORS[usual]
    error = {"message": message or usual_message, "type": kind, "param": param, "code": code or usual_code}
    return orjson.dumps({"error": error})


def refusal_of(question: Question, model: ModelBehaviour) -> bytes | None:
    """Give the 400 body with which this model rejects a parameter, or None when it takes them all."""
    body = question.body
    if model.rejects_stream_options and "stream_options" in body:
        message = "Unrecognized request argument supplied: stream_options"
        return render_error(400, message, param="stream_options")
    is_reasoner = question.model.startswith("reasoner") if model.is_reasoner is None else model.is_reasoner
    if not is_reasoner:
        return None
    if "max_tokens" in body:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. "
        message += "Use 'max_completion_tokens' instead."
        return render_error(400, message, code="unsupported_parameter", param="max_tokens")
    temperature = body.get("temperature")
    if temperature is not None and temperature != 1:
        message = f"Unsupported value: 'temperature' does not support {temperature} with this model. "
        message += "Only the default (1) value is supported."
        return render_error(400, message, code="unsupported_value", param="temperature")
    return None


def render_model(name: str) -> dict[str, Any]:
    """Give one model object."""
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "simulator"}


def render_models(names: Iterable[str]) -> bytes:
    """Give the list of models."""
    return orjson.dumps({"object": "list", "data": [render_model(name) for name in names]})


def render_embeddings(body: dict[str, Any]) -> bytes:
    """
    Give vectors of length 1 that depend on the texts alone.

    Raises:
        BadRequestError: `input` or `model` is missing; `param` names it.
    """
    texts = _inputs_of(body)
    wanted = body.get("dimensions")
    n_dimensions = wanted if isinstance(wanted, int) and 0 < wanted <= 4096 else EMBEDDING_DIMENSIONS
    as_base64 = body.get("encoding_format") == "base64"
    vectors = [_vector(text, n_dimensions) for text in texts]
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    n_tokens = _tokens_of(texts)
    usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    return orjson.dumps({"object": "list", "data": data, "model": body["model"], "usage": usage})


def render_moderation(body: dict[str, Any], *, serial: int) -> bytes:
    """
    Give a verdict: texts that say "attack" or "weapon" are flagged as violence, so tests can choose.

    Raises:
        BadRequestError: `input` is missing.
    """
    texts = _inputs_of(body | {"model": body.get("model", "omni-moderation-latest")})
    results = []
    for text in texts:
        is_flagged = any(word in text.lower() for word in ("attack", "weapon"))
        scores = {name: round(0.01 * share_of(name, text), 6) for name in _CATEGORIES}
        scores["violence"] = 0.93 if is_flagged else scores["violence"]
        categories = {name: is_flagged and name == "violence" for name in _CATEGORIES}
        applied = {name: ["text"] for name in _CATEGORIES}
        verdict = {"flagged": is_flagged, "categories": categories, "category_scores": scores}
        results.append(verdict | {"category_applied_input_types": applied})
    model = body.get("model", "omni-moderation-latest")
    return orjson.dumps({"id": f"modr-{serial:024x}", "model": model, "results": results})


def render_file(file_id: str, content: bytes, filename: str, *, unix_ms: int) -> dict[str, Any]:
    """Give a file object, with the sha256 that proves the upload came whole."""
    return {
        "id": file_id,
        "object": "file",
        "bytes": len(content),
        "created_at": unix_ms // 1000,
        "filename": filename,
        "purpose": "user_data",
        "status": "processed",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def peek_upload(content_type: str, body: bytes) -> tuple[str, bytes] | None:
    """Give file name and content of the part of a multipart body that has a file name, or None."""
    _, _, boundary = content_type.partition("boundary=")
    boundary = boundary.partition(";")[0].strip().strip('"')
    if not boundary:
        return None
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1")):
        head, found, content = part.partition(b"\r\n\r\n")
        _, named, rest = head.partition(b'filename="')
        if found and named:
            return rest.partition(b'"')[0].decode("utf-8", "replace"), content
    return None


def _inputs_of(body: dict[str, Any]) -> list[str]:
    if not isinstance(body.get("model"), str):
        raise missing(field="model")
    texts = body.get("input")
    if isinstance(texts, str):
        return [texts]
    if not isinstance(texts, list) or not texts:
        raise missing(field="input")
    if all(isinstance(one, int) for one in texts):
        return [repr(texts)]
    return [one if isinstance(one, str) else text_of([one]) or repr(one) for one in texts]


def _tokens_of(texts: list[str]) -> int:
    return max(1, -(-sum(map(len, texts)) // CHARS_PER_TOKEN))


def _vector(text: str, n_dimensions: int) -> list[float]:
    raw = [share_of(number, text) - 0.5 for number in range(n_dimensions)]
    length = sum(value * value for value in raw) ** 0.5 or 1.0
    return [value / length for value in raw]


def _base64(vector: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
