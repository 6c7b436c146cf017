"""The real client is satisfied, and the provider tells what it saw."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from gateway.clock import SettableClock
from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.provider import SimulatedProvider


class City(BaseModel):
    """What `.parse()` should give."""

    name: str
    population: int


@pytest.fixture
async def official(provider: SimulatedProvider) -> AsyncIterator[AsyncOpenAI]:
    """Give the official client of `provider`, which does not retry."""
    async with AsyncOpenAI(base_url=provider.base_url, api_key="sk-x", max_retries=0) as client:
        yield client


ASK: Any = [{"role": "system", "content": "kind"}, {"role": "user", "content": "where?"}]


async def test_chat_pleases_the_client(official: AsyncOpenAI) -> None:
    """Whole and streamed give a text; usage comes where asked for."""
    whole = await official.chat.completions.create(model="gpt-x", messages=ASK)
    assert "where?" in str(whole.choices[0].message.content) and whole._request_id
    wanted: Any = {"include_usage": True}
    stream = await official.chat.completions.create(model="gpt-x", messages=ASK, stream=True, stream_options=wanted)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


async def test_responses_please_the_client(official: AsyncOpenAI) -> None:
    """Whole and streamed give a text."""
    whole = await official.responses.create(model="gpt-x", input="where?", instructions="kind")
    assert "where?" in whole.output_text and whole.usage
    async with official.responses.stream(model="gpt-x", input="where?") as stream:
        final = await stream.get_final_response()
    assert final.output_text == whole.output_text


async def test_parse_pleases_the_client(official: AsyncOpenAI) -> None:
    """Structured outputs fit the schema, on both APIs."""
    chat = await official.chat.completions.parse(model="m", messages=ASK, response_format=City)
    typed = await official.responses.parse(model="m", input="hi", text_format=City)
    assert chat.choices[0].message.parsed == typed.output_parsed == City(name="simulated", population=1)


async def test_other_endpoints_please_the_client(official: AsyncOpenAI) -> None:
    """Embeddings, models, moderations, legacy completions."""
    assert len((await official.embeddings.create(model="e", input=["a", "b"])).data) == 2
    assert "gpt-4.1" in [model.id async for model in official.models.list()]
    assert (await official.moderations.create(input="attack")).results[0].flagged
    assert (await official.completions.create(model="m", prompt="hi")).choices[0].text


async def test_files_come_back(official: AsyncOpenAI) -> None:
    """Uploaded bytes are hashed, and downloaded as they were."""
    content = bytes(range(256)) * 500
    file = await official.files.create(file=("a.bin", content), purpose="user_data")
    assert (file.model_extra or {})["sha256"] == hashlib.sha256(content).hexdigest()
    assert (await official.files.content(file.id)).content == content


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ("401", openai.AuthenticationError),
        ("429", openai.RateLimitError),
        ("529", openai.InternalServerError),
        ("html", openai.InternalServerError),
        ("reset", openai.APIConnectionError),
        ("garbage", openai.APIConnectionError),
    ],
)
async def test_faults_reach_the_client(official: AsyncOpenAI, order: str, error: type[Exception]) -> None:
    """As the exceptions applications catch."""
    with pytest.raises(error):
        await official.chat.completions.create(model="gpt-x", messages=ASK, extra_headers={"x-sim-fault": order})


async def test_received_is_told(client: Any) -> None:
    """The rewritten body is there for tests to see, in process and over HTTP."""
    await client.chat("gpt-x", system="kind", headers="authorization: Bearer sk-1\r\n")
    listed = orjson.loads((await client.ask(path="/sim/received?limit=5", method="GET")).body)
    assert listed[0]["json"] == client.provider.received[0].json
    assert listed[0]["has_key"] and "sk-1" not in str(listed)
    await client.ask(path="/sim/received", method="DELETE")
    assert client.provider.received == []


async def test_stats_count(client: Any) -> None:
    """By model and by the status that went out."""
    await client.chat("gpt-x")
    await client.chat("fault-429")
    stats = orjson.loads((await client.ask(path="/sim/stats", method="GET")).body)
    assert stats["by_model"] == {"gpt-x": {"200": 1}, "fault-429": {"429": 1}}
    assert stats["n_requests"] == 2


async def test_behaviour_changes_live(client: Any) -> None:
    """A patch counts from the next request; a wrong one changes nothing."""
    patch = {"models": {"gpt-x": {"error_rate": 1, "error_statuses": [503]}}}
    assert (await client.ask(patch, path="/sim/behaviour")).status == 200
    assert (await client.chat("gpt-x")).status == 503
    assert (await client.ask({"default": {"nope": 1}}, path="/sim/behaviour")).status == 400
    assert (await client.chat("gpt-y")).status == 200


async def test_seed_repeats_everything() -> None:
    """Two providers of one seed and one clock answer alike."""
    bodies = []
    for _ in range(2):
        behaviour = Behaviour(default=ModelBehaviour(output_tokens_spread=20, refusal_rate=0.3))
        async with (
            SimulatedProvider(behaviour, seed=9, clock=SettableClock(unix_ms=7)) as provider,
            AsyncOpenAI(base_url=provider.base_url, api_key="x") as client,
        ):
            bodies.append([await client.chat.completions.create(model="m", messages=ASK) for _ in range(5)])
    assert bodies[0] == bodies[1]


async def test_times_are_kept(provider: SimulatedProvider, official: AsyncOpenAI) -> None:
    """A described stream takes the time its tokens take."""
    provider.behaviour = Behaviour(default=ModelBehaviour(ttft_ms=50, tokens_per_s=200, output_tokens=20))
    start_s = provider.clock.now_s()
    async for _ in await official.chat.completions.create(model="m", messages=ASK, stream=True):
        pass
    assert provider.clock.now_s() - start_s > 0.13
