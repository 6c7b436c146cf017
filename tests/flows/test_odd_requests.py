"""Bytes that no browser and no client of ours sends to the operators' port: none opens anything, none is our fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import pytest

from gateway.admin.api import ENDPOINTS
from gateway.admin.auth import Role, csrf_of
from gateway.admin.pages.listing import PAGES
from gateway.admin.sessions import SESSION_COOKIE
from tests.fakes.busy_operations import BusyOperations
from tests.fakes.operators_port import OPERATOR, OperatorsPort

PARTS = {"release": "support", "route": "support", "action": "rollback", "id": "support-v8-1", "name": "sluice.css"}
PARTS |= {"kind": "experiment", "key": "support"}
STREAMS = ("/api/live", "/api/tail")
ASKED = [(one.method, one.path.format_map(PARTS)) for one in (*ENDPOINTS, *PAGES) if one.path not in STREAMS]
FORM = b"application/x-www-form-urlencoded"
ANSWERS_WITHIN_S = 20.0

Headers = Mapping[bytes, bytes]


async def answered(port: OperatorsPort, method: str, path: str, headers: Headers, body: bytes = b"") -> tuple[int, str]:
    """Send exactly these bytes; give the status and the rest of the answer."""
    authority = urlsplit(port.url).netloc
    sent = {b"Host": authority.encode(), b"Connection": b"close", b"Content-Length": b"%d" % len(body), **headers}
    host, _, number = authority.partition(":")
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        reader, writer = await asyncio.open_connection(host, int(number))
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in sent.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n".encode() + lines + b"\r\n" + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, rest = answer.partition(b"\r\n")
    return int(head.split(b" ")[1]), rest.decode(errors="replace")


@pytest.fixture(name="port")
async def _port() -> AsyncIterator[OperatorsPort]:
    """Give a port with tokens."""
    async with OperatorsPort(BusyOperations(), has_tokens=True) as port:
        yield port


ODD_FORMS: dict[str, tuple[bytes, bytes]] = {
    "an unknown charset": (FORM + b"; charset=nope", b"csrf=1"),
    "a charset that always fails": (FORM + b"; charset=undefined", b"csrf=1"),
    "a codec that is no charset": (FORM + b"; charset=hex", b"csrf=1"),
    "bytes that are no text": (FORM, b"csrf=\xff"),
    "a surrogate": (FORM, b"csrf=%ed%a0%80"),
    "parts without an end": (b"multipart/form-data; boundary=x", b"--x\r\nbroken"),
    "parts without a boundary": (b"multipart/form-data", b"abc"),
    "a nameless part": (b"multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n"),
}


@pytest.mark.parametrize(("kind", "body"), ODD_FORMS.values(), ids=list(ODD_FORMS))
async def test_odd_forms(port: OperatorsPort, kind: bytes, body: bytes) -> None:
    """A form that cannot be read is no fault of ours, and nobody's way in."""
    operator = {b"Authorization": b"Bearer " + OPERATOR.encode()}
    for method, path in ASKED:
        if method == "POST":
            nobody, _ = await answered(port, method, path, {b"Content-Type": kind}, body)
            known, _ = await answered(port, method, path, {b"Content-Type": kind, **operator}, body)
            assert (nobody in (401, 429) or path == "/sign-in") and 400 <= nobody < 500, (path, nobody)
            assert known < 500 or known == 503, (path, known)
    assert port.sessions.listed() == []


ODD_HEADERS: dict[str, Headers] = {
    "a pages' token of bytes": {b"X-Sluice-CSRF": b"\xff"},
    "an origin of bytes": {b"Origin": b"\xff"},
    "half an origin": {b"Origin": b"http://[::1"},
    "a host of bytes": {b"Host": b"\xff"},
    "half a host": {b"Host": b"[::1"},
    "no host": {b"Host": b""},
    "a token of bytes": {b"Authorization": b"Bearer \xff"},
    "types of bytes": {b"Accept": b"\xff"},
    "a mark of bytes": {b"If-None-Match": b"\xff"},
    "packed, but not": {b"Content-Encoding": b"gzip"},
}


@pytest.mark.parametrize("odd", ODD_HEADERS.values(), ids=list(ODD_HEADERS))
async def test_odd_headers(port: OperatorsPort, odd: Headers) -> None:
    """Headers that are no text, or only half of what they should be, change nothing and break nothing."""
    for method, path in ASKED:
        secret = port.sessions.open(OPERATOR, Role.OPERATOR, name="ana").encode()
        cookie = {b"Cookie": SESSION_COOKIE.encode() + b"=" + secret, b"X-Sluice-CSRF": csrf_of(secret).encode()}
        status, _ = await answered(port, method, path, {**cookie, **odd}, b"nope" if method == "POST" else b"")
        assert status < 500 or status == 503, (path, status)


async def test_odd_browser_signs_in(port: OperatorsPort) -> None:
    """Whatever a browser calls itself, its session can be listed."""
    headers = {b"Content-Type": FORM, b"User-Agent": b"\xff\xfe<b>"}
    status, _ = await answered(port, "POST", "/sign-in", headers, b"token=" + OPERATOR.encode() + b"&name=ana&next=/")
    assert status == 303 and len(port.sessions.listed()) == 1
    status, page = await answered(
        port, "GET", "/sessions", {b"Authorization": b"Bearer " + OPERATOR.encode(), b"Accept": b"text/html"}
    )
    assert status == 200 and "ana" in page and "<b>" not in page
