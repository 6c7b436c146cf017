"""Raw bytes against the public port: what is refused is refused with its own code, and never reaches a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.proxy.edge_app import EdgeLimits
from tests.fakes.plane import CHAT, CHAT_STREAM, Plane, RawClient, Reply, get, post, raw_client, serving
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import CHAT_ANSWER, ScriptedUpstream, answer

LIMITS = EdgeLimits(header_s=0.3, body_s=0.3, idle_s=5.0, linger_s=0.3)

RESPONSES = "/v1/responses"
EMBEDDINGS = "/v1/embeddings"
COMPLETIONS = "/v1/completions"


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[Plane, ScriptedUpstream]]:
    """Serve the route `support` and a default provider, with a provider that always answers."""
    async with ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream:
        whole = table(
            [provider(upstream.port)], [route([variant("current")])], default="sim", max_body_bytes=32 * 1024 * 1024
        )
        async with serving(whole, limits=LIMITS) as plane:
            yield plane, upstream


@dataclass(frozen=True, slots=True)
class Refused:
    """
    Bytes that get a refusal.

    Attributes:
        name: What is wrong with them.
        data: What is sent.
        status: Of the refusal.
        code: Its `error.code`.
        closes: The connection is closed after it.
    """

    name: str
    data: bytes
    status: int
    code: str
    closes: bool = True


def raw(*lines: bytes, body: bytes = b"") -> bytes:
    """Give a request from its lines."""
    return b"\r\n".join([*lines, b"", b""]) + body


def chat(*headers: bytes, body: bytes = CHAT) -> bytes:
    """Give a chat request with these headers beside `host`."""
    return raw(b"POST /v1/chat/completions HTTP/1.1", b"host: g", *headers, body=body)


CHUNKED = b"transfer-encoding: chunked"
WHOLE_CHUNK = b"%x\r\n%b\r\n" % (len(CHAT), CHAT)
N = b"content-length: %d" % len(CHAT)


def bad(name: str, data: bytes) -> Refused:
    """Give bytes that are not HTTP as we speak it."""
    return Refused(name, data, 400, "bad_http")


FRAMING = [
    bad("length and chunked", chat(N, CHUNKED, body=WHOLE_CHUNK + b"0\r\n\r\n")),
    bad("chunked and length", chat(CHUNKED, N, body=WHOLE_CHUNK + b"0\r\n\r\n")),
    bad("two equal lengths", chat(N, N)),
    bad("two different lengths", chat(N, b"content-length: 5")),
    bad("list of lengths", chat(b"content-length: 5, 5")),
    bad("plus length", chat(b"content-length: +5")),
    bad("negative length", chat(b"content-length: -1")),
    bad("hex length", chat(b"content-length: 0x10")),
    bad("empty length", chat(b"content-length: ")),
    bad("length with a space inside", chat(b"content-length: 1 2")),
    bad("length that overflows", chat(b"content-length: 99999999999999999999999")),
    bad("length with an underscore", chat(b"content-length: 1_0")),
    bad("length in other digits", chat("content-length: ٣".encode())),
    bad("identity coding", chat(b"transfer-encoding: identity", body=WHOLE_CHUNK)),
    bad("gzip, chunked", chat(b"transfer-encoding: gzip, chunked", body=WHOLE_CHUNK)),
    bad("chunked, gzip", chat(b"transfer-encoding: chunked, gzip", body=WHOLE_CHUNK)),
    bad("chunked twice", chat(CHUNKED, CHUNKED, body=WHOLE_CHUNK)),
    bad("chunked, chunked", chat(b"transfer-encoding: chunked, chunked", body=WHOLE_CHUNK)),
    bad("xchunked", chat(b"transfer-encoding: xchunked", body=WHOLE_CHUNK)),
    bad("chunked in quotes", chat(b'transfer-encoding: "chunked"', body=WHOLE_CHUNK)),
    bad("vertical tab before chunked", chat(b"transfer-encoding: \x0bchunked", body=WHOLE_CHUNK)),
    bad("empty coding", chat(b"transfer-encoding:", body=WHOLE_CHUNK)),
    bad("chunked for HTTP/1.0", raw(b"POST /v1/chat/completions HTTP/1.0", b"host: g", CHUNKED, body=WHOLE_CHUNK)),
    bad("space before colon", chat(b"content-length : 5")),
    bad("space before chunked's colon", chat(b"transfer-encoding : chunked", body=WHOLE_CHUNK)),
    bad("folded header", chat(b"x-a: 1", b" folded", N)),
    bad("folded coding", chat(b"transfer-encoding:", b" chunked", body=WHOLE_CHUNK)),
    bad("first header folded", raw(b"GET /v1/models HTTP/1.1", b" host: g")),
    bad("no colon", chat(b"x-nothing", N)),
    bad("empty name", chat(b": value", N)),
    bad("NUL in a value", chat(b"x-a: a\0b", N)),
    bad("NUL in a name", chat(b"x-\0a: b", N)),
    bad("control byte in a value", chat(b"x-a: a\x01b", N)),
    bad("DEL in a value", chat(b"x-a: a\x7fb", N)),
    bad("CR in a value", chat(b"x-a: a\rb", N)),
    bad("name with a bracket", chat(b"x(a): b", N)),
    bad("name beyond ASCII", chat(b"x-\xe9: b", N)),
    bad("bare LF", b"GET /v1/models HTTP/1.1\nhost: g\n\n"),
    bad("bare LF after a header", b"GET /v1/models HTTP/1.1\r\nhost: g\nx: y\r\n\r\n"),
    bad("bare CR", b"GET /v1/models HTTP/1.1\rhost: g\r\r"),
    bad("no host", raw(b"GET /v1/models HTTP/1.1")),
    bad("two hosts", raw(b"GET /v1/models HTTP/1.1", b"host: a", b"host: b")),
    bad("equal hosts", raw(b"GET /v1/models HTTP/1.1", b"host: a", b"host: a")),
    bad("chunk size that overflows", chat(CHUNKED, body=b"fffffffffffffffff\r\n")),
    bad("chunk size of one too many digits", chat(CHUNKED, body=b"1" + b"0" * 16 + b"\r\n")),
    bad("chunk size with a sign", chat(CHUNKED, body=b"+5\r\nhello\r\n")),
    bad("negative chunk size", chat(CHUNKED, body=b"-5\r\nhello\r\n")),
    bad("chunk size with 0x", chat(CHUNKED, body=b"0x5\r\nhello\r\n")),
    bad("empty chunk size", chat(CHUNKED, body=b"\r\nhello\r\n")),
    bad("chunk size before a bare LF", chat(CHUNKED, body=b"5\nhello\r\n")),
    bad("chunk longer than its size", chat(CHUNKED, body=b"3\r\nhello\r\n")),
    bad("chunk without a line end", chat(CHUNKED, body=b"5\r\nhello0\r\n\r\n")),
    bad("control byte in an extension", chat(CHUNKED, body=b"5;a\0b\r\nhello\r\n")),
    bad("smuggled length in a trailer", chat(CHUNKED, body=WHOLE_CHUNK + b"0\r\ncontent-length : 5\r\n\r\n")),
    bad("HTTP/0.9", b"GET /v1/models\r\n\r\n"),
    bad("HTTP/0.9 with a version", raw(b"GET /v1/models HTTP/0.9", b"host: g")),
    bad("HTTP/1.2", raw(b"GET /v1/models HTTP/1.2", b"host: g")),
    bad("HTTP/2.0 line", raw(b"GET /v1/models HTTP/2.0", b"host: g")),
    bad("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    bad("HTTP/11", raw(b"GET /v1/models HTTP/11", b"host: g")),
    bad("lower-case http", raw(b"GET /v1/models http/1.1", b"host: g")),
    bad("lower-case method", raw(b"get /v1/models HTTP/1.1", b"host: g")),
    bad("unknown method", raw(b"FETCH /v1/models HTTP/1.1", b"host: g")),
    bad("space in the target", raw(b"GET /v1/mo dels HTTP/1.1", b"host: g")),
    bad("NUL in the target", raw(b"GET /v1/mo\0dels HTTP/1.1", b"host: g")),
    bad("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    bad("another protocol", b"EHLO example.com\r\n"),
]


def target(name: str, path: bytes, code: str = "bad_target", status: int = 400) -> Refused:
    """Give a target that does not pass."""
    return Refused(name, raw(b"GET %b HTTP/1.1" % path, b"host: g"), status, code, closes=code == "bad_target")


TARGETS = [
    target("absolute form", b"http://api.example.com/v1/models"),
    target("absolute form, other scheme", b"file:///etc/passwd"),
    target("dots", b"/v1/../admin"),
    target("dots at the end", b"/v1/files/.."),
    target("one dot", b"/v1/./files"),
    target("encoded dots", b"/v1/%2e%2e/admin"),
    target("half-encoded dots", b"/v1/.%2E/admin"),
    target("dots and an encoded slash", b"/v1/files%2f..%2fadmin"),
    target("dots encoded twice", b"/v1/%252e%252e/admin"),
    target("dots with a parameter", b"/v1/..;x=1/admin"),
    target("back-slash", b"/v1\\..\\admin"),
    target("encoded back-slash", b"/v1/%5c..%5cadmin"),
    target("empty segment", b"/v1//files"),
    target("empty segment first", b"//v1/files"),
    target("two slashes last", b"/v1/files//"),
    target("encoded NUL", b"/v1/files%00"),
    target("encoded line end", b"/v1/files%0d%0ax-a:%20b"),
    target("fragment", b"/v1/files#x"),
    target("longer than 8 KiB", b"/v1/files?" + b"a" * 9000),
    target("outside of the API", b"/admin", "path_not_found", 404),
    target("root", b"/", "path_not_found", 404),
    target("upper-case prefix", b"/V1/files", "path_not_found", 404),
    target("account", b"/v1/organization/users", "path_blocked", 404),
    target("account, upper case", b"/v1/Organization", "path_blocked", 404),
    target("account, encoded", b"/v1/%6frganization/keys", "path_blocked", 404),
    target("account, behind a second prefix", b"/v1/v1/organization", "path_blocked", 404),
    target("projects", b"/v1/projects/x", "path_blocked", 404),
    Refused("split path, encoded", post(CHAT, "/v1/chat%2Fcompletions"), 404, "path_not_found", closes=False),
    Refused("split path, other case", post(CHAT, "/v1/Chat/completions"), 404, "path_not_found", closes=False),
    Refused("split path, slash", post(CHAT, "/v1/responses/"), 404, "path_not_found", closes=False),
    Refused("CONNECT", raw(b"CONNECT example.com:443 HTTP/1.1", b"host: g"), 400, "bad_target"),
    Refused("TRACE", raw(b"TRACE /v1/files HTTP/1.1", b"host: g"), 405, "method_not_allowed", closes=False),
    Refused("OPTIONS *", raw(b"OPTIONS * HTTP/1.1", b"host: g"), 400, "bad_target"),
]


def body(name: str, data: bytes, code: str, *, path: str = "/v1/chat/completions", status: int = 400) -> Refused:
    """Give a body that is refused; its connection lives on."""
    return Refused(name, post(data, path), status, code, closes=False)


DEEP = b'{"model":"support","messages":' + b"[" * 600 + b"]" * 600 + b"}"
BODIES = [
    body("empty", b"", "invalid_json"),
    body("half", b'{"model":"sup', "invalid_json"),
    body("not JSON", b"model=support", "invalid_json"),
    body("NaN", b'{"model":"support","temperature":NaN}', "invalid_json"),
    body("trailing comma", b'{"model":"support",}', "invalid_json"),
    body("single quotes", b"{'model':'support'}", "invalid_json"),
    body("comment", b'{"model":"support"/*x*/}', "invalid_json"),
    body("two values", b'{"model":"support"}{"model":"other"}', "invalid_json"),
    body("byte order mark", b"\xef\xbb\xbf" + CHAT, "invalid_json"),
    body("UTF-16", CHAT.decode().encode("utf-16"), "invalid_utf8"),
    body("array", b"[1]", "json_not_object"),
    body("string", b'"support"', "json_not_object"),
    body("null", b"null", "json_not_object"),
    body("broken UTF-8", b'{"model":"support","x":"\xff"}', "invalid_utf8"),
    body("overlong UTF-8", b'{"model":"support","x":"\xc0\xaf"}', "invalid_utf8"),
    body("encoded surrogate", b'{"model":"support","x":"\xed\xa0\x80"}', "invalid_utf8"),
    body("deep", DEEP, "json_too_deep"),
    body("deep beyond the stack", b'{"model":"support","x":' + b"[" * 100_000, "json_too_deep"),
    body("no model", b'{"messages":[]}', "missing_model"),
    body("null model", b'{"model":null,"messages":[]}', "missing_model"),
    body("number as model", b'{"model":5}', "invalid_field"),
    body("list as model", b'{"model":["support"]}', "invalid_field"),
    body("text as stream", b'{"model":"support","stream":"yes"}', "invalid_field"),
    body("number as stream", b'{"model":"support","stream":1}', "invalid_field"),
    body("no model, responses", b'{"input":"x"}', "missing_model", path=RESPONSES),
    body("no model, embeddings", b'{"input":"x"}', "missing_model", path=EMBEDDINGS),
    body("no model, completions", b'{"prompt":"x"}', "missing_model", path=COMPLETIONS),
    Refused("gzip body", post(b"\x1f\x8b", headers=("content-encoding: gzip",)), 415, "unsupported_media_type", False),
    Refused("br body", post(CHAT, headers=("content-encoding: br",)), 415, "unsupported_media_type", closes=False),
    Refused("over the route's limit", post(CHAT + b" " * 1_100_000), 413, "request_too_large", closes=False),
    Refused("33 MiB declared", chat(b"content-length: 34603008", body=b""), 413, "request_too_large"),
    Refused(
        "forced from afar",
        post(CHAT, headers=("x-sluice-force-variant: current", "via: p")),
        403,
        "force_forbidden",
        False,
    ),
    Refused("forced to nothing", post(CHAT, headers=("x-sluice-force-variant: nope",)), 400, "unknown_variant", False),
]

SIZES = [
    Refused("129 headers", get("/v1/models", headers=tuple(f"x-{n}: 1" for n in range(129))), 431, "headers_too_large"),
    Refused("one header of 70 KiB", get("/v1/models", headers=("x-a: " + "a" * 70_000,)), 431, "headers_too_large"),
    Refused("header without an end", b"GET /v1/models HTTP/1.1\r\nx-a: " + b"a" * 400_000, 431, "headers_too_large"),
    Refused("name without an end", b"GET /v1/models HTTP/1.1\r\n" + b"a" * 400_000, 431, "headers_too_large"),
    Refused("request line without an end", b"GET /" + b"a" * 400_000, 431, "headers_too_large"),
    Refused("head that stops", b"GET /v1/models HTTP/1.1\r\nhost: g\r\n", 408, "request_timeout"),
    Refused("body that stops", chat(b"content-length: 100", body=b'{"model"'), 408, "request_timeout"),
    Refused("chunks that stop", chat(CHUNKED, body=b"5\r\nhel"), 408, "request_timeout"),
]

CORPUS = [*FRAMING, *TARGETS, *BODIES, *SIZES]


async def refusal_of(client: RawClient, case: Refused) -> Reply:
    """Send the bytes and give the answer."""
    client.send(case.data)
    return await client.reply(4.0)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
async def test_refused(case: Refused) -> None:
    """Bad bytes get an OpenAI error of its own code, no provider hears of them, and bad framing ends the connection."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        reply = await refusal_of(client, case)
        error = orjson.loads(reply.body)["error"]
        assert (reply.status, error["code"]) == (case.status, case.code), error
        assert set(error) == {"message", "type", "param", "code"}
        assert (reply.headers.get("connection") == "close") is case.closes
        if case.closes:
            assert await client.ends() == b""
        assert upstream.seen == []
        assert plane.inner.in_flight == 0


