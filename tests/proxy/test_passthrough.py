"""Tests for gateway.proxy.passthrough, through a data plane."""

from __future__ import annotations

import asyncio
import os

import orjson
import pytest

from gateway.domain.provider import Auth
from gateway.domain.table import RoutingTable
from tests.fakes.plane import Reply, get, post, raw_client, serving
from tests.fakes.tables import provider, route, simple_table, table, variant
from tests.fakes.upstream import Fin, Hang, Pause, ScriptedUpstream, Step, answer, chunk


async def passed(script: tuple[Step, ...], data: bytes, *, is_head: bool = False) -> tuple[Reply, ScriptedUpstream]:
    """Send `data` through to a provider that plays `script`."""
    async with (
        ScriptedUpstream([script]) as upstream,
        serving(simple_table(upstream.port, auth=Auth.KEY, key="ours")) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(data)
        reply = await client.reply(is_head=is_head)
        assert plane.inner.counts()["background_tasks"] == 0
        return reply, upstream


async def test_request_passes() -> None:
    """Method, path and query pass as sent, the key is ours, the answer comes back with its headers."""
    more = b"x-request-id: r-1\r\nset-cookie: a=b\r\nx-sluice-variant: forged\r\n"
    data = get("/v1/files/%C3%A9?limit=2&after=%2F", method="DELETE", headers=("authorization: Bearer theirs",))
    reply, upstream = await passed((answer(b"{}", status=202, more=more),), data)
    assert upstream.seen[0].line == b"DELETE /v1/files/%C3%A9?limit=2&after=%2F HTTP/1.1"
    assert upstream.seen[0].headers[b"authorization"] == b"Bearer ours"
    assert (reply.status, reply.headers["x-request-id"]) == (202, "r-1")
    assert reply.headers["x-sluice-request-id"].startswith("sq")
    assert not {"set-cookie", "x-sluice-variant"} & set(reply.headers)


async def test_upload_is_not_held() -> None:
    """A large upload arrives byte for byte, though nobody here holds it."""
    body = os.urandom(3_000_000)
    reply, upstream = await passed((answer(b"{}"),), post(body, "/v1/files"))
    assert reply.status == 200
    assert upstream.seen[0].body == body


async def test_download_is_not_held() -> None:
    """A large download arrives whole, with its length and type."""
    body = os.urandom(3_000_000)
    reply, _ = await passed((answer(body, kind=b"audio/mpeg"),), get("/v1/files/f/content"))
    assert (reply.body == body, reply.headers["content-type"]) == (True, "audio/mpeg")
    assert reply.headers["content-length"] == "3000000"


async def test_head_has_no_body() -> None:
    """HEAD is answered with the length and without a body."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n"
    reply, _ = await passed((head,), get("/v1/files/f", method="HEAD"), is_head=True)
    assert reply.headers["content-length"] == "77"


async def test_no_content() -> None:
    """204 passes without any framing."""
    reply, _ = await passed((b"HTTP/1.1 204 No\r\n\r\n",), get("/v1/files/f", method="DELETE"), is_head=True)
    assert reply.status == 204
    assert not {"content-length", "transfer-encoding"} & set(reply.headers)


@pytest.mark.parametrize("end", [(Fin(),), (Pause(1), Hang())], ids=["end", "silence"])
async def test_cut_download_breaks(end: tuple[Step, ...]) -> None:
    """A download that the provider does not finish breaks off for the client, too."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    reply, _ = await passed((head + chunk(b"half"), Pause(0.02), *end), get("/v1/files/f/content"))
    assert (reply.body, reply.is_whole) == (b"half", False)


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ((Fin(),), 502, "upstream_broken"),
        ((Hang(),), 504, "upstream_first_byte_timeout"),
        ((answer(b"", status=307, more=b"location: http://169.254.169.254/\r\n"),), 502, "upstream_redirect"),
    ],
)
async def test_provider_fails(script: tuple[Step, ...], status: int, code: str) -> None:
    """Before the first byte a failure is an error of ours with its own code; redirects are never followed."""
    reply, upstream = await passed(script, get("/v1/files"))
    assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (status, code)
    assert len(upstream.seen) == 1


async def test_early_answer_ends_upload() -> None:
    """A provider that refuses an upload before it is whole is heard, and the rest is dropped."""
    upstream = ScriptedUpstream([(Hang(),)], greeting=answer(b"{}", status=413))
    async with upstream, serving(simple_table(upstream.port)) as plane, raw_client(plane.port) as client:
        client.send(b"POST /v1/files HTTP/1.1\r\nhost: g\r\ncontent-length: 90000000\r\n\r\n" + b"x" * 100_000)
        assert (await client.reply()).status == 413
        await upstream.until(open_count=0)
        assert await client.ends() == b""


async def test_slow_provider_slows_upload() -> None:
    """A provider that does not read makes its client wait, and little is held here."""
    upstream = ScriptedUpstream([(Hang(),)], reads=False)
    async with upstream, serving(simple_table(upstream.port)) as plane, raw_client(plane.port) as client:
        client.send(b"POST /v1/files HTTP/1.1\r\nhost: g\r\ncontent-length: 90000000\r\n\r\n" + b"x" * 60_000_000)
        await asyncio.sleep(0.2)
        assert client.writer.transport.get_write_buffer_size() > 30_000_000
        assert (await client.reply()).status == 504


async def test_without_a_default_provider() -> None:
    """With nowhere to go a call is a 404 that says so."""
    nowhere: RoutingTable = table([provider(1)], [route([variant("current")])])
    async with serving(nowhere) as plane, raw_client(plane.port) as client:
        client.send(get("/v1/files"))
        reply = await client.reply()
        assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (404, "path_not_found")
