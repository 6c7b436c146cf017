"""
What an app does with the official Python client, as a script that runs under any version of it.

    py_client.py BASE_URL STRICT_BASE_URL

prints one JSON object: for each thing tried, what came of it. STRICT_BASE_URL has no default provider.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from typing import Any

import openai
from pydantic import BaseModel
from pydantic_core import to_json

USER = {"x-user-id": "ana"}
MESSAGES: Any = [{"role": "system", "content": "old"}, {"role": "user", "content": "Größe? 価格? 😀"}]
UPLOAD = bytes(range(256)) * 2_000


class Ticket(BaseModel):
    """What `.parse()` is to give."""

    title: str
    urgent: bool


def chat(client: openai.OpenAI) -> Any:
    """Ask once."""
    raw = client.chat.completions.with_raw_response.create(model="support", messages=MESSAGES, extra_headers=USER)
    whole = raw.parse()
    sluice = sorted(name for name in raw.headers if name.startswith("x-sluice"))
    return {
        "finish": whole.choices[0].finish_reason,
        "has_text": bool(whole.choices[0].message.content),
        "model": whole.model,
        "headers": sluice,
        "has_request_id": bool(raw.headers.get("x-request-id")),
        "variant": raw.headers.get("x-sluice-variant"),
    }


def chat_stream(client: openai.OpenAI) -> Any:
    """Ask for a stream, without and with usage."""
    plain, counted = (
        list(client.chat.completions.create(model="support", messages=MESSAGES, stream=True, **more))  # type: ignore[call-overload]
        for more in ({}, {"stream_options": {"include_usage": True}})
    )
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in plain) != "",
        "same": _text(plain) == _text(counted),
        "finish": plain[-1].choices[0].finish_reason,
        "usages": [sum(chunk.usage is not None for chunk in chunks) for chunks in (plain, counted)],
    }


def _text(chunks: list[Any]) -> str:
    return "".join(part.delta.content or "" for chunk in chunks for part in chunk.choices)


def chat_async(client: openai.OpenAI) -> Any:
    """Ask through the asynchronous client, twelve at once, half of them streamed."""

    async def ask(other: openai.AsyncOpenAI, number: int) -> str:
        if number % 2:
            whole = await other.chat.completions.create(model="support", messages=MESSAGES, extra_headers=USER)
            return str(whole.choices[0].finish_reason)
        finish = None
        async for chunk in await other.chat.completions.create(model="support", messages=MESSAGES, stream=True):
            finish = chunk.choices[0].finish_reason
        return str(finish)

    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=str(client.base_url), api_key="k", max_retries=0) as other:
            return await asyncio.gather(*(ask(other, number) for number in range(12)))

    return sorted(set(asyncio.run(run())))


def chat_parse(client: openai.OpenAI) -> Any:
    """Ask for a value of a class."""
    whole = client.chat.completions.parse(model="support", messages=MESSAGES, response_format=Ticket)
    return type(whole.choices[0].message.parsed).__name__


def chat_tools(client: openai.OpenAI) -> Any:
    """Insist on a function call."""
    tool: Any = {
        "type": "function",
        "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
    }
    choice: Any = {"type": "function", "function": {"name": "look_up"}}
    whole = client.chat.completions.create(model="support", messages=MESSAGES, tools=[tool], tool_choice=choice)
    calls: Any = whole.choices[0].message.tool_calls
    return [call.function.name for call in calls]


def responses(client: openai.OpenAI) -> Any:
    """Ask over the newer API."""
    whole = client.responses.create(model="support", input="Where is it?", instructions="old", extra_headers=USER)
    return {"status": whole.status, "has_text": bool(whole.output_text), "model": whole.model}


def responses_stream(client: openai.OpenAI) -> Any:
    """Ask over the newer API for a stream, and through its helper."""
    events = list(client.responses.create(model="support", input="Where is it?", stream=True))
    with client.responses.stream(model="support", input="Where is it?") as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    return {
        "first": events[0].type,
        "last": events[-1].type,
        "rising": [event.sequence_number for event in events] == list(range(len(events))),
        "helper": final.status,
    }


def responses_parse(client: openai.OpenAI) -> Any:
    """Ask over the newer API for a value of a class."""
    return type(client.responses.parse(model="support", input="A ticket", text_format=Ticket).output_parsed).__name__


def completions(client: openai.OpenAI) -> Any:
    """Ask over the oldest API."""
    return bool(client.completions.create(model="support", prompt="Where").choices[0].text)


def embeddings(client: openai.OpenAI) -> Any:
    """Ask for vectors."""
    found = client.embeddings.create(model="embed", input=["one", "two"])
    return [len(found.data), len(found.data[0].embedding) > 0, found.model]


def models(client: openai.OpenAI) -> Any:
    """List the models, and ask for one."""
    return ["support" in [model.id for model in client.models.list()], client.models.retrieve("support").id]


def files(client: openai.OpenAI) -> Any:
    """Upload half a megabyte and have it back."""
    made = client.files.create(file=("data.bin", io.BytesIO(UPLOAD)), purpose="assistants")
    return [made.bytes == len(UPLOAD), client.files.content(made.id).read() == UPLOAD]


def error_of(ask: Callable[[], Any]) -> Any:
    """Give what the client made of an error."""
    try:
        ask()
    except openai.APIStatusError as error:
        retry_after = error.response.headers.get("retry-after")
        return [type(error).__name__, error.status_code, error.code, retry_after]
    except openai.APIError as error:
        return [type(error).__name__, None, error.code, None]
    return None


def errors(client: openai.OpenAI) -> Any:
    """Meet the provider's errors."""
    names = ("400", "401", "403", "404", "409", "422", "429:7", "500", "503")

    def ask(model: str, *, stream: bool = False) -> None:
        answer: Any = client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
        if stream:
            list(answer)

    found = {name: error_of(lambda name=name: ask(f"fault-{name}")) for name in names}  # type: ignore[misc]
    found["cut stream"] = error_of(lambda: ask("fault-reset@mid:3", stream=True))
    found["empty"] = error_of(lambda: ask("fault-empty"))
    return found


def own_errors(client: openai.OpenAI) -> Any:
    """Meet the gateway's errors, where there is no default provider."""
    return {
        "model": error_of(lambda: client.chat.completions.create(model="nobody", messages=MESSAGES)),
        "responses": error_of(lambda: client.responses.create(model="nobody", input="hi")),
        "files": error_of(lambda: client.files.list()),
        "large": error_of(
            lambda: client.chat.completions.create(model="small", messages=[{"role": "user", "content": "x" * 5_000}])
        ),
        "variant": error_of(
            lambda: client.chat.completions.create(
                model="support", messages=MESSAGES, extra_headers={"x-sluice-force-variant": "nobody"}
            )
        ),
    }


TRIED = (
    chat,
    chat_stream,
    chat_async,
    chat_parse,
    chat_tools,
    responses,
    responses_stream,
    responses_parse,
    completions,
    embeddings,
    models,
    files,
    errors,
)


def main(base_url: str, strict_base_url: str) -> None:
    """Try everything and print it."""
    found: dict[str, Any] = {"version": openai.__version__}
    with openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=20) as client:
        for attempt in TRIED:
            try:
                found[attempt.__name__] = attempt(client)
            except Exception as error:  # What broke is for the test to see, by name.
                found[attempt.__name__] = f"{type(error).__name__}: {error}"
    with openai.OpenAI(base_url=strict_base_url, api_key="k", max_retries=0, timeout=20) as client:
        found["own_errors"] = own_errors(client)
    sys.stdout.buffer.write(to_json(found) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