def test_corpus_is_large() -> None:
    """There are more than eighty kinds of bad bytes, no two of one name."""
    assert len(CORPUS) > 80
    assert len({case.name for case in CORPUS}) == len(CORPUS)


def test_corpus_on_uvloop() -> None:
    """On uvloop every case ends the same."""

    async def run() -> None:
        async with gateway() as (plane, upstream):
            for case in CORPUS:
                async with raw_client(plane.port) as client:
                    reply = await refusal_of(client, case)
                    assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (case.status, case.code), (
                        case.name
                    )
            assert upstream.seen == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


ACCEPTED = {
    "plain": post(CHAT),
    "chunked": chat(CHUNKED, body=WHOLE_CHUNK + b"0\r\n\r\n"),
    "chunked in capitals": chat(b"Transfer-Encoding: CHUNKED", body=WHOLE_CHUNK + b"0\r\n\r\n"),
    "chunk extension": chat(CHUNKED, body=b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(CHAT), CHAT)),
    "trailers": chat(CHUNKED, body=WHOLE_CHUNK + b"0\r\nx-sluice-force-variant: nope\r\nx-a: b\r\n\r\n"),
    "h2c offered": chat(b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AAMAAABk", N),
    "h2c offered, chunked": chat(b"connection: upgrade", b"upgrade: h2c", CHUNKED, body=WHOLE_CHUNK + b"0\r\n\r\n"),
    "encoding named identity": post(CHAT, headers=("content-encoding: identity",)),
    "blank lines first": b"\r\n\r\n" + post(CHAT),
    "nothing in messages": post(b'{"model":"support","messages":[]}'),
    "wrong messages": post(b'{"model":"support","messages":5}'),
    "wrong user": post(b'{"model":"support","user":{"a":1},"messages":[]}'),
    "wrong metadata": post(b'{"model":"support","metadata":"x","messages":[]}'),
    "wrong parts": post(b'{"model":"support","messages":[null,1,{"role":5},{"content":[1]}]}'),
    "field twice": post(b'{"model":"nope","model":"support","messages":[]}'),
    "huge number": post(b'{"model":"support","seed":1e400,"n":%b}' % (b"9" * 5000)),
    "unknown model": post(b'{"model":"elsewhere","messages":[]}'),
    "escaped name": post(b'{"mod\\u0065l":"supp\\u006frt","messages":[]}'),
    "HTTP/1.0": raw(b"POST /v1/chat/completions HTTP/1.0", N, body=CHAT),
    "other headers named by connection": chat(b"connection: x-a", b"x-a: 1", N),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepted(name: str) -> None:
    """What is odd but clear is served once, with one framing and nothing that was meant for us alone."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(ACCEPTED[name])
        reply = await client.reply()
        assert reply.status == 200, reply.body
        (seen,) = upstream.seen
        assert seen.line == b"POST /v1/chat/completions HTTP/1.1"
        assert int(seen.headers[b"content-length"]) == len(seen.body)
        assert not {b"transfer-encoding", b"upgrade", b"http2-settings", b"x-a", b"trailer", b"expect"} & set(
            seen.headers
        )


async def test_expectation_is_answered() -> None:
    """`Expect: 100-continue` gets its interim answer before the body is sent."""
    async with gateway() as (plane, _), raw_client(plane.port) as client:
        client.send(chat(b"expect: 100-continue", N, body=b""))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(CHAT)
        assert (await client.reply()).status == 200


async def test_refused_expectation_is_not_continued() -> None:
    """A declared body that is too large is refused instead of asked for."""
    async with gateway() as (plane, _), raw_client(plane.port) as client:
        client.send(chat(b"expect: 100-continue", b"content-length: 34603008", body=b""))
        assert (await client.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413")


async def test_two_sent_ahead() -> None:
    """Two requests in one write are answered in order on one connection."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(post(CHAT) + get("/v1/files"))
        first, second = await client.reply(), await client.reply()
        assert (first.status, second.status) == (200, 200)
        assert [seen.line.split(b" ")[0] for seen in upstream.seen] == [b"POST", b"GET"]


async def test_hundred_sent_ahead() -> None:
    """Of a hundred requests in one write a bounded number is served, then the connection is refused and closed."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(post(CHAT) * 100)
        served = LIMITS.pending + 2  # One at once, those that wait, and the one that was too many.
        statuses = [(await client.reply()).status for _ in range(served + 1)]
        assert statuses == [200] * served + [400]
        assert await client.ends() == b""
        assert len(upstream.seen) == served


async def test_bad_bytes_after_good() -> None:
    """A request that was whole is answered before what follows it is refused; a smuggled one behind that is not."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(post(CHAT) + b"\0\0\0" + get("/v1/files"))
        first, second = await client.reply(), await client.reply()
        assert (first.status, second.status) == (200, 400)
        assert await client.ends() == b""
        assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    "data", [b"\r\n" * 200, get("/v1/models", headers=("x-a: " + "a" * 200,))], ids=["blank", "head"]
)
async def test_dripped_head_is_stopped(data: bytes) -> None:
    """Bytes that come one by one do not lengthen the time a head may take."""
    async with gateway() as (plane, _), raw_client(plane.port) as client:
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        dripping = loop.create_task(drip(client, data))
        ended = await client.ends()
        assert ended == b"" or b"request_timeout" in ended
        assert loop.time() - start_s < LIMITS.header_s + 5
        dripping.cancel()


