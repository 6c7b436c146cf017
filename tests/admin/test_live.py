"""Endpoints about the traffic of right now, over the operators' port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest

from tests.fakes.live_numbers import LiveNumbers
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations

PATHS = ("/api/overview", "/api/routes/support", "/api/live", "/api/tail")


@pytest.fixture(name="numbers")
def _numbers() -> LiveNumbers:
    """Give numbers to be set."""
    return LiveNumbers()


@pytest.fixture(name="port")
async def _port(numbers: LiveNumbers) -> AsyncIterator[OperatorsPort]:
    """Give a port that shows them."""
    operations = QuietOperations()
    operations.live = numbers
    async with OperatorsPort(operations) as port:
        yield port


async def test_numbers_are_given(port: OperatorsPort) -> None:
    """The overview has every route, a route's own path just that one."""
    (status, overview), (_, route) = [await port.get(path) for path in PATHS[:2]]
    assert status == 200 and orjson.loads(overview)["routes"] == [orjson.loads(route)]


@pytest.mark.parametrize("path", ["/api/routes/nothing", "/api/live?route=nothing", "/api/tail?route=nothing"])
async def test_no_such_route(port: OperatorsPort, path: str) -> None:
    """A route that is not there is 404, on streams too."""
    status, body = await port.get(path)
    assert (status, orjson.loads(body)["error"]["code"]) == (404, "no_such_route")


@pytest.mark.parametrize("path", ["/api/live?rout=support", "/api/tail?limit=3"])
async def test_unknown_parameter(port: OperatorsPort, path: str) -> None:
    """A parameter nobody knows is 400 and named."""
    status, body = await port.get(path)
    assert (status, orjson.loads(body)["error"]["code"]) == (400, "unknown_parameter")


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_counts_yet(path: str) -> None:
    """Before anything is counted, each is 503 in the usual shape."""
    async with OperatorsPort(QuietOperations()) as port:
        status, body = await port.get(path)
    assert (status, orjson.loads(body)["error"]["code"]) == (503, "not_counting")


@pytest.mark.parametrize("path", PATHS)
async def test_head_has_no_body(port: OperatorsPort, path: str) -> None:
    """HEAD answers at once and without a body, where GET would go on for ever."""
    async with port.http.head(port.url + path) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_stream_begins_with_numbers(port: OperatorsPort) -> None:
    """The first event is there at once, as text that no cache keeps."""
    async with port.http.get(port.url + "/api/live?route=support") as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert (await response.content.readuntil(b"\n\n")).startswith(b'event: route\ndata: {"route":"support"')


async def test_tail_tells_requests(port: OperatorsPort, numbers: LiveNumbers) -> None:
    """What ends is an event; who leaves listens no more."""
    numbers.told = [{"status": 500}]
    async with port.http.get(port.url + "/api/tail") as response:
        assert await response.content.readuntil(b"\n\n") == b'event: request\ndata: {"status":500}\n\n'
        assert numbers.n_listening == 1
    await numbers.left.wait()
    assert numbers.n_listening == 0


async def test_tail_is_full(port: OperatorsPort, numbers: LiveNumbers) -> None:
    """Where as many listen as may, the next is 503."""
    numbers.is_full = True
    status, body = await port.get("/api/tail")
    assert (status, orjson.loads(body)["error"]["code"]) == (503, "too_many_streams")


async def test_too_many_streams(port: OperatorsPort) -> None:
    """The 41st stream is refused, in the usual shape."""
    connector_limit = 40
    responses = [await port.http.get(port.url + "/api/live") for _ in range(connector_limit)]
    status, body = await port.get("/api/live")
    for response in responses:
        response.close()
    assert (status, orjson.loads(body)["error"]["code"]) == (503, "too_many_streams")
