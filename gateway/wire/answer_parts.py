"""
An answer taken apart so that two can be compared: the first choice's words, its refusal and its tool calls.

What `answer_text` reads for guards, this reads whole and once: JSON, or the bytes of a stream put together again.
Odd providers are forgiven: contents in parts, calls without ids or indexes, nulls where lists belong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.domain.variant import Api
from gateway.wire.answer_text import MAX_TEXT_BYTES, decode_leniently
from gateway.wire.sse import payload_of, split_events

MAX_TOOL_CALLS = 128
"""What the public API takes; calls after these are not read."""

MAX_NAME_CHARS = 256
"""Four times the longest name the public API takes."""

_TEXT_PARTS = frozenset({"text", "output_text"})
_WITHOUT_ANSWER = frozenset({"failed", "cancelled", "queued", "in_progress"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"response.failed", "error"})
_ANY = msgspec.json.Decoder(Any)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """
    A tool the answer wants called.

    Attributes:
        name: The tool's; of responses' built-in tools the item's type.
        arguments: As the model wrote them, mostly JSON.
    """

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """
    The first choice of an answer.

    Attributes:
        text: What a person would read; empty for none.
        refusal: Likewise.
        tool_calls: In the answer's order.
        finish_reason: As the provider said it; of responses why they are incomplete, else their status. None for none.
        is_cut: It was longer than what is read.
    """

    text: str
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    is_cut: bool = False

    def __repr__(self) -> str:
        """Give sizes: the words are not ours to show."""
        return f"<AnswerParts of {len(self.text)} characters, {len(self.tool_calls)} tool calls>"


def parts_of(api: Api, raw: bytes, *, is_event_stream: bool) -> AnswerParts | None:
    """
    Give the parts of an answer's first choice.

    Args:
        api: Which call was answered.
        raw: JSON, or a stream's bytes; a stream that breaks off gives what came until then.
        is_event_stream: Which of the two.

    Returns:
        The parts, or None of what is no answer: an error, also one within a stream, embeddings, half a JSON.

    >>> parts_of(Api.CHAT, b'{"choices":[{"message":{"content":"Yes."}}]}', is_event_stream=False).text
    'Yes.'
    """
    if api is Api.EMBEDDINGS:
        return None
    if is_event_stream:
        return _parts_of_responses_stream(raw) if api is Api.RESPONSES else _parts_of_chat_stream(raw)
    body = decode_leniently(_ANY, raw)
    if not isinstance(body, dict):
        return None
    return _parts_of_response(body) if api is Api.RESPONSES else _parts_of_chat(body)


class _Call:
    """One tool call as it grows."""

    __slots__ = ("arguments", "call_id", "name")

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.name = ""
        self.arguments: list[str] = []


class _Calls:
    """
    Tool calls as their pieces come.

    Pieces belong together by index. Some providers leave it out, or give every call the same: there another id begins
    another call.
    """

    __slots__ = ("_by_index", "_found")

    def __init__(self) -> None:
        self._found: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def append(self, call: Mapping[str, Any], *, is_whole: bool) -> None:
        """Take a piece, or a whole call, which is always another one."""
        kind = call.get("function") if isinstance(call.get("function"), dict) else call.get("custom")
        inner = kind if isinstance(kind, dict) else call
        name, arguments = _string(inner.get("name")), _arguments_of(inner)
        known = self._begun("") if is_whole else self._known(call.get("index"), _string(call.get("id")), name)
        if known is None:
            return
        # Some repeat the whole name in every piece.
        if name != known.name:
            known.name = (known.name + name)[:MAX_NAME_CHARS]
        if arguments:
            known.arguments.append(arguments)

    def whole(self) -> tuple[ToolCall, ...]:
        """Give the calls that have a name or arguments."""
        joined = (ToolCall(one.name, "".join(one.arguments)) for one in self._found)
        return tuple(call for call in joined if call.name or call.arguments)

    def _known(self, index: Any, call_id: str, name: str) -> _Call | None:
        """Give the call that a piece belongs to, a new one where none is known."""
        has_index = type(index) is int
        known = self._by_index.get(index) if has_index else self._found[-1] if self._found else None
        if known is not None:
            is_other = bool(call_id) and known.call_id not in {"", call_id}
            is_next = not has_index and not call_id and bool(name) and bool(known.arguments)
            known = None if is_other or is_next else known
        if known is None:
            known = self._begun(call_id)
        if known is not None:
            known.call_id = known.call_id or call_id
            if has_index:
                self._by_index[index] = known
        return known

    def _begun(self, call_id: str) -> _Call | None:
        if len(self._found) >= MAX_TOOL_CALLS:
            return None
        self._found.append(_Call(call_id))
        return self._found[-1]


class _Choice:
    """One choice as it grows."""

    __slots__ = ("calls", "finish_reason", "has_text", "refusal", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.refusal: list[str] = []
        self.calls = _Calls()
        self.finish_reason: str | None = None
        self.has_text = False

    def append(self, choice: Mapping[str, Any], message: Any, *, is_whole: bool) -> None:
        """Take a chunk's choice, or a whole one."""
        if isinstance(message, dict):
            content = message.get("content")
            self.text.append(_text_of(content))
            self.refusal.append(_string(message.get("refusal")) or _text_of(content, kind="refusal"))
            for call in _dicts(message.get("tool_calls")):
                self.calls.append(call, is_whole=is_whole)
            if isinstance(message.get("function_call"), dict):
                self.calls.append(message["function_call"], is_whole=is_whole)
        else:
            self.text.append(_string(choice.get("text")))
        self.has_text = self.has_text or bool(self.text[-1])
        self.finish_reason = _string(choice.get("finish_reason")) or self.finish_reason

    def whole(self) -> AnswerParts:
        """Give its parts."""
        return _parts("".join(self.text), "".join(self.refusal), self.calls.whole(), self.finish_reason)


