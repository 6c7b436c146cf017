"""Tests for gateway.proxy.models."""

from __future__ import annotations

import asyncio

import orjson

from gateway.clock import SettableClock
from gateway.domain.provider import Auth, Provider
from gateway.proxy.bound import BoundTable, Pools
from gateway.proxy.exchange import ClientRequest, Headers, first_values
from gateway.proxy.models import KEPT_S, PATH, ModelList
from gateway.proxy.sweep import Sweep
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import Fin, Hang, ScriptedUpstream, answer

LISTED = answer(b'{"object":"list","data":[{"id":"m-1","shutdown_date":1}]}')


def asking(*headers: tuple[bytes, bytes]) -> ClientRequest:
    """Give a request for the list."""
    sent: Headers = list(headers)
    return ClientRequest(b"GET", PATH, b"", sent, first_values(sent))


def bind(*providers: Provider) -> BoundTable:
    """Bind a table with the route `support`."""
    pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=0.05))
    return pools.bind(table(providers, [route([variant("current")])]))


async def ids(models: ModelList, bound: BoundTable, *headers: tuple[bytes, bytes]) -> list[str]:
    """Give the ids of the list."""
    return [model["id"] for model in orjson.loads(await models.render(bound, asking(*headers)))["data"]]


async def test_routes_then_models() -> None:
    """Routes come first, then what each provider lists, as it lists it."""
    async with ScriptedUpstream([(LISTED,)]) as upstream:
        bound = bind(provider(upstream.port))
        listed = orjson.loads(await ModelList(SettableClock()).render(bound, asking()))
        assert [model["id"] for model in listed["data"]] == ["support", "m-1"]
        assert listed["data"][1] == {"id": "m-1", "shutdown_date": 1}
        assert upstream.seen[0].line == b"GET /v1/models HTTP/1.1"


async def test_list_is_kept_for_a_minute() -> None:
    """A provider is asked once a minute."""
    async with ScriptedUpstream([(LISTED,)]) as upstream:
        clock = SettableClock()
        models, bound = ModelList(clock), bind(provider(upstream.port))
        assert await ids(models, bound) == await ids(models, bound)
        assert len(upstream.seen) == 1
        clock.advance(KEPT_S)
        await ids(models, bound)
        assert len(upstream.seen) == 2


async def test_failing_provider_is_left_out() -> None:
    """A provider that breaks, refuses or talks nonsense is left out and asked again next time."""
    async with ScriptedUpstream([(Fin(),), (answer(b"{}", status=500),), (answer(b"<html>"),), (LISTED,)]) as upstream:
        models, bound = ModelList(SettableClock()), bind(provider(upstream.port))
        assert [await ids(models, bound) for _ in range(4)] == [["support"]] * 3 + [["support", "m-1"]]


async def test_slow_provider_does_not_hold_others() -> None:
    """A provider that says nothing costs its own time limit, and the others are listed."""
    async with ScriptedUpstream([(Hang(),)]) as slow, ScriptedUpstream([(LISTED,)]) as quick:
        bound = bind(provider(slow.port, "slow"), provider(quick.port, "quick"))
        assert await ids(ModelList(SettableClock()), bound) == ["support", "m-1"]


async def test_changed_provider_is_asked_anew() -> None:
    """A provider whose key changed does not show what the old key could see."""
    async with ScriptedUpstream([(LISTED,), (answer(b'{"data":[{"id":"m-2"}]}'),)]) as upstream:
        models = ModelList(SettableClock())
        old, new = (bind(provider(upstream.port, auth=Auth.KEY, key=key)) for key in ("old", "new"))
        assert [await ids(models, old), await ids(models, new)] == [["support", "m-1"], ["support", "m-2"]]


async def test_clients_key_lists_for_itself() -> None:
    """What a client's own key may see is shown to nobody else."""
    async with ScriptedUpstream([(LISTED,)]) as upstream:
        models, bound = ModelList(SettableClock()), bind(provider(upstream.port, auth=Auth.CLIENT))
        for key in (b"Bearer a", b"Bearer b"):
            await ids(models, bound, (b"authorization", key))
        assert [seen.headers[b"authorization"] for seen in upstream.seen] == [b"Bearer a", b"Bearer b"]


async def test_wishes_stay_here() -> None:
    """What a client wants of its own answer is not asked of the provider's."""
    async with ScriptedUpstream([(LISTED,)]) as upstream:
        sent = [
            (b"if-none-match", b"x"),
            (b"range", b"bytes=0-1"),
            (b"accept-encoding", b"gzip"),
            (b"content-type", b"x"),
        ]
        await ids(ModelList(SettableClock()), bind(provider(upstream.port)), *sent)
        assert not {name for name, _ in sent} & set(upstream.seen[0].headers)
