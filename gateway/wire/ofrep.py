"""OpenFeature's remote evaluation protocol: what a request says, and how answers are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from xxhash import xxh3_128_hexdigest

from gateway.domain.flag import Evaluation, FlagErrorCode, FlagProblem
from gateway.domain.request_view import RequestView
from gateway.domain.variant import Api
from gateway.errors import BadRequestError
from gateway.wire.body import OPEN_BRACE, QUOTE, parse_fields
from gateway.wire.view import BodyView

FLAGS_PATH = "/ofrep/v1/evaluate/flags"
"""For all of them; with `/KEY` behind it for one."""

MAX_BODY_BYTES = 64 * 1024
"""Of a request: a context is a few attributes."""

MAX_BULK_FLAGS = 5_000
MAX_BULK_BYTES = 4 * 1024 * 1024
"""In one answer; who has more asks for them one by one."""

_STATUS = {FlagErrorCode.FLAG_NOT_FOUND: 404}


class FlagAnswer(NamedTuple):
    """
    An answer, whichever port gives it.

    Attributes:
        status: HTTP status.
        body: JSON; empty for 304.
        etag: Of an answer about all flags; empty for others.
    """

    status: int
    body: bytes
    etag: str = ""


def parse_context(body: bytes) -> RequestView | FlagProblem:
    """Give the context of a request; its attributes are asked for by `body`. A request without one has an empty one."""
    try:
        raw = parse_fields(body).get("context", msgspec.Raw(b"{}"))
        if memoryview(raw)[0] != OPEN_BRACE:
            return FlagProblem(FlagErrorCode.INVALID_CONTEXT, "`context` must be an object")
        fields = parse_fields(bytes(raw))
    except BadRequestError as error:
        return FlagProblem(FlagErrorCode.PARSE_ERROR, error.message)
    key = fields.get("targetingKey")
    if key is not None and memoryview(key)[0] != QUOTE and bytes(key) != b"null":
        return FlagProblem(FlagErrorCode.INVALID_CONTEXT, "`context.targetingKey` must be a string")
    return BodyView(Api.CHAT, {}, fields)


def encode_flag(told: Evaluation | FlagProblem, key: str) -> bytes:
    """Give what is said of one flag, alone or among others."""
    if isinstance(told, FlagProblem):
        return msgspec.json.encode({"key": key, "errorCode": told.code, "errorDetails": told.details})
    return msgspec.json.encode(
        {
            "key": told.key,
            "reason": told.reason,
            "variant": told.variant,
            "metadata": told.metadata,
            "value": msgspec.Raw(told.value),
        }
    )


def render_flag(told: Evaluation | FlagProblem, key: str) -> FlagAnswer:
    """Give the answer about one flag."""
    body = encode_flag(told, key)
    return FlagAnswer(_STATUS.get(told.code, 400) if isinstance(told, FlagProblem) else 200, body)


def render_bulk(encoded: Iterable[bytes], if_none_match: str | None) -> FlagAnswer:
    """Give the answer about all flags, each as `encode_flag` gives it; 304 where the client has it already."""
    body = b'{"flags":[%b]}' % b",".join(encoded)
    etag = f'"{xxh3_128_hexdigest(body)}"'
    return FlagAnswer(304, b"", etag) if _is_named(etag, if_none_match) else FlagAnswer(200, body, etag)


def render_bulk_problem(problem: FlagProblem) -> FlagAnswer:
    """Give the refusal of a request about all flags."""
    return FlagAnswer(400, msgspec.json.encode({"errorCode": problem.code, "errorDetails": problem.details}))


def render_failure(status: int, details: str) -> FlagAnswer:
    """Give an answer that is about no flag."""
    return FlagAnswer(status, msgspec.json.encode({"errorDetails": details}))


def _is_named(etag: str, if_none_match: str | None) -> bool:
    named = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return etag in named or "*" in named
