"""Flags on the public port: what comes back for a path, a body and a header."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from gateway.domain.flag import Flag
from gateway.errors import GatewayError, MethodError, UnsupportedMediaError
from gateway.proxy.bound import BoundTable, Held, Pools
from gateway.proxy.exchange import ClientRequest, first_values
from gateway.proxy.ofrep import answer_flags, answer_from_table, answer_ofrep
from gateway.proxy.sweep import Sweep
from gateway.wire.ofrep import FLAGS_PATH, MAX_BULK_FLAGS
from tests.fakes.flags import context_body, flagged, source
from tests.fakes.sink import RecordingSink
from tests.fakes.tables import provider, table

TABLE = table([provider(1)], [flagged(), flagged("ask/mé now", arms=1)])


def bind(held_arms: Held | None = None) -> BoundTable:
    """Bind the table, with these arms held."""
    pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=1))
    return pools.bind(TABLE, held_arms or Held())


def request(path: str, body: bytes, method: bytes = b"POST", **headers: str) -> ClientRequest:
    """Give a request for flags."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return ClientRequest(method, path.encode(), b"", named, first_values(named), body)


async def answered(
    key: str = "", user: str = "ana", *, bound: BoundTable | None = None, if_none_match: str = ""
) -> RecordingSink:
    """Give the answer about a flag, or about all."""
    sink = RecordingSink()
    await answer_ofrep(
        bound or bind(), request(FLAGS_PATH + key, context_body(user), if_none_match=if_none_match), sink
    )
    return sink


async def test_one_flag() -> None:
    """A flag comes with its value, and says which table told it."""
    sink = await answered("/support.rag")
    told = msgspec.json.decode(sink.body)
    assert sink.status == 200 and told["reason"] == "SPLIT"
    assert told["value"] == {"top_k": 8 if told["variant"] == "concise" else 5}
    assert sink.header(b"x-sluice-config") == b"abcdef012345" and sink.header(b"etag") is None


async def test_key_may_be_any_name() -> None:
    """A key is what is left of the path, slashes and escapes included."""
    for key in ("/ask/mé%20now", "/ask%2Fm%C3%A9%20now"):
        assert msgspec.json.decode((await answered(key)).body)["reason"] == "STATIC"


async def test_unknown_is_404() -> None:
    """An unknown flag, and a path that is none, are 404."""
    sink = await answered("/rag")
    assert sink.status == 404 and msgspec.json.decode(sink.body)["errorCode"] == "FLAG_NOT_FOUND"
    assert (await answered("s")).status == 404


async def test_all_flags() -> None:
    """All flags come with a tag, which spares the second answer."""
    first = await answered()
    assert [flag["key"] for flag in msgspec.json.decode(first.body)["flags"]] == [
        "support",
        "support.rag",
        "ask/mé now",
        "ask/mé now.rag",
    ]
    tag = first.header(b"etag") or b""
    again = await answered("/", if_none_match=tag.decode())
    assert (again.status, again.body, again.header(b"etag")) == (304, b"", tag)
    assert {(await answered("", f"u{n}")).header(b"etag") == tag for n in range(9)} == {True, False}


async def test_held_arm_is_disabled() -> None:
    """An arm that a worker holds back gives no flag either."""
    bound = bind(Held({}, is_everything=True))
    told = [msgspec.json.decode((await answered("/support", f"u{n}", bound=bound)).body) for n in range(30)]
    assert {flag["variant"] for flag in told} == {"current"}
    assert {flag["reason"] for flag in told} == {"SPLIT", "DISABLED"}


@pytest.mark.parametrize(("key", "is_bulk"), [("", True), ("/support", False)])
async def test_wrong_context_is_400(key: str, is_bulk: bool) -> None:
    """A body that is none is refused in the protocol's words, by key where one was asked for."""
    sink = RecordingSink()
    await answer_ofrep(bind(), request(FLAGS_PATH + key, b"{"), sink)
    told = msgspec.json.decode(sink.body)
    assert (sink.status, told["errorCode"], "key" in told) == (400, "PARSE_ERROR", not is_bulk)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (request(FLAGS_PATH, b"", b"GET"), MethodError),
        (request(FLAGS_PATH, b"{}", content_encoding="gzip"), UnsupportedMediaError),
    ],
)
async def test_wrong_request_is_refused(asked: ClientRequest, error: type[GatewayError]) -> None:
    """Only a plain POST is read."""
    with pytest.raises(error):
        await answer_ofrep(bind(), asked, RecordingSink())


async def test_ports_agree() -> None:
    """From the table alone every user gets the answer that a worker gives."""
    bound = bind()
    for number in range(40):
        public = await answered("", f"u{number}", bound=bound)
        own = await answer_from_table(TABLE, None, context_body(f"u{number}"), None)
        assert (own.status, own.body) == (200, public.body)


async def test_many_routes_give_way() -> None:
    """While all flags are told others get their turn."""
    ended: list[str] = []

    async def ask() -> None:
        await answer_flags(source(flagged(f"r{n}") for n in range(30)), None, context_body("ana"), None)
        ended.append("flags")

    async def other() -> None:
        ended.append("other")

    await asyncio.gather(ask(), other())
    assert ended == ["other", "flags"]


@pytest.mark.parametrize("flags", [(MAX_BULK_FLAGS, b"1"), (100, b'"%b"' % (b"x" * 50_000))], ids=["many", "large"])
async def test_too_much_is_refused(flags: tuple[int, bytes]) -> None:
    """More than one answer holds is asked for one by one."""
    n_flags, value = flags
    much = replace(flagged(arms=1), flags=tuple(Flag(str(n), {"current": value}) for n in range(n_flags)))
    answer = await answer_flags(source([much]), None, context_body("ana"), None)
    assert answer.status == 400 and b"one by one" in answer.body
    assert (await answer_flags(source([much]), "support.7", context_body("ana"), None)).status == 200
