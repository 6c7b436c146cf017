"""Answers in the shape of `/v1/chat/completions` and the legacy `/v1/completions`, whole and streamed."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.simulator.answers import Answer
from gateway.simulator.question import Api, Question

DONE = b"data: [DONE]\n\n"


def render_chat(question: Question, answer: Answer) -> bytes:
    """Give the unary body."""
    shape = _completion if question.api is Api.COMPLETIONS else _message
    body = _envelope(question, answer, is_chunk=False)
    body["choices"] = [shape(answer, index) for index in range(question.n_choices)]
    return orjson.dumps(body | {"usage": usage_of(answer)})


def chat_events(question: Question, answer: Answer) -> tuple[tuple[bytes, ...], int, int]:
    """Give the stream's SSE events, how many precede the first token, and how many follow the finish."""
    shell = _envelope(question, answer, is_chunk=True)
    tail: dict[str, Any] = {"usage": None} if question.wants_usage else {}
    choices = range(question.n_choices)
    is_chat = question.api is Api.CHAT
    start = [_event(shell, index, _opening(answer), None, tail) for index in choices] if is_chat else []
    before, after = _around_text(shell, tail)
    middle = []
    for token in answer.tokens:
        text = orjson.dumps(token)
        middle += [before % index + _delta(question, answer, text) + after for index in choices]
    finish = [_event(shell, index, {} if is_chat else None, answer.finish, tail) for index in choices]
    end = [DONE]
    if question.wants_usage:
        end.insert(0, b"data: " + orjson.dumps(shell | {"choices": [], "usage": usage_of(answer)}) + b"\n\n")
    return (*start, *middle, *finish, *end), len(start), len(end)


def usage_of(answer: Answer) -> dict[str, Any]:
    """Give chat's `usage` object."""
    return {
        "prompt_tokens": answer.n_prompt_tokens,
        "completion_tokens": answer.n_output_tokens,
        "total_tokens": answer.n_prompt_tokens + answer.n_output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _envelope(question: Question, answer: Answer, *, is_chunk: bool) -> dict[str, Any]:
    is_chat = question.api is Api.CHAT
    kind = "chat.completion" if is_chat else "text_completion"
    return {
        "id": ("chatcmpl-" if is_chat else "cmpl-") + answer.serial_hex[:29],
        "object": kind + ".chunk" if is_chunk and is_chat else kind,
        "created": answer.created_unix_s,
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": answer.fingerprint,
    }


def _message(answer: Answer, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.is_refusal:
        message |= {"content": None, "refusal": answer.text}
    elif answer.tool_name is not None:
        call = {"name": answer.tool_name, "arguments": answer.text}
        message |= {"content": None, "tool_calls": [{"id": _call_id(answer), "type": "function", "function": call}]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish}


def _completion(answer: Answer, index: int) -> dict[str, Any]:
    return {"text": answer.text, "index": index, "logprobs": None, "finish_reason": answer.finish}


def _opening(answer: Answer) -> dict[str, Any]:
    """Give the first delta: the role, and the call if there is one."""
    delta: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    if answer.tool_name is not None:
        call = {"name": answer.tool_name, "arguments": ""}
        delta |= {
            "content": None,
            "tool_calls": [{"index": 0, "id": _call_id(answer), "type": "function", "function": call}],
        }
    return delta


def _call_id(answer: Answer) -> str:
    return "call_" + answer.serial_hex[:24]


def _event(
    shell: dict[str, Any], index: int, delta: dict[str, Any] | None, finish: str | None, tail: dict[str, Any]
) -> bytes:
    content: dict[str, Any] = {"text": ""} if delta is None else {"delta": delta}
    choice = {"index": index, **content, "logprobs": None, "finish_reason": finish}
    return b"data: " + orjson.dumps(shell | {"choices": [choice]} | tail) + b"\n\n"


def _around_text(shell: dict[str, Any], tail: dict[str, Any]) -> tuple[bytes, bytes]:
    """Give a text event's bytes before (with `%d` for the index) and after its delta: made once per stream."""
    before = b"data: " + orjson.dumps(shell)[:-1].replace(b"%", b"%%") + b',"choices":[{"index":%d,'
    after = b',"logprobs":null,"finish_reason":null}]' + (b',"usage":null' if tail else b"") + b"}\n\n"
    return before, after


def _delta(question: Question, answer: Answer, text: bytes) -> bytes:
    if question.api is Api.COMPLETIONS:
        return b'"text":' + text
    if answer.is_refusal:
        return b'"delta":{"refusal":' + text + b"}"
    if answer.tool_name is not None:
        return b'"delta":{"tool_calls":[{"index":0,"function":{"arguments":' + text + b"}}]}"
    return b'"delta":{"content":' + text + b"}"
