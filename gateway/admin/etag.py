"""Answers that need not be sent twice: an ETag over the bytes, and 304 to whoever has them already."""

from __future__ import annotations

from hashlib import blake2b

import orjson
from aiohttp import web

UNCHANGED = (304, "As `If-None-Match` has it.")
"""What such an endpoint answers besides."""


def tagged(request: web.Request, body: bytes, content_type: str = "application/json") -> web.Response:
    """
    Give `body` with its ETag; 304 without it where `If-None-Match` names that.

    The tag follows from the bytes: what has changed always has another, and two gateways give the same.
    """
    etag = blake2b(body, digest_size=12).hexdigest()
    known = request.if_none_match or ()
    response = web.Response(status=304) if any(each.value in (etag, "*") for each in known) else web.Response(body=body)
    if response.status == 200:
        response.content_type = content_type
        if content_type.startswith("text/"):
            response.charset = "utf-8"
    response.etag = etag
    return response


def tagged_json(request: web.Request, body: object) -> web.Response:
    """Give `body` as JSON, likewise."""
    return tagged(request, orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
