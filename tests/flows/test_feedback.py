"""Feedback through the real gateway: acknowledged once it is durable, counted once, about the arm that answered."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import openai
import pytest

from gateway.simulator.population import TrafficPlan
from gateway.simulator.traffic import drive
from tests.fakes.feedback_bodies import body_of
from tests.flows.rig.facts import store_file
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.http import HttpClient, Reply
from tests.flows.rig.load import CHAT
from tests.flows.rig.provider import ProviderProcess

FEEDBACK = "/v1/feedback"
FOUND_WITHIN_S = 10.0
N_BODIES, N_SENDERS = 100_000, 16

CONFIG = """version: 1
providers:
  local: {{base_url: "{base_url}", auth: none}}
metrics:
  thumbs: {{kind: binary}}
  stars: {{kind: score, range: [1, 5], good: 4, attribution: 4h}}
  edits: {{kind: count}}
  words: {{kind: text}}
routes:
  support:
    variants: {{current: {{model: fast}}, concise: {{model: fast}}}}
    release: {{split: {{arms: {{{arms}}}}}}}
  stateless:
    variants: {{current: {{model: fast}}, concise: {{model: fast}}}}
    release: {{unit: request, split: {{arms: {{current: 50%, concise: 50%}}}}}}
"""
HALVES = "current: 50%, concise: 50%"


@pytest.fixture(name="running")
def _running(sim: ProviderProcess, home: Path) -> Iterator[GatewayProcess]:
    """Give a gateway of two workers."""
    with gateway(home, CONFIG.format(base_url=sim.base_url, arms=HALVES)) as running:
        running.until(lambda now: now["facts"] and now["facts"]["store"] == "ok")
        yield running


@pytest.fixture(name="shared", scope="module")
def _shared(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give one gateway for all that keeps nothing in it, or does not look."""
    home = tmp_path_factory.mktemp("shared")
    with gateway(home, CONFIG.format(base_url=sim.base_url, arms=HALVES), workers=1) as running:
        yield running


