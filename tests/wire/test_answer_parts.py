"""An answer taken apart, whole and streamed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gateway.domain.variant import Api
from gateway.wire.answer_parts import MAX_TOOL_CALLS, AnswerParts, ToolCall, parts_of
from gateway.wire.answer_text import MAX_TEXT_BYTES


def chat(message: object, finish_reason: object = "stop") -> bytes:
    """Give a chat answer."""
    return msgspec.json.encode({"choices": [{"message": message, "finish_reason": finish_reason}]})


def stream(*payloads: object) -> bytes:
    """Give a stream of events."""
    return b"".join(b"data: " + msgspec.json.encode(one) + b"\n\n" for one in payloads) + b"data: [DONE]\n\n"


def delta(finish_reason: str | None = None, **delta: object) -> dict[str, object]:
    """Give a chat chunk."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def call(name: str = "", arguments: object = "", **more: object) -> dict[str, object]:
    """Give a tool call, or a piece of one."""
    return {"function": {"name": name, "arguments": arguments}, **more}


def unary(api: Api, raw: bytes) -> AnswerParts | None:
    """Read a whole answer."""
    return parts_of(api, raw, is_event_stream=False)


def streamed(api: Api, raw: bytes) -> AnswerParts:
    """Read a stream that is an answer."""
    parts = parts_of(api, raw, is_event_stream=True)
    assert parts is not None
    return parts


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, AnswerParts("a", finish_reason="stop")),
        ({"content": None, "refusal": "no"}, AnswerParts("", "no", finish_reason="stop")),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}, 3, {"type": None}]},
            AnswerParts("a", "no", finish_reason="stop"),
        ),
        ({"tool_calls": [call("f", "{}"), None]}, AnswerParts("", "", (ToolCall("f", "{}"),), "stop")),
        ({"tool_calls": [call("f", {"a": 1}, id=None)]}, AnswerParts("", "", (ToolCall("f", '{"a":1}'),), "stop")),
        (
            {"tool_calls": [{"type": "custom", "custom": {"name": "c", "input": "x"}}]},
            AnswerParts("", "", (ToolCall("c", "x"),), "stop"),
        ),
        (
            {"function_call": {"name": "f", "arguments": "1"}, "tool_calls": None},
            AnswerParts("", "", (ToolCall("f", "1"),), "stop"),
        ),
    ],
)
def test_chat(message: object, parts: AnswerParts) -> None:
    """Content, refusal and tool calls are read however a provider spells them."""
    assert unary(Api.CHAT, chat(message)) == parts


def test_first_choice() -> None:
    """The choice with the lowest index is the first, wherever it stands."""
    choices = [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]
    parts = unary(Api.CHAT, msgspec.json.encode({"choices": choices}))
    assert parts is not None
    assert parts.text == "a"


def test_completions() -> None:
    """Old completions have a text, whole or in pieces."""
    assert unary(Api.COMPLETIONS, b'{"choices":[{"text":"ab"}]}') == AnswerParts("ab")
    pieces = stream({"choices": [{"text": "a"}]}, {"choices": [{"text": "b", "finish_reason": "length"}]})
    assert streamed(Api.COMPLETIONS, pieces) == AnswerParts("ab", finish_reason="length")


@pytest.mark.parametrize(
    ("api", "raw"),
    [
        (Api.CHAT, b'{"error":{"message":"no"}}'),
        (Api.CHAT, b'{"choices":[]}'),
        (Api.CHAT, b'{"choices":[3]}'),
        (Api.CHAT, b'{"choices":[{"message":'),
        (Api.CHAT, b"[" * 100_000),
        (Api.CHAT, b"<html>"),
        (Api.EMBEDDINGS, b'{"choices":[{"message":{"content":"a"}}]}'),
        (Api.RESPONSES, b'{"status":"failed","output":[],"error":{"code":"x"}}'),
        (Api.RESPONSES, b'{"status":"queued","output":[]}'),
        (Api.RESPONSES, b'{"output":null}'),
    ],
)
def test_no_answer(api: Api, raw: bytes) -> None:
    """Errors, halves and other things are no answers."""
    assert unary(api, raw) is None


@pytest.mark.parametrize(
    ("api", "raw"),
    [
        (Api.CHAT, stream(delta(content="a"), {"error": {"message": "overloaded"}})),
        (Api.CHAT, b": ping\n\n"),
        (Api.RESPONSES, stream({"type": "response.created"}, {"type": "response.failed"})),
        (Api.RESPONSES, stream({"error": {"message": "x"}})),
        (Api.RESPONSES, b""),
    ],
)
def test_failed_stream(api: Api, raw: bytes) -> None:
    """A stream that failed, or never began, is no answer."""
    assert parts_of(api, raw, is_event_stream=True) is None


