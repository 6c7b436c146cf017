"""Answers in the shape of `/v1/responses`, whole and as typed events with sequence numbers."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.simulator.answers import Answer
from gateway.simulator.question import Question

_ECHOED: tuple[tuple[str, Any], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("reasoning", {"effort": None, "summary": None}),
    ("store", True),
    ("temperature", 1.0),
    ("text", {"format": {"type": "text"}}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
"""What the API gives back as it was asked, with the values it assumes."""


def render_response(question: Question, answer: Answer) -> bytes:
    """Give the unary body."""
    return orjson.dumps(_finished(question, answer))


def response_events(question: Question, answer: Answer) -> tuple[tuple[bytes, ...], int, int]:
    """Give the stream's SSE events, how many precede the first token, and how many follow the finish (none)."""
    begun = _response(question, answer, status="in_progress")
    opening, deltas, closing = _part_events(answer)
    finished = _finished(question, answer)
    last = f"response.{finished['status']}"
    start = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun}), *opening]
    every = [*start, *deltas, *closing, (last, {"response": finished})]
    events = tuple(response_event(kind, number, fields) for number, (kind, fields) in enumerate(every))
    return events, len(start), 0


def response_event(kind: str, sequence_number: int, fields: dict[str, Any]) -> bytes:
    """Give one typed event."""
    data = orjson.dumps({"type": kind, "sequence_number": sequence_number, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def response_id(answer: Answer) -> str:
    """Give the response's id."""
    return f"resp_{answer.serial_hex}"


def _response(question: Question, answer: Answer, *, status: str) -> dict[str, Any]:
    echoed = {name: question.body.get(name, assumed) for name, assumed in _ECHOED}
    return {
        "id": response_id(answer),
        "object": "response",
        "created_at": answer.created_unix_s,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": answer.model,
        "output": [],
        "service_tier": "default",
        "system_fingerprint": answer.fingerprint,
        "usage": None,
        **echoed,
    }


def _finished(question: Question, answer: Answer) -> dict[str, Any]:
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
    response = _response(question, answer, status="incomplete" if reason else "completed")
    response["incomplete_details"] = {"reason": reason} if reason else None
    response["output"] = [_output(answer, status="incomplete" if reason else "completed")]
    response["usage"] = {
        "input_tokens": answer.n_prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.n_output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.n_prompt_tokens + answer.n_output_tokens,
    }
    return response


def _item_id(answer: Answer) -> str:
    return ("msg_" if answer.tool_name is None else "fc_") + answer.serial_hex


def _part(answer: Answer, text: str) -> dict[str, Any]:
    if answer.is_refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _output(answer: Answer, *, status: str) -> dict[str, Any]:
    text = "" if status == "in_progress" else answer.text
    if answer.tool_name is not None:
        call_id = "call_" + answer.serial_hex[:24]
        item = {"type": "function_call", "call_id": call_id, "name": answer.tool_name, "arguments": text}
        return {"id": _item_id(answer), "status": status, **item}
    content = [] if status == "in_progress" else [_part(answer, text)]
    return {"id": _item_id(answer), "type": "message", "status": status, "role": "assistant", "content": content}


_Events = list[tuple[str, dict[str, Any]]]


def _part_events(answer: Answer) -> tuple[_Events, _Events, _Events]:
    """Give the events before, of and after the text, without their sequence numbers."""
    if answer.tool_name is not None:
        return _call_events(answer)
    kind = "refusal" if answer.is_refusal else "output_text"
    place = {"item_id": _item_id(answer), "output_index": 0, "content_index": 0}
    more: dict[str, Any] = {} if answer.is_refusal else {"logprobs": []}
    opening: _Events = [
        ("response.output_item.added", {"output_index": 0, "item": _output(answer, status="in_progress")}),
        ("response.content_part.added", {**place, "part": _part(answer, "")}),
    ]
    deltas: _Events = [(f"response.{kind}.delta", {**place, "delta": token, **more}) for token in answer.tokens]
    whole = {"refusal": answer.text} if answer.is_refusal else {"text": answer.text, **more}
    closing: _Events = [
        (f"response.{kind}.done", {**place, **whole}),
        ("response.content_part.done", {**place, "part": _part(answer, answer.text)}),
        ("response.output_item.done", {"output_index": 0, "item": _output(answer, status="completed")}),
    ]
    return opening, deltas, closing


def _call_events(answer: Answer) -> tuple[_Events, _Events, _Events]:
    place = {"item_id": _item_id(answer), "output_index": 0}
    kind = "response.function_call_arguments"
    opening: _Events = [
        ("response.output_item.added", {"output_index": 0, "item": _output(answer, status="in_progress")})
    ]
    deltas: _Events = [(f"{kind}.delta", {**place, "delta": token}) for token in answer.tokens]
    closing: _Events = [
        (f"{kind}.done", {**place, "name": answer.tool_name, "arguments": answer.text}),
        ("response.output_item.done", {"output_index": 0, "item": _output(answer, status="completed")}),
    ]
    return opening, deltas, closing
