"""Tests for gateway.proxy.feedback: a body comes, and is acknowledged once it is kept."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SettableClock
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.request_id import RequestId
from gateway.errors import BadRequestError, GatewayError, MethodError, OverloadedError, UnsupportedMediaError
from gateway.proxy.bound import BoundTable
from gateway.proxy.exchange import ClientRequest, first_values
from gateway.proxy.feedback import BODY_LIMIT, PATH, answer_feedback
from gateway.record.feedback import Feedback, Receipt
from gateway.wire.feedback import MAX_PIECES
from tests.fakes.feedback_bodies import body_of, is_sound
from tests.fakes.shelf import Shelf
from tests.fakes.sink import RecordingSink
from tests.fakes.tables import provider, route, table, variant

NOW_MS = 1_795_351_943_705
METRICS = {
    "thumbs": Metric("thumbs", MetricKind.BINARY),
    "stars": Metric("stars", MetricKind.SCORE, range=(1, 5)),
    "edits": Metric("edits", MetricKind.COUNT),
    "words": Metric("words", MetricKind.TEXT),
}


ROUTE = route([variant("current"), variant("concise")], arms=2)
BOUND = BoundTable(table([provider(1)], [ROUTE], metrics=METRICS.values()), {})
TOKENS = [
    BOUND.seal.seal(RequestId("support", "support-release", "concise", 1, serial + 5, NOW_MS - 1_000, serial))
    for serial in range(8)
]
THUMB: dict[str, Any] = {"request_id": TOKENS[0], "metric": "thumbs", "value": True}


def request(body: object, method: bytes = b"POST", **headers: str) -> ClientRequest:
    """Give a request with this body."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return ClientRequest(method, PATH, b"", named, first_values(named), raw)


async def answered(body: object, shelf: Shelf, **more: Any) -> RecordingSink:
    """Give the answer to a body."""
    sink = RecordingSink()
    await answer_feedback(BOUND, request(body, **more), sink, shelf.give, SettableClock(unix_ms=NOW_MS))
    return sink


def pieces_of(sink: RecordingSink) -> list[tuple[str, str]]:
    """Give metric and status of each piece of an answer."""
    return [(one["metric"], one["status"]) for one in msgspec.json.decode(sink.body)["data"]]


async def test_one() -> None:
    """One thumb is kept with its arm, and then acknowledged."""
    shelf = Shelf()
    sink = await answered(THUMB, shelf)
    assert (sink.status, pieces_of(sink), sink.header(b"x-sluice-config")) == (
        200,
        [("thumbs", "stored")],
        b"abcdef012345",
    )
    assert (shelf.only.arm, shelf.only.value, shelf.only.received_unix_ms) == ("concise", 1.0, NOW_MS)


async def test_said_twice() -> None:
    """The same again, as clients do that heard no answer, counts once."""
    shelf = Shelf()
    await answered(THUMB, shelf)
    again = await answered(THUMB, shelf)
    assert (again.status, pieces_of(again), len(shelf.kept)) == (200, [("thumbs", "repeated")], 1)


async def test_other_value() -> None:
    """Another value for the same request and metric is a conflict, and not to be tried again as it is."""
    shelf = Shelf()
    await answered(THUMB, shelf)
    other = await answered(THUMB | {"value": False}, shelf)
    assert (other.status, other.header(b"x-should-retry"), shelf.only.value) == (409, b"false", 1.0)
    assert (await answered(THUMB | {"value": False, "id": "changed-my-mind"}, shelf)).status == 200


async def test_conflict_in_a_list() -> None:
    """What is not in conflict is stored all the same, and the answer says so for each."""
    shelf = Shelf()
    await answered(THUMB, shelf)
    sink = await answered([THUMB | {"value": 0}, THUMB | {"metric": "stars", "value": 4}], shelf)
    assert (sink.status, pieces_of(sink)) == (409, [("thumbs", "conflict"), ("stars", "stored")])
    assert len(shelf.kept) == 2


async def test_idempotency_key() -> None:
    """The header is the id."""
    shelf = Shelf()
    await answered(THUMB, shelf, idempotency_key="click-7")
    assert shelf.only.id == "click-7"


