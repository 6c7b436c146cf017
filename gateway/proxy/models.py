"""`GET /v1/models`: the routes, then what each provider lists."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.clock import Clock
from gateway.domain.provider import Auth
from gateway.errors import GatewayError
from gateway.proxy.bound import BoundProvider, BoundTable
from gateway.proxy.exchange import ClientRequest

LIST_TIMEOUT_S = 2.0
"""Providers that have not listed by then are left out: the routes are what matters."""

KEPT_S = 60.0
"""How long a provider's list is kept by a worker."""

PATH = b"/v1/models"

_ABOUT_THE_BODY = (b"accept-encoding", b"content-", b"if-", b"range")
"""The client's wishes for its own answer, which is another one than the provider's."""


class _Listing(msgspec.Struct):
    data: list[msgspec.Raw] = []


_LISTING = msgspec.json.Decoder(_Listing)


class ModelList:
    """Lists models; keeps each provider's list for a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[BoundProvider, float, list[msgspec.Raw]]] = {}

    async def render(self, bound: BoundTable, request: ClientRequest) -> bytes:
        """Give the list as OpenAI shapes it."""
        listed = await asyncio.gather(*(self._of(entry, request) for entry in bound.providers.values()))
        routes = [route_model(name) for name in bound.table.route_names]
        models = [model for models in listed for model in models]
        return msgspec.json.encode({"object": "list", "data": [*routes, *models]})

    async def _of(self, entry: BoundProvider, request: ClientRequest) -> list[msgspec.Raw]:
        name = entry.provider.name
        is_shared = entry.provider.auth is not Auth.CLIENT  # A client's own key may list its own models.
        now_s = self._clock.now_s()
        kept = self._kept.get(name)
        # By identity: a provider whose key or address changed is another one under the same name.
        if is_shared and kept is not None and kept[0] is entry and now_s - kept[1] < KEPT_S:
            return kept[2]
        models = await _fetch(entry, request)
        if is_shared and models:
            self._kept[name] = (entry, now_s, models)
        return models


def route_model(name: str) -> dict[str, object]:
    """Give a route as a model object."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "sluice"}


async def _fetch(entry: BoundProvider, request: ClientRequest) -> list[msgspec.Raw]:
    """Give a provider's list; an empty one when it cannot be had."""
    headers = [pair for pair in request.headers if not pair[0].startswith(_ABOUT_THE_BODY)]
    asked = ClientRequest(b"GET", PATH, b"", headers, first={})
    head = entry.passed_head(asked, f"{entry.provider.base_path}/models".encode())
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            connection = entry.pool.take_idle() or await entry.pool.acquire()
            response = connection.send(head, b"", wants_whole=True)
            try:
                await response.arrive()
                return _LISTING.decode(response.body()).data if response.status == 200 else []
            finally:
                response.release()
    except (GatewayError, TimeoutError, msgspec.DecodeError):
        return []
