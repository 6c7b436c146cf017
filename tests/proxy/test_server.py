"""Tests for gateway.proxy.server: a data plane on a socket."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.fakes.plane import CHAT, CHAT_STREAM, Plane, get, post, raw_client, serving
from tests.fakes.tables import provider, route, simple_table, table, variant
from tests.fakes.upstream import CHAT_ANSWER, STREAM_HEAD, Hang, Pause, ScriptedUpstream, answer, event


async def asked(plane: Plane, path: str) -> int:
    """Give the status of a GET on a connection of its own."""
    async with raw_client(plane.port) as client:
        client.send(get(path))
        return (await client.reply()).status


async def test_health() -> None:
    """It always lives; it is ready once it has a table, until it drains."""
    async with serving(None) as plane:
        statuses = [await asked(plane, "/livez"), await asked(plane, "/readyz")]
        plane.inner.publish(simple_table(1))
        statuses += [await asked(plane, "/livez"), await asked(plane, "/readyz")]
        plane.inner.begin_drain()
        statuses += [await asked(plane, "/livez"), await asked(plane, "/readyz")]
        assert statuses == [200, 503, 200, 200, 200, 503]


async def test_no_table_yet() -> None:
    """A request before the first table is told to come back."""
    async with serving(None) as plane, raw_client(plane.port) as client:
        client.send(post(CHAT))
        reply = await client.reply()
        assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (503, "not_ready")
        assert reply.headers["retry-after"] == "1"


async def test_flags_stay_here() -> None:
    """What is below /ofrep/ is answered by this gateway, however it is spelled: users' names reach no provider."""
    async with ScriptedUpstream([]) as upstream, serving(simple_table(upstream.port)) as plane:
        for path, status in [
            ("/ofrep/v1/evaluate/flags/support", 200),
            ("/ofrep/v1/evaluate/flags", 200),
            ("/ofrep/v2/other", 404),
            ("/%6Ffrep/v1/evaluate/flags", 404),
        ]:
            async with raw_client(plane.port) as client:
                client.send(post(b'{"context":{"targetingKey":"ana"}}', path))
                assert (await client.reply()).status == status
        assert not upstream.seen


async def test_large_context_is_refused() -> None:
    """A context over 64 KiB is refused."""
    async with serving(simple_table(1)) as plane, raw_client(plane.port) as client:
        client.send(post(b" " * (64 * 1024 + 1), "/ofrep/v1/evaluate/flags"))
        assert (await client.reply()).status == 413


async def test_older_table_is_ignored() -> None:
    """A worker never goes back to an older table."""
    async with serving(table([provider(1)], [route([variant("current")], name="new")], version=5)) as plane:
        plane.inner.publish(table([provider(1)], [route([variant("current")], name="old")], version=4))
        async with raw_client(plane.port) as client:
            client.send(get("/v1/models/new"))
            assert (await client.reply()).status == 200


async def test_request_keeps_its_table() -> None:
    """A request that began on one table ends on it, though its provider is gone from the next."""
    slow = (Pause(0.1), answer(CHAT_ANSWER))
    async with ScriptedUpstream([slow]) as upstream, serving(simple_table(upstream.port)) as plane:
        async with raw_client(plane.port) as client:
            client.send(post(CHAT))
            await upstream.until(seen=1)
            plane.inner.publish(table([provider(1, "other")], [], version=2))
            assert (await client.reply()).status == 200
        await plane.outcomes.until(1)
        assert plane.outcomes.last.config_version == 1
        await upstream.until(open_count=0)


@pytest.mark.parametrize("name", ["team/support", "über support"])
async def test_route_is_a_model(name: str) -> None:
    """A route can be asked for as a model, its name encoded as clients do."""
    one = table([provider(1)], [route([variant("current")], name=name)])
    quoted = name.replace("/", "%2F").replace("ü", "%C3%BC").replace(" ", "%20")
    async with serving(one) as plane, raw_client(plane.port) as client:
        client.send(get(f"/v1/models/{quoted}"))
        assert orjson.loads((await client.reply()).body)["id"] == name


async def test_models_are_listed() -> None:
    """The list has the routes even when no provider can be reached."""
    async with serving(simple_table(1)) as plane, raw_client(plane.port) as client:
        client.send(get("/v1/models"))
        assert [model["id"] for model in orjson.loads((await client.reply()).body)["data"]] == ["support"]