def test_chat_stream() -> None:
    """Pieces of text, refusal and parallel calls come together by index."""
    raw = stream(
        delta(role="assistant", content=None),
        delta(content="a"),
        delta(content="b", refusal="no"),
        delta(tool_calls=[call("f", "{", index=0, id="1"), call("g", "[", index=1, id="2")]),
        delta(tool_calls=[call("", "]", index=1), call("", "}", index=0)]),
        delta("tool_calls"),
        {"choices": []},
    )
    assert streamed(Api.CHAT, raw) == AnswerParts("ab", "no", (ToolCall("f", "{}"), ToolCall("g", "[]")), "tool_calls")


@pytest.mark.parametrize(
    "pieces",
    [
        [call("f", "1", index=0, id="x"), call("g", "2", index=0, id="y")],
        [call("f", "1", id="x"), call("g", "2", id="y")],
        [call("f", "1"), call("g", "2")],
        [call("f", "", index=0), call("f", "1", index=0), call("g", "2", index=1)],
    ],
)
def test_odd_calls(pieces: list[dict[str, Any]]) -> None:
    """Calls stay apart without an index, with the same one for all, and with their name in every piece."""
    raw = stream(*(delta(tool_calls=[piece]) for piece in pieces))
    assert streamed(Api.CHAT, raw).tool_calls == (ToolCall("f", "1"), ToolCall("g", "2"))


def test_broken_off() -> None:
    """A stream that breaks off gives what came, without a finish reason."""
    raw = stream(delta(content="a")).removesuffix(b"data: [DONE]\n\n") + b'data: {"choices":[{"delta":{"cont'
    assert streamed(Api.CHAT, raw) == AnswerParts("a")


def test_whole_message_in_a_stream() -> None:
    """A stream of one whole message is read; one that repeats its deltas is not read twice."""
    whole = {"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}]}
    assert streamed(Api.CHAT, stream(whole)).text == "ab"
    assert streamed(Api.CHAT, stream(delta(content="ab"), whole)).text == "ab"


OUTPUT = [
    {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
    {"type": "message", "content": [{"type": "output_text", "text": "ab"}, {"type": "refusal", "refusal": "no"}]},
    {"type": "function_call", "name": "f", "arguments": "{}"},
    {"type": "web_search_call", "status": "completed"},
]
RESPONSE = AnswerParts("ab", "no", (ToolCall("f", "{}"), ToolCall("web_search_call", "")), "completed")


def test_response() -> None:
    """Of a response's items messages and calls count; reasoning is no words."""
    assert unary(Api.RESPONSES, msgspec.json.encode({"status": "completed", "output": OUTPUT})) == RESPONSE


def test_incomplete_response() -> None:
    """What made it incomplete is why it ended."""
    raw = b'{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}'
    assert unary(Api.RESPONSES, raw) == AnswerParts("", finish_reason="max_output_tokens")


def test_responses_stream_with_its_end() -> None:
    """The last event has it all."""
    end = {"type": "response.completed", "response": {"status": "completed", "output": OUTPUT}}
    raw = stream({"type": "response.created"}, {"type": "response.output_text.delta", "delta": "a"}, end)
    assert streamed(Api.RESPONSES, raw) == RESPONSE


def test_responses_stream_without_its_end() -> None:
    """What came before the end is put together from deltas and finished items, in the items' order."""
    raw = stream(
        {"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "name": "f"}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "a"},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "b"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 1, "delta": "no"},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{"},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "}"},
        {"type": "response.output_item.done", "output_index": 3, "item": OUTPUT[3]},
    )
    assert streamed(Api.RESPONSES, raw) == replace(RESPONSE, finish_reason=None)


def test_responses_stream_with_an_empty_end() -> None:
    """Some servers end with an empty output: the events before it count."""
    raw = stream(
        {"type": "response.output_text.done", "text": "ab"},
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    )
    assert streamed(Api.RESPONSES, raw) == AnswerParts("ab", finish_reason="completed")


def test_bounds() -> None:
    """Endless texts and calls are cut, and say so."""
    parts = unary(Api.CHAT, chat({"content": "a" * (MAX_TEXT_BYTES + 1), "tool_calls": [call("f")] * 1_000}))
    assert parts is not None
    assert parts.is_cut
    assert len(parts.text) == MAX_TEXT_BYTES
    assert len(parts.tool_calls) == MAX_TOOL_CALLS


@pytest.mark.parametrize(
    "payload",
    [
        {"choices": [{"index": 5}]},
        delta(tool_calls=[call("ab", "x", index=0)]),
        delta(tool_calls=[call("", "", index=0, id="x")]),
        {"type": "response.output_text.done", "text": ""},
    ],
)
@pytest.mark.parametrize("api", [Api.CHAT, Api.RESPONSES])
def test_time_is_linear(api: Api, payload: object) -> None:
    """A hostile stream of 20,000 small events costs no more than so many events do."""
    raw = stream(*[payload] * 20_000)
    begun_s = time.process_time()
    parts_of(api, raw, is_event_stream=True)
    assert time.process_time() - begun_s < 8


def test_repr() -> None:
    """It shows no words."""
    assert "secret" not in repr(AnswerParts("secret", tool_calls=(ToolCall("f", "secret"),)))