async def test_by_user_counts_each() -> None:
    """Without an id nothing tells two sayings of one user apart from one said twice: each counts."""
    shelf = Shelf()
    for _ in range(3):
        await answered({"user": "ana", "route": "support", "metric": "edits", "value": 2}, shelf)
    assert len(shelf.kept) == 3


async def test_all_or_nothing() -> None:
    """One wrong piece keeps the whole list out."""
    shelf = Shelf()
    with pytest.raises(BadRequestError) as caught:
        await answered([THUMB, THUMB | {"request_id": "sq1_forged"}], shelf)
    assert (caught.value.param, shelf.n_given) == ("[1].request_id", 0)


async def test_not_durable() -> None:
    """What cannot be kept is not acknowledged: the error passes, and there is no answer yet."""
    shelf = Shelf(failure=OverloadedError("away", code="feedback_unavailable", retry_after_s=2))
    with pytest.raises(OverloadedError):
        await answered(THUMB, shelf)


async def test_waits_for_it() -> None:
    """Nothing is answered before it is kept."""
    kept = asyncio.Event()

    async def give(feedback: list[Feedback]) -> list[Receipt]:
        await kept.wait()
        return [Receipt.STORED] * len(feedback)

    sink = RecordingSink()
    giving = asyncio.ensure_future(answer_feedback(BOUND, request(THUMB), sink, give, SettableClock(unix_ms=NOW_MS)))
    await asyncio.sleep(0.01)
    assert not sink.has_started
    kept.set()
    await giving
    assert sink.status == 200


@pytest.mark.parametrize(
    ("method", "headers", "error"),
    [
        (b"GET", {}, MethodError),
        (b"PUT", {}, MethodError),
        (b"DELETE", {}, MethodError),
        (b"POST", {"content_encoding": "gzip"}, UnsupportedMediaError),
        (b"POST", {"idempotency_key": "\xff\xfe"}, BadRequestError),
    ],
)
async def test_wrong_requests(method: bytes, headers: dict[str, str], error: type[GatewayError]) -> None:
    """Other methods, compressed bodies and headers that are no text are refused."""
    shelf = Shelf()
    with pytest.raises(error):
        await answered(THUMB, shelf, method=method, **headers)
    assert shelf.n_given == 0


async def test_others_get_their_turn() -> None:
    """A full list is not attributed in one go."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    shelf = Shelf()
    sink = await answered([THUMB | {"id": str(number)} for number in range(MAX_PIECES)], shelf)
    counting.cancel()
    assert (sink.status, len(shelf.kept)) == (200, MAX_PIECES) and turns > 10


def test_full_list_fits() -> None:
    """A thousand thumbs with ids are well below the limit of a body."""
    full = [THUMB | {"id": f"{number:0128}", "at": "2026-11-22T10:00:00.000Z"} for number in range(MAX_PIECES)]
    assert len(msgspec.json.encode(full)) < BODY_LIMIT


async def fuzzed(body: bytes, shelf: Shelf) -> int:
    """Give the status of whatever a body is answered with; anything else than an error of ours is raised."""
    try:
        return (await answered(body, shelf)).status
    except GatewayError as error:
        return error.status


@given(st.integers(0, 2**64))
async def test_any_body(seed: int) -> None:
    """Bodies that are nearly right are taken or refused, and only what is right is kept."""
    shelf, chance = Shelf(), Random(seed)
    statuses = {await fuzzed(body_of(chance, TOKENS), shelf) for _ in range(20)}
    assert statuses <= {200, 400, 409}
    assert all(is_sound(one, METRICS, NOW_MS) for one in shelf.kept.values())


@pytest.mark.slow
async def test_hundred_thousand_bodies() -> None:
    """As above, 100,000 times over; and enough of them are right for that to mean something."""
    shelf, chance = Shelf(), Random(3)
    counts = dict.fromkeys((200, 400, 409), 0)
    for _ in range(100_000):
        counts[await fuzzed(body_of(chance, TOKENS), shelf)] += 1
    assert all(is_sound(one, METRICS, NOW_MS) for one in shelf.kept.values())
    assert min(counts.values()) > 1_000
