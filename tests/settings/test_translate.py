"""Where parameters live on each kind of call."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.variant import Api
from gateway.settings.translate import path_on, renames_on, response_format_on, tools_on


@pytest.mark.parametrize(
    ("api", "name", "path"),
    [
        (Api.CHAT, "max_tokens", ("max_tokens",)),
        (Api.RESPONSES, "max_tokens", ("max_output_tokens",)),
        (Api.RESPONSES, "max_completion_tokens", ("max_output_tokens",)),
        (Api.CHAT, "max_output_tokens", ("max_completion_tokens",)),
        (Api.RESPONSES, "reasoning_effort", ("reasoning", "effort")),
        (Api.RESPONSES, "verbosity", ("text", "verbosity")),
        (Api.RESPONSES, "seed", None),
        (Api.CHAT, "truncation", None),
        (Api.RESPONSES, "top_k", ("top_k",)),
        (Api.COMPLETIONS, "temperature", ("temperature",)),
        (Api.COMPLETIONS, "reasoning_effort", None),
        (Api.EMBEDDINGS, "temperature", None),
        (Api.EMBEDDINGS, "dimensions", ("dimensions",)),
    ],
)
def test_parameters_have_a_place(api: Api, name: str, path: tuple[str, ...] | None) -> None:
    """Each goes where that API has it, or nowhere."""
    assert path_on(api, name) == path


def test_pointless_renames_are_dropped() -> None:
    """Two names for one thing are one name on responses."""
    renames = {"max_tokens": "max_completion_tokens", "a": "b"}
    assert renames_on(Api.CHAT, renames) == (("max_tokens", "max_completion_tokens"), ("a", "b"))
    assert renames_on(Api.RESPONSES, renames) == (("a", "b"),)
    assert renames_on(Api.EMBEDDINGS, renames) == ()


def test_formats_are_translated() -> None:
    """A schema is flat on responses, nested on chat, however it was written."""
    nested = {"type": "json_schema", "json_schema": {"name": "t", "schema": {}, "strict": True}}
    flat = {"type": "json_schema", "name": "t", "schema": {}, "strict": True}
    for written in (nested, flat):
        assert response_format_on(Api.CHAT, written) == (("response_format",), nested)
        assert response_format_on(Api.RESPONSES, written) == (("text", "format"), flat)
    assert response_format_on(Api.EMBEDDINGS, nested) is None


def test_tools_are_translated() -> None:
    """Functions change shape; what only responses has is not sent to chat."""
    nested: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}
    flat = {"type": "function", "name": "f", "parameters": {}}
    search = {"type": "web_search"}
    assert tools_on(Api.CHAT, [flat, search]) == [nested]
    assert tools_on(Api.RESPONSES, [nested, search]) == [flat, search]
    assert tools_on(Api.CHAT, [search]) is None


def test_grammars_are_translated() -> None:
    """A custom tool's grammar stands a level deeper on chat."""
    grammar = {"syntax": "lark", "definition": "x"}
    flat = {"type": "custom", "name": "c", "format": {"type": "grammar", **grammar}}
    nested = {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": grammar}}}
    assert (tools_on(Api.CHAT, [flat]), tools_on(Api.RESPONSES, [nested])) == ([nested], [flat])