def _parts(text: str, refusal: str, calls: tuple[ToolCall, ...], finish_reason: str | None) -> AnswerParts:
    is_cut = len(text) > MAX_TEXT_BYTES
    return AnswerParts(text[:MAX_TEXT_BYTES], refusal[:MAX_TEXT_BYTES], calls, finish_reason, is_cut)


def _parts_of_chat(body: Mapping[str, Any]) -> AnswerParts | None:
    choices = _dicts(body.get("choices"))
    if not choices:
        return None
    first = min(choices, key=_index_of)
    whole = _Choice()
    whole.append(first, first.get("message"), is_whole=True)
    return whole.whole()


def _parts_of_chat_stream(raw: bytes) -> AnswerParts | None:
    first, index = _Choice(), None
    for chunk in _events_of(raw):
        if chunk.get("error"):
            return None
        for choice in _dicts(chunk.get("choices")):
            its_index = _index_of(choice)
            if index is None or its_index < index:
                first, index = _Choice(), its_index
            if its_index == index:
                delta = choice.get("delta")
                # A few send the whole message once more at the end.
                message = choice.get("message") if delta is None and not first.has_text else None
                first.append(choice, delta if delta is not None else message, is_whole=delta is None)
    return None if index is None else first.whole()


def _parts_of_response(body: Mapping[str, Any]) -> AnswerParts | None:
    status = _string(body.get("status"))
    if body.get("error") or status in _WITHOUT_ANSWER or not isinstance(body.get("output"), list):
        return None
    details = body.get("incomplete_details")
    reason = _string(details.get("reason")) if isinstance(details, dict) else ""
    return _parts_of_items(_dicts(body["output"]), reason or status or None)


def _parts_of_items(items: Iterable[Mapping[str, Any]], finish_reason: str | None) -> AnswerParts:
    text: list[str] = []
    refusal: list[str] = []
    calls: list[ToolCall] = []
    for one in items:
        kind = _string(one.get("type"))
        if kind == "message":
            text.append(_text_of(one.get("content")))
            refusal.append(_text_of(one.get("content"), kind="refusal"))
        elif kind.endswith("_call") and len(calls) < MAX_TOOL_CALLS:
            calls.append(ToolCall(_string(one.get("name")) or kind, _arguments_of(one)))
    return _parts("".join(text), "".join(refusal), tuple(calls), finish_reason)


