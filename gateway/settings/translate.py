"""
One variant, four kinds of call: where each parameter of chat completions lives in the others.

A variant is written in the words of `/v1/chat/completions`. On `/v1/responses` the same thing has
another name or stands a level deeper; what does not exist there is not sent there, because an unknown
parameter is a 400. Names known to neither are for self-hosted servers and go to chat and responses as
they are. Legacy completions and embeddings take only what they are known to have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.domain.variant import Api, Path

_COMPLETION_LENGTH = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_RESPONSES_PATHS: dict[str, Path] = {
    "max_tokens": ("max_output_tokens",),
    "max_completion_tokens": ("max_output_tokens",),
    "reasoning_effort": ("reasoning", "effort"),
    "verbosity": ("text", "verbosity"),
    "response_format": ("text", "format"),
}
_CHAT_ONLY = frozenset(
    (
        "n",
        "seed",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "audio",
        "modalities",
        "prediction",
        "functions",
        "function_call",
        "web_search_options",
    )
)
_RESPONSES_ONLY = frozenset(
    (
        "reasoning",
        "text",
        "include",
        "truncation",
        "max_tool_calls",
        "background",
        "background_options",
        "context_management",
        "previous_response_id",
        "conversation",
        "prompt",
        "access_programs",
    )
)
_COMPLETIONS = frozenset(
    (
        "temperature",
        "top_p",
        "n",
        "max_tokens",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "seed",
        "best_of",
        "echo",
        "suffix",
        "user",
    )
)
_EMBEDDINGS = frozenset(("dimensions", "encoding_format", "user"))


def path_on(api: Api, name: str) -> Path | None:
    """
    Give where the parameter `name` goes on `api`; None where it does not exist.

    >>> path_on(Api.RESPONSES, "reasoning_effort")
    ('reasoning', 'effort')
    """
    if api is Api.RESPONSES:
        return None if name in _CHAT_ONLY else _RESPONSES_PATHS.get(name, (name,))
    if api is Api.CHAT:
        if name == "max_output_tokens":
            return ("max_completion_tokens",)
        return None if name in _RESPONSES_ONLY else (name,)
    if api is Api.COMPLETIONS:
        known = "max_tokens" if name in _COMPLETION_LENGTH else name
        return (known,) if known in _COMPLETIONS else None
    return (name,) if name in _EMBEDDINGS else None


def renames_on(api: Api, renames: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """
    Give the renames that mean something on `api`.

    Dropped are those whose two names are one thing there, and those that lead to or from what it
    does not have.
    """
    kept = []
    for old, new in renames.items():
        old_path, new_path = path_on(api, old), path_on(api, new)
        if old_path is None or new_path is None or old_path == new_path:
            continue
        if len(old_path) == len(new_path) == 1:
            kept.append((old_path[0], new_path[0]))
    return tuple(kept)


def response_format_on(api: Api, written: Mapping[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    """Give path and value of a structured-output format; it may be written in either API's words."""
    if api is not Api.CHAT and api is not Api.RESPONSES:
        return None
    inner = written.get("json_schema")
    if written.get("type") != "json_schema":
        value = dict(written)
    elif api is Api.RESPONSES:
        value = {"type": "json_schema", **inner} if isinstance(inner, Mapping) else dict(written)
    elif isinstance(inner, Mapping):
        value = dict(written)
    else:
        value = {"type": "json_schema", "json_schema": {k: v for k, v in written.items() if k != "type"}}
    return (("response_format",) if api is Api.CHAT else ("text", "format")), value


def tools_on(api: Api, tools: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Give the tools that `api` has, in its words; None when it has none of them."""
    if api is not Api.CHAT and api is not Api.RESPONSES:
        return None
    translated = []
    for tool in tools:
        kind = tool.get("type")
        if kind in {"function", "custom"}:
            translated.append(_nested(tool, kind) if api is Api.CHAT else _flat(tool, kind))
        elif api is Api.RESPONSES:
            translated.append(dict(tool))
    return translated or None


def _flat(tool: Mapping[str, Any], kind: str) -> dict[str, Any]:
    inner = tool.get(kind)
    if not isinstance(inner, Mapping):
        return dict(tool)
    flat = {"type": kind, **inner}
    form = flat.get("format")
    if kind == "custom" and isinstance(form, Mapping) and isinstance(grammar := form.get("grammar"), Mapping):
        flat["format"] = {"type": "grammar", **grammar}
    return flat


def _nested(tool: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if isinstance(tool.get(kind), Mapping):
        return dict(tool)
    inner = {key: value for key, value in tool.items() if key != "type"}
    form = inner.get("format")
    if kind == "custom" and isinstance(form, Mapping) and form.get("type") == "grammar" and "grammar" not in form:
        inner["format"] = {"type": "grammar", "grammar": {k: v for k, v in form.items() if k != "type"}}
    return {"type": kind, kind: inner}
