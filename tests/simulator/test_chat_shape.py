"""Chat answers have the shape clients expect, whole and streamed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.simulator.answers import Answer, answer, refused
from gateway.simulator.chat_shape import DONE, chat_events, render_chat
from gateway.simulator.describe import Behaviour
from gateway.simulator.question import Api, Question, parse_question

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"properties": {"a": {"type": "string"}}}}}]


def asked(**more: Any) -> tuple[Question, Answer]:
    """Give a question about 100% and its answer."""
    body = {"model": "m%d", "messages": [{"role": "user", "content": "100% é?"}], **more}
    question = parse_question(Api.CHAT, body)
    return question, answer(question, Behaviour(), seed=1, serial=1, unix_ms=0)


def chunks_of(events: tuple[bytes, ...]) -> list[Any]:
    """Give the parsed chunks before `[DONE]`."""
    assert events[-1] == DONE
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events[:-1]]


def test_unary_has_all() -> None:
    """Message, finish, usage."""
    question, one = asked()
    body = orjson.loads(render_chat(question, one))
    assert body["choices"][0]["message"]["content"] == one.text
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 24
    assert body["system_fingerprint"].startswith("fp_q0")


@pytest.mark.parametrize("n", [1, 3])
def test_stream_joins_to_the_text(n: int) -> None:
    """Role first, then the text, then the finish, for each choice."""
    question, one = asked(n=n)
    events, n_start, n_end = chat_events(question, one)
    chunks = chunks_of(events)
    mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == n - 1]
    assert "".join(choice["delta"].get("content", "") for choice in mine) == one.text
    assert mine[0]["delta"]["role"] == "assistant" and mine[-1]["finish_reason"] == "stop"
    assert (n_start, n_end) == (n, 1)


def test_usage_comes_last_when_wanted() -> None:
    """Null in every chunk, then one without choices."""
    *others, last = chunks_of(chat_events(*asked(stream_options={"include_usage": True}))[0])
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 24
    assert all(chunk["usage"] is None for chunk in others)


def test_no_usage_unasked() -> None:
    """Without include_usage there is no usage key."""
    assert not any("usage" in chunk for chunk in chunks_of(chat_events(*asked())[0]))


def test_tool_call_has_arguments() -> None:
    """A forced function is called, whole and streamed alike."""
    question, one = asked(tools=TOOLS, tool_choice="required")
    call = orjson.loads(render_chat(question, one))["choices"][0]["message"]["tool_calls"][0]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(chat_events(question, one)[0])]
    streamed = "".join(delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta)
    assert call["function"]["arguments"] == streamed == '{"a":"simulated"}'


def test_refusal_has_its_field() -> None:
    """Refusals go to `refusal`, not to `content`."""
    question, one = asked()
    message = orjson.loads(render_chat(question, refused(one)))["choices"][0]["message"]
    assert message["content"] is None and "can't help" in message["refusal"]


def test_legacy_completion_streams() -> None:
    """`/v1/completions` chunks carry `text`."""
    question = parse_question(Api.COMPLETIONS, {"model": "m", "prompt": "hi"})
    one = answer(question, Behaviour(), seed=1, serial=1, unix_ms=0)
    chunks = chunks_of(chat_events(question, one)[0])
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == one.text
