"""
Messages and input items, peeked at: who speaks, and what text they say.

One shape serves `messages` of chat and `input` of responses. What does not look like a turn is a
Turn without a role: it is neither read nor changed, and the provider answers for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.domain.variant import Api
from gateway.wire.body import OPEN_BRACKET, QUOTE

NULL = msgspec.Raw(b"null")
SYSTEM_ROLES = frozenset({"system", "developer"})


class Turn(msgspec.Struct, gc=False):
    """
    A message or input item.

    Attributes:
        role: Who speaks; empty when it cannot be told or when this is no message.
        content: JSON of what is said; `null` when absent.
    """

    role: str = ""
    content: msgspec.Raw = NULL
    type: str = "message"


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_TURN = msgspec.json.Decoder(Turn)
_TURNS = msgspec.json.Decoder(list[Turn])
_PART = msgspec.json.Decoder(_Part)
_STRING = msgspec.json.Decoder(str)
_STRINGS = msgspec.json.Decoder(list[str])
_TEXT_PARTS = frozenset({"text", "input_text"})


def field_of(api: Api) -> str:
    """Give the name of the field that holds what the user says."""
    if api is Api.CHAT:
        return "messages"
    return "prompt" if api is Api.COMPLETIONS else "input"


def split_turns(api: Api, value: msgspec.Raw | None) -> tuple[list[Turn], list[msgspec.Raw]] | None:
    """Give the turns of a JSON array beside their JSON, or None when it is no array."""
    turns = parse_turns(api, value)
    return None if value is None or turns is None else (turns, _RAWS.decode(value))


def split_list(value: msgspec.Raw | None) -> list[msgspec.Raw] | None:
    """Give the members of a JSON array, or None when it is no array."""
    if value is None or memoryview(value)[0] != OPEN_BRACKET:
        return None
    return _RAWS.decode(value)


def parse_turns(api: Api, value: msgspec.Raw | None) -> list[Turn] | None:
    """
    Give one Turn for each member of a JSON array, or None when it is no array.

    Input items other than messages (tool calls, reasoning, references) have an empty role.
    """
    if value is None or memoryview(value)[0] != OPEN_BRACKET:
        return None
    try:
        turns = _TURNS.decode(value)
    except msgspec.ValidationError:
        turns = [_peek_turn(raw) for raw in _RAWS.decode(value)]
    if api is Api.RESPONSES:
        for turn in turns:
            if turn.type != "message":
                turn.role = ""
    return turns


def text_of(content: msgspec.Raw) -> str | None:
    """Give the text of a message's content: a string, or its text parts joined by newlines."""
    first = memoryview(content)[0]
    if first == QUOTE:
        return _STRING.decode(content)
    if first != OPEN_BRACKET:
        return None
    texts = [text for raw in _RAWS.decode(content) if (text := _part_text(raw)) is not None]
    return "\n".join(texts) if texts else None


def user_texts(api: Api, value: msgspec.Raw | None) -> tuple[str | None, str | None]:
    """Give the text of the first and of the last user turn in the field named by `field_of`."""
    if value is None:
        return None, None
    if api is not Api.CHAT and memoryview(value)[0] == QUOTE:
        text = _STRING.decode(value)
        return text, text
    if api is Api.COMPLETIONS or api is Api.EMBEDDINGS:
        return _ends_of_strings(value)
    said = [turn.content for turn in parse_turns(api, value) or () if turn.role == "user"]
    return _first_text(said), _first_text(said[::-1])


def _first_text(contents: Sequence[msgspec.Raw]) -> str | None:
    """Give the text of the first content that has any: a turn of images alone says nothing."""
    return next((text for content in contents if (text := text_of(content)) is not None), None)


def _ends_of_strings(value: msgspec.Raw) -> tuple[str | None, str | None]:
    """Give the first and the last of several prompts; prompts of token numbers have no text."""
    try:
        prompts = _STRINGS.decode(value)
    except msgspec.ValidationError:
        return None, None
    return (prompts[0], prompts[-1]) if prompts else (None, None)


def _peek_turn(raw: msgspec.Raw) -> Turn:
    try:
        return _TURN.decode(raw)
    except msgspec.ValidationError:
        return Turn()


def _part_text(raw: msgspec.Raw) -> str | None:
    try:
        part = _PART.decode(raw)
    except msgspec.ValidationError:
        return None
    return part.text if part.type in _TEXT_PARTS else None
