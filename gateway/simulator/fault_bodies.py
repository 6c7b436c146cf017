"""Faults of what is said: error statuses, and 200s whose body is no answer."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from gateway.simulator.answers import filtered, refused
from gateway.simulator.fault import Fault, Harm, Order, Phase, Script
from gateway.simulator.other_shapes import render_error
from gateway.simulator.question import Api
from gateway.simulator.script import Reply, Send, Step, render_head

METADATA_URL = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
"""Where a cloud keeps its machines' secrets: a proxy that follows this has lost."""

_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>%d</title></head>\n"
    b"<body><center><h1>%d</h1></center><hr><center>cloudflare</center></body></html>\n"
)
_MEBIBYTE = 1024 * 1024


def status_script(status: int) -> Script:
    """Give the script that answers with this status and OpenAI's body for it."""

    def script(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
        more: tuple[tuple[str, str], ...] = ()
        body = render_error(status)
        if status == 400:
            message = "Unsupported parameter: 'temperature' is not supported with this model."
            body = render_error(400, message, code="unsupported_parameter", param="temperature")
        if status == 429:
            more = (("retry-after", order.argument or "1"), ("x-ratelimit-remaining-requests", "0"))
        yield Send(_whole(reply, status, "application/json", body, *more))

    return script


def _html(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    status = order.number(502)
    yield Send(_whole(reply, status, "text/html; charset=UTF-8", _HTML % (status, status)))


def _error_array(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    body = b'[{"error":{"code":400,"message":"Invalid JSON payload received.","status":"INVALID_ARGUMENT"}}]'
    yield Send(_whole(reply, 400, "application/json; charset=UTF-8", body))


def _redirect(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(_whole(reply, 307, "text/plain", b"", ("location", order.argument or METADATA_URL)))


_BODIES = {
    "not-json": ("text/plain", b"upstream connect error or disconnect/reset before headers"),
    "html-200": ("text/html", _HTML % (200, 200)),
    "empty": ("application/json", b""),
    "array": ("application/json", b'[{"id":"chatcmpl-1"}]'),
    "null": ("application/json", b"null"),
    "half-json": ("application/json", b'{"id":"chatcmpl-1","object":"chat.comple'),
    "bad-utf8": ("application/json", b'{"id":"chatcmpl-1","choices":[{"message":{"content":"\xff\xfe"}}]}'),
    "error-200": ("application/json", b'{"error":{"message":"model crashed","type":"server_error","code":500}}'),
}


def _other_body(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    content_type, body = _BODIES[order.name]
    yield Send(_whole(reply, 200, content_type, body))


def _gzip(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    body = _gzipped([reply.body])
    yield Send(_whole(reply, 200, dict(reply.headers)["content-type"], body, ("content-encoding", "gzip")))


def _gzip_bomb(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    body = _gzipped(b"\0" * _MEBIBYTE for _ in range(order.number(64)))
    yield Send(_whole(reply, 200, dict(reply.headers)["content-type"], body, ("content-encoding", "gzip")))


def _gzipped(runs: list[bytes] | Iterator[bytes]) -> bytes:
    press = zlib.compressobj(level=1, wbits=31)
    return b"".join([*(press.compress(run) for run in runs), press.flush()])


def _whole(reply: Reply, status: int, content_type: str, body: bytes, *more: tuple[str, str]) -> bytes:
    """Give a response that keeps the reply's headers except for what it says of its body."""
    kept = tuple((name, value) for name, value in reply.headers if name != "content-type")
    return render_head(status, kept, ("content-type", content_type), *more, ("content-length", str(len(body)))) + body


_B, _M = Phase.BEFORE, Phase.MID
_WRONG = {_B: Harm.WRONG}

FAULTS = (
    Fault("html", "an HTML error page of status ARG, 502", _html, {_B: Harm.STATUS}),
    Fault("error-array", "400 with a JSON array, as Gemini answers", _error_array, {_B: Harm.STATUS}),
    Fault("redirect", "307 to ARG, the cloud's metadata address", _redirect, {_B: Harm.STATUS}),
    Fault("not-json", "200 and plain text", _other_body, _WRONG),
    Fault("html-200", "200 and an HTML page", _other_body, _WRONG),
    Fault("empty", "200 and no body", _other_body, _WRONG),
    Fault("array", "200 and a JSON array", _other_body, _WRONG),
    Fault("null", "200 and `null`", _other_body, _WRONG),
    Fault("half-json", "200 and half of a JSON object, with the right length", _other_body, _WRONG),
    Fault("bad-utf8", "200 and JSON that is not UTF-8", _other_body, _WRONG),
    Fault("error-200", "200 and an error object", _other_body, _WRONG),
    Fault("gzip", "gzip although identity was asked for", _gzip, {_B: Harm.NONE}),
    Fault("gzip-bomb", "a gzip body of ARG MiB, 64, of zeros", _gzip_bomb, _WRONG),
    Fault("content-filter", "ends by content filter", None, {_M: Harm.SAFETY}, change=filtered),
    Fault("refusal", "refuses, in the field refusals have", None, {_M: Harm.SAFETY}, change=refused),
)