async def drip(client: RawClient, data: bytes) -> None:
    """Send byte by byte."""
    for at in range(len(data)):
        client.send(data[at : at + 1])
        await asyncio.sleep(0.05)


async def test_broken_upload_is_refused() -> None:
    """An upload that breaks its framing is refused at once, and the provider's copy stays unfinished."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(raw(b"POST /v1/files HTTP/1.1", b"host: g", CHUNKED, body=b"5\r\nhello\r\n"))
        await asyncio.sleep(0.05)
        client.send(b"zz\r\n")
        reply = await client.reply(0.5)
        assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (400, "bad_http")
        await upstream.until(open_count=0)
        assert upstream.seen == []


async def test_upload_keeps_its_framing() -> None:
    """A chunked upload reaches the provider chunked, without its trailers, and the next request is its own."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        upload = b"5;x=y\r\nhello\r\n0\r\nx-evil: 1\r\n\r\n"
        client.send(raw(b"POST /v1/files HTTP/1.1", b"host: g", CHUNKED, body=upload) + get("/v1/files?limit=1"))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        assert upstream.seen[0].body == b"5\r\nhello\r\n0\r\n\r\n"
        assert upstream.seen[1].line == b"GET /v1/files?limit=1 HTTP/1.1"


async def test_chunked_listing_smuggles_nothing() -> None:
    """A body on `GET /v1/models` stays here: what asks providers for their lists has none."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(raw(b"GET /v1/models HTTP/1.1", b"host: g", CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"))
        assert (await client.reply()).status == 200
        assert b"transfer-encoding" not in upstream.seen[0].headers


async def test_upgrade_smuggles_nothing() -> None:
    """The body of a request that offers an upgrade is its body, and not the next request."""
    hidden = get("/v1/files/secret")
    upload = raw(
        b"POST /v1/files HTTP/1.1",
        b"host: g",
        b"upgrade: x",
        b"connection: upgrade",
        b"content-length: %d" % len(hidden),
    )
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(upload + hidden + post(CHAT))
        assert [(await client.reply()).status for _ in range(2)] == [200, 200]
        assert [seen.line.split(b" ")[1] for seen in upstream.seen] == [b"/v1/files", b"/v1/chat/completions"]
        assert upstream.seen[0].body == hidden


async def test_websocket_is_told_so() -> None:
    """A WebSocket gets a clear error instead of silence."""
    async with gateway() as (plane, upstream), raw_client(plane.port) as client:
        client.send(get("/v1/realtime", headers=("upgrade: websocket", "connection: upgrade")))
        reply = await client.reply()
        assert orjson.loads(reply.body)["error"]["code"] == "not_yet"
        assert reply.headers["x-should-retry"] == "false"
        assert upstream.seen == []


VALID = [post(CHAT), post(CHAT_STREAM), get("/v1/models"), chat(CHUNKED, body=WHOLE_CHUNK + b"0\r\n\r\n")]
CUTS = st.tuples(st.integers(0, 300), st.integers(0, 12), st.binary(max_size=12))
TOKENS = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\0",
        b": ",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 3\r\n",
        b"0\r\n\r\n",
        b"{",
        b"]",
        b"\xff",
    ]
)
INSERTIONS = st.tuples(st.integers(0, 300), st.just(0), TOKENS)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(VALID), st.lists(CUTS | INSERTIONS, min_size=1, max_size=4))
def test_mutations_are_survived(valid: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    """A request mutated anywhere gets an answer that is no failure of ours, or the end of its connection, and soon."""
    data = valid
    for place, length, piece in changes:
        data = data[:place] + piece + data[place + length :]

    async def run() -> None:
        async with gateway() as (plane, _), raw_client(plane.port) as client:
            client.send(data)
            answered = await heard(client)
            assert b"HTTP/1.1 500" not in answered
            # A body that is short of a byte is waited for, as long as a body may pause.
            for _ in range(100):
                if not plane.inner.in_flight:
                    return
                await asyncio.sleep(0.02)
            pytest.fail("a request is still being answered")

    asyncio.run(run())


async def heard(client: RawClient) -> bytes:
    """Give what comes within a tenth of a second, or until the end."""
    pieces = []
    try:
        async with asyncio.timeout(0.1):
            while piece := await client.reader.read(65536):
                pieces.append(piece)
    except (TimeoutError, ConnectionError):
        pass
    return b"".join(pieces)