async def test_drain_ends_quietly() -> None:
    """Draining, a request under way is answered whole on its last connection, and then all is empty."""
    slow = (Pause(0.1), answer(CHAT_ANSWER))
    async with (
        ScriptedUpstream([slow]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(CHAT))
        await upstream.until(seen=1)
        plane.inner.stop_listening()
        plane.inner.begin_drain()
        draining = asyncio.ensure_future(plane.inner.drained(2))
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.ends() == b""
        assert await draining


@pytest.mark.parametrize(
    ("body", "status"), [(CHAT, 503), (CHAT_STREAM, 200)], ids=["before the first byte", "in a stream"]
)
async def test_drain_ends_what_is_held(body: bytes, status: int) -> None:
    """At the end of the drain a held request ends with an error its client understands, never as if it were whole."""
    script = (Hang(),) if status == 503 else (STREAM_HEAD + event("a"), Pause(60))
    async with ScriptedUpstream([script]) as upstream, serving(simple_table(upstream.port)) as plane:
        async with raw_client(plane.port) as client:
            client.send(post(body))
            await upstream.until(seen=1)
            await asyncio.sleep(0.03)
            plane.inner.stop_listening()
            plane.inner.begin_drain()
            draining = asyncio.ensure_future(plane.inner.drained(0.1))
            reply = await client.reply()
            assert (reply.status, b'"draining"' in reply.body, b"[DONE]" in reply.body) == (status, True, False)
            assert await draining is False
        await upstream.until(open_count=0)
        assert plane.inner.in_flight == 0


async def test_drain_of_waiting_connect() -> None:
    """Also a request that waits for a connection is told."""
    async with (
        ScriptedUpstream([(Hang(),)]) as upstream,
        serving(simple_table(upstream.port, max_connections=1)) as plane,
        raw_client(plane.port) as first,
        raw_client(plane.port) as second,
    ):
        first.send(post(CHAT))
        await upstream.until(seen=1)
        second.send(post(CHAT))
        await asyncio.sleep(0.02)
        plane.inner.begin_drain()
        draining = asyncio.ensure_future(plane.inner.drained(0.05))
        replies = [await first.reply(), await second.reply()]
        assert {orjson.loads(reply.body)["error"]["code"] for reply in replies} == {"draining"}
        await draining


async def test_counts() -> None:
    """What `sluice status` shows is plain numbers that add up."""
    async with (
        ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(CHAT))
        await client.reply()
        counts = plane.inner.counts()
        names = ("in_flight", "served", "client_connections", "upstream_connections", "background_tasks")
        assert [counts[name] for name in names] == [0, 1, 1, 1, 0]


async def test_counts_the_nameless() -> None:
    """Requests that name no user are counted apart from all that a route took."""
    async with ScriptedUpstream([(answer(CHAT_ANSWER),)] * 2) as upstream:
        split = table([provider(upstream.port)], [route([variant("current"), variant("concise")], arms=2)])
        async with serving(split) as plane, raw_client(plane.port) as client:
            for headers in ((), ("x-user-id: ana",)):
                client.send(post(CHAT, headers=headers))
                await client.reply()
            counts = plane.inner.counts()
            assert (counts["routed"], counts["without_user"]) == (2, 1)


@pytest.mark.parametrize(
    ("latched", "everything"),
    [({"support-release": frozenset({"concise"})}, False), ({"support-release": None}, False), ({}, True)],
)
async def test_held_arm(latched: dict[str, frozenset[str] | None], everything: bool) -> None:
    """An arm that is held gets nobody, in this table and in the next, until it is let go."""
    async with ScriptedUpstream([(answer(CHAT_ANSWER),)] * 60) as upstream:
        split = [provider(upstream.port)], [route([variant("current"), variant("concise")], arms=2)]
        async with serving(table(*split)) as plane, raw_client(plane.port) as client:

            async def arms() -> set[str]:
                seen = set()
                for n in range(15):
                    client.send(post(CHAT, headers=(f"x-user-id: user-{n}",)))
                    seen.add((await client.reply()).headers["x-sluice-variant"])
                return seen

            before = await arms()
            plane.inner.hold(latched, everything=everything)
            during = await arms()
            plane.inner.publish(table(*split, version=2))
            later = await arms()
            plane.inner.hold({})
            assert (before, during, later, await arms()) == (before, {"current"}, {"current"}, {"current", "concise"})
