"""Pinned users, asked for their arms: quickly through plain HTTP, or through the official client in all four modes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import openai

from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT, problem_of

N_ASKING = 16


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to ask: over which API, and streamed or not."""

    api: str
    is_stream: bool

    def __str__(self) -> str:
        """Give its name in a report."""
        return f"{self.api}-{'stream' if self.is_stream else 'unary'}"


MODES = [Mode(api, is_stream) for api in ("chat", "responses") for is_stream in (False, True)]


def users(n: int) -> list[str]:
    """Give the first `n` pinned users."""
    return [f"user-{number}" for number in range(n)]


def arms_of(port: int, some: Sequence[str], *, names_user_in_body: bool = False) -> dict[str, str]:
    """Give each user's arm; every fourth user asks on a new connection, which lands on any worker."""
    return asyncio.run(_arms_of(port, some, names_user_in_body))


async def _arms_of(port: int, some: Sequence[str], names_user_in_body: bool) -> dict[str, str]:
    arms: dict[str, str] = {}

    async def ask_for(part: Sequence[str]) -> None:
        kept = HttpClient(port)
        for number, user in enumerate(part):
            client = kept if number % 4 else HttpClient(port, keeps=False)
            body: dict[str, Any] = {"model": "support", "messages": [{"role": "user", "content": "Where is it?"}]}
            named = {"user": user} if names_user_in_body else {}
            reply = await client.post(CHAT, body | named, {} if names_user_in_body else {"x-user-id": user})
            assert (problem := problem_of(reply, is_stream=False)) == "", f"{user}: {problem}"
            arms[user] = reply.headers["x-sluice-variant"]
        kept.close()

    await asyncio.gather(*(ask_for(some[start::N_ASKING]) for start in range(N_ASKING)))
    return arms


async def arms_by_real_client(base_url: str, some: Sequence[str], mode: Mode) -> dict[str, str]:
    """Give each user's arm, as the official client sees it; every answer is read to its end."""
    arms: dict[str, str] = {}
    # Nothing here speaks TLS, and reading the authorities is slow.
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0, http_client=http_client) as client:
        ask = _ask_chat if mode.api == "chat" else _ask_responses

        async def ask_for(part: Sequence[str]) -> None:
            for user in part:
                arms[user] = await ask(client, user, mode.is_stream)

        await asyncio.gather(*(ask_for(some[start::N_ASKING]) for start in range(N_ASKING)))
    return arms


async def _ask_chat(client: openai.AsyncOpenAI, user: str, is_stream: bool) -> str:
    create: Callable[..., Any] = client.chat.completions.with_raw_response.create
    messages = [{"role": "user", "content": "Where is it?"}]
    raw = await create(model="support", messages=messages, stream=is_stream, extra_headers={"x-user-id": user})
    finish = None
    if is_stream:
        async for chunk in raw.parse():
            finish = chunk.choices[0].finish_reason or finish if chunk.choices else finish
    else:
        finish = raw.parse().choices[0].finish_reason
    assert finish == "stop"
    return str(raw.headers["x-sluice-variant"])


async def _ask_responses(client: openai.AsyncOpenAI, user: str, is_stream: bool) -> str:
    create: Callable[..., Any] = client.responses.with_raw_response.create
    raw = await create(model="support", input="Where is it?", stream=is_stream, extra_headers={"x-user-id": user})
    status = None
    if is_stream:
        async for event in raw.parse():
            status = event.response.status if event.type == "response.completed" else status
    else:
        status = raw.parse().status
    assert status == "completed"
    return str(raw.headers["x-sluice-variant"])
