"""OpenFeature's remote protocol on the operators' port: what apps ask workers, for those who may look."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint
from gateway.admin.operations import Operations
from gateway.wire.ofrep import FLAGS_PATH, MAX_BODY_BYTES

_CONTEXT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "context": {
            "type": "object",
            "properties": {"targetingKey": {"type": "string", "description": "The user id."}},
            "additionalProperties": True,
        }
    },
}

_REFUSED = (400, "The context is not right, or does not say enough; errorCode and errorDetails say what.")
_TOO_LARGE = (413, f"Over {MAX_BODY_BYTES // 1024} KiB.")
_NOT_READY = (503, "There is no configuration yet.")


async def _one(operations: Operations, request: web.Request) -> web.Response:
    return await _answer(operations, request, request.match_info["key"])


async def _all(operations: Operations, request: web.Request) -> web.Response:
    return await _answer(operations, request, None)


async def _answer(operations: Operations, request: web.Request, key: str | None) -> web.Response:
    body = await request.read()
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", f"a context may have {MAX_BODY_BYTES} bytes")
    answer = await operations.evaluate_flags(key, body, request.headers.get("If-None-Match"))
    headers = {"ETag": answer.etag} if answer.etag else {}
    content_type = "application/json" if answer.body else None
    return web.Response(body=answer.body, status=answer.status, headers=headers, content_type=content_type)


OFREP_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        FLAGS_PATH,
        "Every flag of every route, for one user.",
        _all,
        needs=Role.VIEWER,
        takes="application/json",
        schema=_CONTEXT,
        statuses=((304, "As If-None-Match has it."), _REFUSED, _TOO_LARGE, _NOT_READY),
    ),
    Endpoint(
        "POST",
        f"{FLAGS_PATH}/{{key}}",
        "One flag, for one user.",
        _one,
        needs=Role.VIEWER,
        parts=(("key", "ROUTE or ROUTE.FLAG."),),
        takes="application/json",
        schema=_CONTEXT,
        statuses=(_REFUSED, (404, "No such flag."), _TOO_LARGE, _NOT_READY),
    ),
)
"""What of the protocol is served: one flag, and all of them."""
