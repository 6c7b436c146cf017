"""Responses answers have the shape clients expect, whole and as typed events."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.simulator.answers import Answer, answer, filtered, refused
from gateway.simulator.describe import Behaviour
from gateway.simulator.question import Api, Question, parse_question
from gateway.simulator.responses_shape import render_response, response_events


def asked(**more: Any) -> tuple[Question, Answer]:
    """Give a question and its answer."""
    question = parse_question(Api.RESPONSES, {"model": "m", "input": "hi", "instructions": "kind", **more})
    return question, answer(question, Behaviour(), seed=1, serial=1, unix_ms=0)


def events_of(question: Question, one: Answer) -> list[Any]:
    """Give the parsed events, each of whose `event:` line says its type."""
    parsed = []
    for event in response_events(question, one)[0]:
        name, _, data = event.partition(b"\ndata: ")
        parsed.append(orjson.loads(data))
        assert name == b"event: " + parsed[-1]["type"].encode()
    return parsed


def test_unary_has_all() -> None:
    """Output, usage, and what was asked."""
    question, one = asked(temperature=0.3)
    body = orjson.loads(render_response(question, one))
    assert body["output"][0]["content"][0]["text"] == one.text
    assert (body["status"], body["instructions"], body["temperature"]) == ("completed", "kind", 0.3)
    assert body["usage"]["input_tokens"] == 2


def test_events_are_numbered() -> None:
    """From created to completed, without a gap; the deltas join to the text."""
    question, one = asked()
    events = events_of(question, one)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert "".join(event.get("delta", "") for event in events) == one.text


def test_filtered_is_incomplete() -> None:
    """A content filter and a length end as `response.incomplete`, with the reason."""
    question, one = asked()
    assert events_of(question, filtered(one))[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert events_of(*asked(max_output_tokens=2))[-1]["type"] == "response.incomplete"


def test_refusal_has_its_events() -> None:
    """Refusals have deltas of their own."""
    question, one = asked()
    assert "response.refusal.delta" in {event["type"] for event in events_of(question, refused(one))}


def test_function_call_has_its_events() -> None:
    """A forced function is an item with arguments."""
    tool = {"type": "function", "name": "look", "parameters": {"properties": {"a": {"type": "integer"}}}}
    events = events_of(*asked(tools=[tool], tool_choice="required"))
    assert events[-1]["response"]["output"][0]["arguments"] == '{"a":1}'
