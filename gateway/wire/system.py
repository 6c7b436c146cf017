"""
The system prompt, changed wherever the client put it.

Chat holds it in messages of role system or developer: several, anywhere, as a string or as text
parts. Responses hold it in `instructions`, in input items of those roles, or both; instructions
come first. `prompt: {id: …}` is the provider's and is left alone. Completions and embeddings have
no system prompt.

Turns of other roles, and everything that does not look like a turn, stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.domain.variant import Api, SystemMode, SystemPrompt
from gateway.wire.body import Fields
from gateway.wire.params import put
from gateway.wire.turns import NULL, SYSTEM_ROLES, Turn, field_of, parse_turns, split_list, split_turns, text_of

_FIELDS = msgspec.json.Decoder(Fields)
_SEPARATOR = "\n\n"
_ESCAPED_SEPARATOR = b"\\n\\n"
_PART_TYPES = {Api.CHAT: "text", Api.RESPONSES: "input_text"}

Fill = Callable[[str], str]
"""Makes the new system prompt of the original one; called for templates only."""


def rewrite_system(api: Api, fields: Fields, prompt: SystemPrompt, fill: Fill) -> None:
    """Apply `prompt` to `fields` in place; bodies too odd to understand are left alone."""
    if api not in _PART_TYPES:
        return
    text = prompt.text
    if prompt.mode is SystemMode.TEMPLATE:
        text = fill(original_system(api, fields))
    if prompt.mode is SystemMode.PREPEND or prompt.mode is SystemMode.APPEND:
        _extend(api, fields, text, at_front=prompt.mode is SystemMode.PREPEND)
    else:
        _replace(api, fields, text)


_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_CONTENT = b'"content":"'


class FirstTurn:
    """
    A chat's system prompt, replaced where that takes no look at the other turns.

    Nearly every chat has one system turn and has it first. Where the bytes show that beyond doubt,
    the turn is cut out and the new one put in its place; the rest is not even parsed apart.
    """

    __slots__ = ("_openings",)

    def __init__(self, text: str) -> None:
        literal = msgspec.json.encode(text)
        self._openings = {
            b'[{"role":%b"%b"' % (space, role): b'[{"role":"%b","content":%b}' % (role, literal)
            for role in (b"system", b"developer")
            for space in (b"", b" ")
        }

    def replace(self, fields: Fields) -> bool:
        """Replace the first turn in place; False where more than bytes must be looked at."""
        raw = fields.get("messages")
        if raw is None:
            return False
        messages = bytes(raw)
        # A role in escapes would not be counted, so any escape of that kind leaves the decision to the parser.
        n_roles = messages.count(b'"system"') + messages.count(b'"developer"')
        if n_roles != 1 or (b"\\" in messages and b"\\u" in messages):
            return False
        comma = messages.find(b",")
        replacement = self._openings.get(messages[:comma])
        if replacement is None:
            return False
        fields["messages"] = msgspec.Raw(replacement + messages[_end_of_first(messages, comma + 1) :])
        return True


def _end_of_first(messages: bytes, start: int) -> int:
    """Give where the first element of a JSON array ends, its second member beginning at `start`."""
    if messages.startswith(_CONTENT, start):
        start += len(_CONTENT)
        quote = messages.find(b'"', start)
        # A string without escapes, and nothing behind it.
        if messages.find(b"\\", start, quote) < 0 and messages.startswith(b"}", quote + 1):
            return quote + 2
    return 1 + memoryview(_RAWS.decode(messages)[0]).nbytes


def original_system(api: Api, fields: Fields) -> str:
    """Give all system texts the client sent, joined by blank lines; empty when there are none."""
    texts = []
    if api is Api.RESPONSES and "instructions" in fields:
        texts.append(text_of(fields["instructions"]))
    turns = parse_turns(api, fields.get(field_of(api))) or ()
    texts += [text_of(turn.content) for turn in turns if turn.role in SYSTEM_ROLES]
    return _SEPARATOR.join(text for text in texts if text)


def _replace(api: Api, fields: Fields, text: str) -> None:
    """Make `text` the only system prompt."""
    name = field_of(api)
    split = split_turns(api, fields.get(name))
    turns, raws = split or ([], [])
    places = _system_places(turns)
    if api is Api.RESPONSES and (_has_instructions(fields) or not places):
        put(fields, "instructions", _json(text))
        keep = -1
    elif not places:
        if split is not None:
            fields[name] = _array([_system_turn(text), *raws])
        return
    else:
        keep = places[0]
        raws[keep] = _replaced_turn(api, turns[keep].role, text, raws[keep])
    if places:
        dropped = set(places) - {keep}
        put(fields, name, _array([raw for i, raw in enumerate(raws) if i not in dropped]))


def _extend(api: Api, fields: Fields, text: str, *, at_front: bool) -> None:
    """Add `text` before the first system text or after the last, or make it the only one."""
    name = field_of(api)
    split = split_turns(api, fields.get(name))
    turns, raws = split or ([], [])
    places = _system_places(turns)
    if api is Api.RESPONSES and (not places or (at_front and _has_instructions(fields))):
        part_type = _PART_TYPES[api]
        put(fields, "instructions", _extended(fields.get("instructions", NULL), text, part_type, at_front=at_front))
    elif places:
        place = places[0] if at_front else places[-1]
        turn = _FIELDS.decode(raws[place])
        content = turn.get("content", NULL)
        extended = _extended(content, text, _PART_TYPES[api], at_front=at_front)
        if extended is content:
            return
        turn["content"] = extended
        raws[place] = msgspec.Raw(msgspec.json.encode(turn))
        fields[name] = _array(raws)
    elif split is not None:
        fields[name] = _array([_system_turn(text), *raws])


def _system_places(turns: list[Turn]) -> list[int]:
    return [i for i, turn in enumerate(turns) if turn.role in SYSTEM_ROLES]


def _has_instructions(fields: Fields) -> bool:
    return fields.get("instructions", NULL) != NULL


def _extended(content: msgspec.Raw, text: str, part_type: str, *, at_front: bool) -> msgspec.Raw:
    """Give content with `text` added; what is neither text, parts nor null comes back as it was."""
    literal = bytes(content)
    if literal in (b"null", b'""', b"[]"):
        return _json(text)
    added = msgspec.json.encode(text)
    if literal[:1] == b'"':
        # Joined as JSON: the client's own escapes stay as they are.
        first, second = (added, literal) if at_front else (literal, added)
        return msgspec.Raw(first[:-1] + _ESCAPED_SEPARATOR + second[1:])
    if literal[:1] == b"[":
        part = msgspec.Raw(msgspec.json.encode({"type": part_type, "text": text}))
        parts = split_list(content) or []
        return _array([part, *parts] if at_front else [*parts, part])
    return content


def _replaced_turn(api: Api, role: str, text: str, raw: msgspec.Raw) -> msgspec.Raw:
    turn = {"role": role, "content": text}
    if api is Api.RESPONSES and "type" in _FIELDS.decode(raw):
        turn = {"type": "message", **turn}
    return msgspec.Raw(msgspec.json.encode(turn))


def _system_turn(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"role": "system", "content": text}))


def _json(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))


def _array(raws: list[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(b"[" + b",".join(raws) + b"]")
