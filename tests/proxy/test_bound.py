"""Tests for gateway.proxy.bound: what goes to which host, and pools across tables."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.domain.provider import Auth
from gateway.domain.variant import Api
from gateway.proxy.bound import BoundTable, Pools
from gateway.proxy.exchange import ClientRequest, Headers, first_values
from gateway.proxy.sweep import Sweep
from gateway.proxy.upstream.ejection import AFTER
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import Hang, ScriptedUpstream

SENT: Headers = [
    (b"authorization", b"Bearer client-secret"),
    (b"api-key", b"client-secret"),
    (b"x-api-key", b"client-secret"),
    (b"cookie", b"client-secret"),
    (b"proxy-authorization", b"client-secret"),
    (b"x-user-id", b"ana"),
    (b"x-tenant", b"t"),
    (b"host", b"gateway"),
    (b"content-type", b"application/json"),
    (b"openai-beta", b"x=v1"),
    (b"accept-encoding", b"gzip"),
]
REQUEST = ClientRequest(b"POST", b"/v1/chat/completions", b"?a=b", SENT, first_values(SENT))


def bind(version: int = 1, pools: Pools | None = None, **changes: Any) -> BoundTable:
    """Bind a table with one provider and one variant."""
    own = changes.pop("variant_headers", ())
    one = table([provider(1, **changes)], [route([variant("current", headers=own)])], version=version, default="sim")
    return (pools or Pools(Sweep(asyncio.get_running_loop(), tick_s=1))).bind(one)


def heads(bound: BoundTable) -> list[bytes]:
    """Give the heads of a rewritten request and of one that passes through."""
    found = bound.route("support")
    assert found is not None
    rewritten = found.arms[0].variants[0].head(Api.CHAT, REQUEST, 7)
    return [rewritten, bound.providers["sim"].passed_head(REQUEST, b"/v1/files")]


@pytest.mark.parametrize("auth", [Auth.KEY, Auth.NONE])
async def test_client_keys_stay(auth: Auth) -> None:
    """A client's keys and cookies reach no provider that has its own key or none."""
    for head in heads(bind(auth=auth, key="ours", forward_headers=frozenset({"x-tenant"}))):
        assert b"client-secret" not in head
        assert (b"authorization: Bearer ours\r\n" in head) is (auth is Auth.KEY)
        assert b"x-tenant: t\r\n" in head
        assert b"x-user-id" not in head


async def test_client_keys_travel_when_asked() -> None:
    """With `auth: client` the client's key goes on, and cookies still do not."""
    for head in heads(bind(auth=Auth.CLIENT)):
        assert b"authorization: Bearer client-secret\r\n" in head
        assert b"cookie" not in head
        assert b"proxy-authorization" not in head


@pytest.mark.parametrize("name", ["api-key", "x-api-key"])
async def test_key_in_its_own_header(name: str) -> None:
    """A key for another header is sent there, bare, and nowhere else."""
    for head in heads(bind(auth=Auth.KEY, key="ours", key_header=name)):
        assert f"{name}: ours\r\n".encode() in head
        assert head.count(b"ours") == 1
        assert b"authorization" not in head


async def test_rewritten_head_is_exact() -> None:
    """A rewritten request has our host, one length, no compression, the client's query and the variant's headers."""
    head = heads(bind(variant_headers=(("openai-beta", "ours"), ("x-own", "1"))))[0].decode()
    assert head.startswith("POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: 127.0.0.1:1\r\n")
    assert head.endswith("content-length: 7\r\n\r\n")
    assert head.count("host:") == head.count("accept-encoding: identity\r\n") == 1
    assert head.count("openai-beta") == 1
    assert "openai-beta: ours\r\n" in head


async def test_pool_is_kept() -> None:
    """A provider that stays the same keeps its pool from table to table; a changed one gets a new pool."""
    pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=1))
    first, same, other = bind(1, pools), bind(2, pools), bind(3, pools, key="changed")
    assert first.providers["sim"] is same.providers["sim"]
    assert first.providers["sim"] is not other.providers["sim"]


async def test_busy_connections_of_old_pools_count() -> None:
    """What a retired pool still has open is counted, and closed with the rest."""
    async with ScriptedUpstream([(Hang(),)]) as upstream:
        pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=1))
        await pools.bind(table([provider(upstream.port)], [])).providers["sim"].pool.acquire()
        pools.bind(table([provider(1)], [], version=2))
        assert pools.open_count == 1
        pools.close()
        assert pools.open_count == 0


async def test_changed_provider_closes_its_pool() -> None:
    """The old pool of a changed provider closes what is idle at once."""
    async with ScriptedUpstream([(Hang(),)]) as upstream:
        pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=1))
        old = pools.bind(table([provider(upstream.port)], []))
        pool = old.providers["sim"].pool
        pool.put_back(await pool.acquire())
        pools.bind(table([provider(upstream.port, max_connections=3)], [], version=2))
        await upstream.until(open_count=0)
        assert pools.open_count == 0
        pools.close()


async def test_ejections_outlive_a_table() -> None:
    """An edit of something else sends nobody back to a provider that is down; another provider begins anew."""
    pools = Pools(Sweep(asyncio.get_running_loop(), tick_s=1))

    def publish(version: int, port: int = 1) -> BoundTable:
        variants = [variant("a"), variant("b"), variant("spare", "other")]
        providers = [provider(port), provider(2, "other")]
        bound = pools.bind(table(providers, [route(variants, arms=2, fallback=("spare",))], version=version))
        assert bound.route("support") is not None
        return bound

    first = publish(1)
    ejections = {key[1]: ejection for key, ejection in first.ejections.items()}
    assert len({id(each) for each in ejections.values()}) == 3  # Each variant has its own: a bad one harms no other.
    for _ in range(AFTER):
        ejections["a"].note_failure(10.0)
    assert (first.left_out(10.0), publish(2).left_out(15.0)) == ({"sim": 30}, {"sim": 25})
    assert publish(3, port=3).left_out(15.0) == {}


async def test_nobody_else_to_ask() -> None:
    """Without a fallback nothing is counted, for nothing could be done about it."""
    bound = bind()
    found = bound.route("support")
    assert found is not None
    assert (found.arms[0].variants[0].ejection, bound.ejections) == (None, {})
