"""Wherever a request puts its prompt, model and wishes, they are found."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import BadRequestError
from gateway.simulator.question import Api, parse_question, text_of

USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("api", "more"),
    [
        (Api.CHAT, {"messages": [{"role": "system", "content": "kind"}, USER]}),
        (Api.CHAT, {"messages": [{"role": "developer", "content": [{"type": "text", "text": "kind"}]}, USER]}),
        (Api.RESPONSES, {"instructions": "kind", "input": "hi"}),
        (Api.RESPONSES, {"input": [{"role": "system", "content": "kind"}, USER]}),
    ],
)
def test_system_text_is_found(api: Api, more: dict[str, Any]) -> None:
    """In messages, parts, instructions and input items."""
    question = parse_question(api, {"model": "m", **more})
    assert (question.system_text, question.user_text, question.n_prompt_chars) == ("kind", "hi", 6)


@pytest.mark.parametrize(
    ("api", "body", "field"),
    [
        (Api.CHAT, {"messages": [USER]}, "model"),
        (Api.CHAT, {"model": "m"}, "messages"),
        (Api.CHAT, {"model": "m", "messages": ["hi"]}, "messages"),
        (Api.RESPONSES, {"model": "m"}, "input"),
        (Api.COMPLETIONS, {"model": "m", "prompt": 3}, "prompt"),
    ],
)
def test_missing_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    """The error's `param` says which."""
    with pytest.raises(BadRequestError) as caught:
        parse_question(api, body)
    assert caught.value.param == field


def test_forced_tool_is_found() -> None:
    """A named function is the tool; `auto` is none."""
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    body = {"model": "m", "messages": [USER], "tools": tools}
    named = {"type": "function", "function": {"name": "look"}}
    assert parse_question(Api.CHAT, body | {"tool_choice": named}).tool is not None
    assert parse_question(Api.CHAT, body | {"tool_choice": "auto"}).tool is None


def test_wishes_are_found() -> None:
    """Stream, usage, choices and length."""
    wishes = {"stream": True, "stream_options": {"include_usage": True}, "n": 3, "max_completion_tokens": 5}
    question = parse_question(Api.CHAT, {"model": "m", "messages": [USER], **wishes})
    assert (question.is_stream, question.wants_usage, question.n_choices, question.max_tokens) == (True, True, 3, 5)


def test_odd_content_has_no_text() -> None:
    """Images and nulls are no text."""
    assert text_of([{"type": "image_url"}, {"text": "a"}, None]) == "a"
    assert text_of(None) == ""
