"""What a request asks of the simulated provider: one value for chat, responses and completions alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateway.errors import BadRequestError


class Api(Enum):
    """The three ways to ask for text."""

    CHAT = "chat"
    RESPONSES = "responses"
    COMPLETIONS = "completions"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the request insists on: its name, and its parameters' JSON schema."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """
    A request, as far as the answer depends on it.

    Attributes:
        api: Which endpoint.
        model: As sent.
        system_text: Every system and developer text, wherever it was, joined by newlines.
        user_text: The last user turn.
        n_prompt_chars: Characters of everything that counts as prompt.
        is_stream: Whether SSE was asked for.
        wants_usage: Whether `stream_options.include_usage` is true.
        n_choices: 1 to 16; responses have always 1.
        max_tokens: The most that may be answered, or None.
        schema: JSON schema the answer must fit, `{}` for any object, or None.
        tool: The function that must be called, or None.
        body: The parsed body, for what is echoed.
    """

    api: Api
    model: str
    system_text: str
    user_text: str
    n_prompt_chars: int
    is_stream: bool
    wants_usage: bool
    n_choices: int
    max_tokens: int | None
    schema: dict[str, Any] | None
    tool: Tool | None
    body: dict[str, Any]


def parse_question(api: Api, body: dict[str, Any]) -> Question:
    """
    Give what `body` asks.

    Raises:
        BadRequestError: `model`, or what holds the prompt, is missing or of the wrong kind; `param` names it.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise missing(field="model")
    system, user, n_chars = _texts_of(api, body)
    options = body.get("stream_options")
    n_choices = body.get("n")
    return Question(
        api=api,
        model=model,
        system_text="\n".join(system),
        user_text=user,
        n_prompt_chars=n_chars,
        is_stream=body.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        n_choices=min(16, max(1, n_choices)) if isinstance(n_choices, int) and api is not Api.RESPONSES else 1,
        max_tokens=_max_tokens_of(body),
        schema=_schema_of(api, body),
        tool=_tool_of(body),
        body=body,
    )


def missing(field: str) -> BadRequestError:
    """Give the error for a field that is missing or of the wrong kind."""
    return BadRequestError(f"Missing required parameter: '{field}'.", code="missing_required_parameter", param=field)


def text_of(content: object) -> str:
    """Give the text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _texts_of(api: Api, body: dict[str, Any]) -> tuple[list[str], str, int]:
    """Give the system texts, the last user text, and how many characters there are in all."""
    if api is Api.COMPLETIONS:
        prompt = body.get("prompt")
        if not isinstance(prompt, str | list):
            raise missing(field="prompt")
        text = text_of(prompt)
        return [], text, len(text)
    field = "messages" if api is Api.CHAT else "input"
    turns = body.get(field)
    system = [body["instructions"]] if isinstance(body.get("instructions"), str) else []
    if isinstance(turns, str) and api is Api.RESPONSES:
        return system, turns, len(turns) + sum(map(len, system))
    if not isinstance(turns, list) or not turns:
        raise missing(field)
    user, n_chars = "", sum(map(len, system))
    for turn in turns:
        if not isinstance(turn, dict):
            raise missing(field)
        text = text_of(turn.get("content"))
        n_chars += len(text)
        if turn.get("role") in ("system", "developer"):
            system.append(text)
        elif turn.get("role") == "user":
            user = text
    return system, user, n_chars


def _max_tokens_of(body: dict[str, Any]) -> int | None:
    for field in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        value = body.get(field)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _schema_of(api: Api, body: dict[str, Any]) -> dict[str, Any] | None:
    holder = body.get("text") if api is Api.RESPONSES else None
    wanted = holder.get("format") if isinstance(holder, dict) else body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") not in ("json_object", "json_schema"):
        return None
    inner = wanted.get("json_schema", wanted)
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else {}


def _tool_of(body: dict[str, Any]) -> Tool | None:
    choice = body.get("tool_choice")
    if choice != "required" and not isinstance(choice, dict):
        return None
    tools = [_tool(entry) for entry in body.get("tools") or () if isinstance(entry, dict)]
    wanted = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    return next((tool for tool in tools if tool and wanted in (None, tool.name)), None)


def _tool(entry: dict[str, Any]) -> Tool | None:
    function = entry.get("function", entry)
    if entry.get("type") != "function" or not isinstance(function, dict):
        return None
    return Tool(str(function.get("name")), function.get("parameters") or {})