def _parts_of_responses_stream(raw: bytes) -> AnswerParts | None:
    grown, end, is_answer = _Items(), None, False
    for event in _events_of(raw):
        kind = _string(event.get("type"))
        if kind in _FAILED or (not kind and event.get("error")):
            return None
        is_answer = is_answer or kind.startswith("response.")
        if kind in _ENDS:
            end = event.get("response")
        else:
            grown.note(kind, event)
    parts = _parts_of_response(end) if isinstance(end, dict) else None
    if parts is not None and (parts.text or parts.refusal or parts.tool_calls):
        return parts
    # Some servers end with an empty output, or break off: what came before counts then.
    finish_reason = None if parts is None else parts.finish_reason
    return _parts_of_items(grown.whole(), finish_reason) if is_answer else None


class _Items:
    """The items of a responses stream, put together from their events."""

    __slots__ = ("_arguments", "_parts", "_whole")

    def __init__(self) -> None:
        self._whole: dict[int, Mapping[str, Any]] = {}
        self._parts: dict[int, dict[tuple[int, str], list[str]]] = {}
        self._arguments: dict[int, list[str]] = {}

    def note(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take an event."""
        place = _number(event.get("output_index"))
        if kind.startswith("response.output_item.") and isinstance(event.get("item"), dict):
            self._whole[place] = event["item"]
            if kind.endswith(".done"):
                self._parts.pop(place, None)
                self._arguments.pop(place, None)
        elif kind.startswith(("response.output_text.", "response.refusal.")):
            self._note_part(kind, place, event)
        elif kind.endswith(("_call_arguments.delta", "_call_input.delta")):
            self._arguments.setdefault(place, []).append(_string(event.get("delta")))
        elif kind.endswith(("_call_arguments.done", "_call_input.done")):
            self._arguments[place] = [_string(event.get("arguments")) or _string(event.get("input"))]

    def whole(self) -> Iterable[Mapping[str, Any]]:
        """Give the items in their order."""
        for place in sorted(self._whole.keys() | self._parts.keys()):
            begun = self._whole.get(place, {"type": "message"})
            if place in self._parts:
                pieces = self._parts[place]
                content = [{"type": name, "text": "".join(pieces[number, name])} for number, name in sorted(pieces)]
                yield {"type": "message", "content": content}
            elif place in self._arguments:
                yield {**begun, "arguments": "".join(self._arguments[place])}
            else:
                yield begun

    def _note_part(self, kind: str, place: int, event: Mapping[str, Any]) -> None:
        name = "refusal" if ".refusal." in kind else "output_text"
        parts = self._parts.setdefault(place, {})
        pieces = parts.setdefault((_number(event.get("content_index")), name), [])
        if kind.endswith(".delta"):
            pieces.append(_string(event.get("delta")))
        elif kind.endswith(".done"):
            pieces[:] = [_string(event.get("text")) or _string(event.get("refusal")) or "".join(pieces)]


def _events_of(raw: bytes) -> Iterable[Mapping[str, Any]]:
    for event in split_events(raw):
        payload = payload_of(event)
        read = decode_leniently(_ANY, payload) if payload[:1] == b"{" else None
        if isinstance(read, dict):
            yield read


def _text_of(content: Any, *, kind: str = "text") -> str:
    """Give the text of a content: a string mostly, parts with some providers; or its refusal."""
    if isinstance(content, str):
        return content if kind == "text" else ""
    if kind == "refusal":
        found = [part.get("refusal") or part.get("text") for part in _dicts(content) if part.get("type") == kind]
    else:
        found = [part.get("text") for part in _dicts(content) if _string(part.get("type")) in _TEXT_PARTS]
    return "".join(text for text in found if isinstance(text, str))


def _arguments_of(call: Mapping[str, Any]) -> str:
    """Give a call's arguments: JSON as a string mostly, as an object with some providers; a custom tool's input."""
    for name in ("arguments", "input"):
        found = call.get(name)
        if isinstance(found, str):
            return found
        if isinstance(found, dict | list):
            return msgspec.json.encode(found).decode()
    return ""


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _index_of(choice: Mapping[str, Any]) -> int:
    return _number(choice.get("index"))


def _number(found: Any) -> int:
    return found if type(found) is int else 0


def _string(found: Any) -> str:
    return found if isinstance(found, str) else ""