def rows(running: GatewayProcess, columns: str) -> list[tuple[Any, ...]]:
    """Give columns of every piece of feedback that is kept."""
    with closing(sqlite3.connect(f"file:{store_file(running)}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(f"SELECT {columns} FROM feedback ORDER BY id").fetchall()


async def asked(client: HttpClient, user: str = "ana", model: str = "support") -> tuple[str, str]:
    """Ask, and give the answer's request id and variant."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    reply = await client.post(CHAT, body, {"x-user-id": user})
    assert reply.status == 200, reply
    return reply.headers["x-sluice-request-id"], reply.headers["x-sluice-variant"]


async def given(port: int, body: object, **headers: str) -> Reply:
    """Give feedback on a connection of its own."""
    client = HttpClient(port, keeps=False)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(FEEDBACK, body, named)


async def test_same_id_at_once(running: GatewayProcess) -> None:
    """Twenty times the same at the same moment, at both workers: one row, and every sender is told it counts."""
    request_id, _ = await asked(HttpClient(running.port, keeps=False))
    body = {"request_id": request_id, "metric": "thumbs", "value": True, "id": "click-1"}
    replies = await asyncio.gather(*(given(running.port, body) for _ in range(20)))
    assert Counter(reply.status for reply in replies) == {200: 20}
    assert Counter(reply.json["data"][0]["status"] for reply in replies) == {"stored": 1, "repeated": 19}
    assert rows(running, "id, metric, value") == [("click-1", "thumbs", 1.0)]


async def test_first_value_stands(running: GatewayProcess) -> None:
    """Of twenty that contradict each other under one id, one value stands and the others are told."""
    request_id, _ = await asked(HttpClient(running.port, keeps=False))
    bodies = [{"request_id": request_id, "metric": "edits", "value": number} for number in range(20)]
    replies = await asyncio.gather(*(given(running.port, body) for body in bodies))
    assert Counter(reply.status for reply in replies) == {200: 1, 409: 19}
    (stored,) = [number for number, reply in enumerate(replies) if reply.status == 200]
    assert rows(running, "value") == [(float(stored),)]


async def test_arm_at_exposure(running: GatewayProcess, sim: ProviderProcess) -> None:
    """Feedback is about the arm that answered, though everybody has another by the time it comes."""
    client = HttpClient(running.port, keeps=False)
    answers = [await asked(client, f"user-{number}") for number in range(10)]
    await asyncio.to_thread(running.apply, CONFIG.format(base_url=sim.base_url, arms="current: 100%"))
    body = [{"request_id": request_id, "metric": "thumbs", "value": 1, "id": request_id} for request_id, _ in answers]
    assert (await given(running.port, body)).status == 200
    assert dict(rows(running, "id, arm")) == dict(answers)


async def test_acknowledged_is_durable(running: GatewayProcess) -> None:
    """What was acknowledged is there after every process was killed at once, and is known as repeated."""
    request_id, _ = await asked(HttpClient(running.port, keeps=False))
    body = {"request_id": request_id, "metric": "words", "value": "too slow", "comment": "really"}
    assert (await given(running.port, body)).status == 200
    await asyncio.to_thread(running.kill)
    await asyncio.to_thread(running.start)
    assert rows(running, "text, comment, value") == [("too slow", "really", None)]
    assert (await given(running.port, body)).json["data"][0]["status"] == "repeated"


async def test_by_user(running: GatewayProcess) -> None:
    """Feedback by user finds the arm that the user was exposed to."""
    _, variant = await asked(HttpClient(running.port, keeps=False), "zoë")
    body = {"user": "zoe\u0308 ", "route": "support", "metric": "stars", "value": 4.5}
    assert (await given(running.port, body)).status == 200
    deadline_s = time.monotonic() + FOUND_WITHIN_S
    while rows(running, "arm, value") != [(variant, 4.5)]:
        assert time.monotonic() < deadline_s, rows(running, "arm, value")
        await asyncio.sleep(0.05)


async def test_list_is_all_or_nothing(running: GatewayProcess) -> None:
    """One wrong piece keeps a list out; the error names it."""
    request_id, _ = await asked(HttpClient(running.port, keeps=False))
    piece = {"request_id": request_id, "metric": "stars"}
    reply = await given(running.port, [piece | {"value": 4}, piece | {"value": 6}])
    error = reply.json["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "invalid_value", "[1].value")
    assert (await given(running.port, piece | {"value": 5, "id": "alone"})).status == 200
    assert rows(running, "id") == [("alone",)]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        ({"request_id": "sq1_x", "metric": "thumbs", "value": 1}, {}, 400, "unknown_request_id"),
        ({"user": "ana", "route": "stateless", "metric": "thumbs", "value": 1}, {}, 400, "needs_request_id"),
        ({"user": "ana", "route": "nowhere", "metric": "thumbs", "value": 1}, {}, 400, "unknown_route"),
        (b'{"comment":"' + b"x" * 1024 * 1024 + b'"}', {}, 413, "request_too_large"),
        (b"{}", {"content_encoding": "gzip"}, 415, "unsupported_media_type"),
    ],
)
async def test_refused(shared: GatewayProcess, body: object, headers: dict[str, str], status: int, code: str) -> None:
    """What is wrong is told as everywhere, in an error body that SDKs read."""
    reply = await given(shared.port, body, **headers)
    assert (reply.status, reply.error_code) == (status, code)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods(shared: GatewayProcess, method: str) -> None:
    """Feedback is given by POST, and nothing about it reaches a provider."""
    reply = await HttpClient(shared.port, keeps=False).ask(method, FEEDBACK, b"")
    assert (reply.status, reply.error_code) == (405, "method_not_allowed")


async def test_official_client(shared: GatewayProcess) -> None:
    """The official client raises its own errors with our code and field, and does not repeat a conflict."""
    request_id, _ = await asked(HttpClient(shared.port, keeps=False))
    body = {"request_id": request_id, "metric": "thumbs", "value": True}
    async with openai.AsyncOpenAI(base_url=shared.base_url, api_key="unused", max_retries=2) as client:
        await client.post("/feedback", cast_to=object, body=body)
        with pytest.raises(openai.BadRequestError) as wrong:
            await client.post("/feedback", cast_to=object, body=body | {"metric": "thumb"})
        assert (wrong.value.code, wrong.value.param) == ("unknown_metric", "metric")
        with pytest.raises(openai.ConflictError, match="`id` that was not used before"):
            await client.post("/feedback", cast_to=object, body=body | {"value": False})


async def test_population_speaks(running: GatewayProcess) -> None:
    """A simulated population's thumbs are all acknowledged, and are in the store to the row and the arm."""
    plan = TrafficPlan(
        route="support", n_users=30, rate_per_s=100, n_requests=150, feedback_ratio=0.6, feedback_delay_s=0.2
    )
    thumbs: list[tuple[str, float]] = []
    summary = await drive(
        plan,
        base_url=running.base_url,
        on_result=lambda result: thumbs.append((result.variant, result.thumb)) if result.thumb is not None else None,
    )
    assert (summary.feedback_errors, summary.n_feedback_given) == ({}, len(thumbs))
    assert Counter(rows(running, "arm, value")) == Counter(thumbs) and len(thumbs) > 60


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_any_body(running: GatewayProcess) -> None:
    """A hundred thousand bodies over the wire: nothing but 200, 400, 409 and 413, and the gateway is as it was."""
    first = HttpClient(running.port)
    tokens = [(await asked(first, f"user-{number}"))[0] for number in range(8)]
    first.close()
    statuses: Counter[int] = Counter()

    async def send(seed: int) -> None:
        client, chance = HttpClient(running.port), Random(seed)
        for _ in range(N_BODIES // N_SENDERS):
            statuses[(await client.post(FEEDBACK, body_of(chance, tokens))).status] += 1
        client.close()

    await asyncio.gather(*map(send, range(N_SENDERS)))
    assert sum(statuses.values()) == N_BODIES
    assert set(statuses) <= {200, 400, 409, 413} and statuses[200] > 500, statuses
    kept = rows(running, "metric, value, text, arm")
    assert len(kept) == len(set(rows(running, "id"))) > 100
    assert all((value is None) == (metric == "words") == (text is not None) for metric, value, text, _ in kept)
