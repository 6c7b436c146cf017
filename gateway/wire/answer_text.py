"""
The words of an answer, for guards to read: what a person would see, choice by choice.

Refusals, reasoning and the arguments of tool calls are not words of the answer. On responses the text
is what the official clients call `output_text`: all output texts joined. An answer without words that
called a tool or refused has no text to judge; one without anything at all has an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.domain.variant import Api
from gateway.wire.sse import payload_of, split_events

MAX_TEXT_BYTES = 4 * 1024 * 1024
"""Eight times the longest answer a model gives (128,000 tokens); what comes after is not read."""

MAX_MATCH_BYTES = 1024
"""A pattern's match up to this long is found in a stream as soon as it is complete; a longer one at the end."""

_CONTEXT_BYTES = 4
"""One character more, so that `^` and `\\b` see what stands before."""

_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_Shape = TypeVar("_Shape")


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None

    @property
    def has_other(self) -> bool:
        return bool(self.refusal or self.tool_calls or self.function_call or self.audio)


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: Any = None


class _Chat(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    error: Any = None


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    content: Any = None


class _Response(msgspec.Struct, gc=False):
    output: list[_Item] | None = None
    status: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    text: Any = None
    output_index: int = 0
    content_index: int = 0
    part: Any = None
    item: Any = None
    response: Any = None
    error: Any = None


_CHAT = msgspec.json.Decoder(_Chat)
_RESPONSE = msgspec.json.Decoder(_Response)
_EVENT = msgspec.json.Decoder(_Event)
_ENDED = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"response.failed", "error"})
_WITHOUT_ANSWER = frozenset({"failed", "cancelled", "queued", "in_progress"})


class AnswerText:
    """
    The text of one choice as it grows.

    Attributes:
        n_chars: Its length so far.
        recent: Its end as UTF-8: what was not searched yet, and before it as much as a match may span.
        start: Where in `recent` a search begins: behind one character of context, or at the text's own start.
        is_finished: The choice said so.
        is_checked: Whoever checks it has seen all of it; set by them, taken back when it grows.
        is_cut: It was longer than what is read.
    """

    __slots__ = (
        "_has_other",
        "_n_bytes",
        "_pieces",
        "is_checked",
        "is_cut",
        "is_finished",
        "n_chars",
        "recent",
        "start",
    )

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._n_bytes = 0
        self._has_other = False
        self.n_chars = 0
        self.recent = b""
        self.start = 0
        self.is_finished = False
        self.is_checked = False
        self.is_cut = False

    def __repr__(self) -> str:
        """Give the length: the words are not ours to show."""
        return f"<AnswerText of {self.n_chars} characters>"

    @property
    def text(self) -> str | None:
        """Give the text so far; None where there is nothing to judge."""
        return None if self._has_other and not self._pieces else "".join(self._pieces)

    def append(self, text: str) -> None:
        """Add what came."""
        if not text or self.is_cut:
            return
        raw = text.encode("utf-8", "replace")
        self._n_bytes += len(raw)
        self.is_cut = self._n_bytes > MAX_TEXT_BYTES
        self._pieces.append(text)
        self.n_chars += len(text)
        self.recent += raw
        self.is_checked = False

    def note_other(self) -> None:
        """Take note of a tool call or a refusal."""
        self._has_other = True

    def forget_searched(self) -> None:
        """Keep of `recent` only what the next search must see again."""
        cut = len(self.recent) - MAX_MATCH_BYTES - _CONTEXT_BYTES
        if cut <= 0:
            return
        while _is_inside_character(self.recent[cut]):
            cut += 1
        self.recent = self.recent[cut:]
        self.start = 1
        while _is_inside_character(self.recent[self.start]):
            self.start += 1


class StreamText:
    """
    Puts a stream's text together from whole events. For routes with guards: it parses every event.

    Attributes:
        answers: By choice; responses have only 0.
        grown: Those that got text or finished since the caller last cleared it.
        is_done: The stream said that nothing follows.
        failure: The event by which the provider reported an error; empty until then.
    """

    __slots__ = ("_is_responses", "_known", "answers", "failure", "grown", "is_done")

    def __init__(self, api: Api) -> None:
        self._is_responses = api is Api.RESPONSES
        self._known: dict[tuple[int, int], int] = {}
        self.answers: dict[int, AnswerText] = {}
        self.grown: set[int] = set()
        self.is_done = False
        self.failure = b""

    def feed(self, whole: bytes) -> None:
        """Read whole events; what cannot be parsed is left out, for no client can read it either."""
        for event in split_events(whole):
            payload = payload_of(event)
            if payload.startswith(b"[DONE]"):
                self.is_done = True
            elif payload[:1] == b"{":
                if self._is_responses:
                    self._read_responses(event, payload)
                else:
                    self._read_chat(event, payload)

    def _read_chat(self, event: bytes, payload: bytes) -> None:
        chunk = decode_leniently(_CHAT, payload)
        if chunk is None:
            return
        if chunk.error is not None:
            self.failure, self.is_done = event, True
        for choice in chunk.choices or ():
            answer = self._answer(choice.index)
            text, has_other = _words_of(choice)
            answer.append(text)
            if has_other:
                answer.note_other()
            if choice.finish_reason is not None:
                answer.is_finished = True
            if text or answer.is_finished:
                self.grown.add(choice.index)

    def _read_responses(self, event: bytes, payload: bytes) -> None:
        read = decode_leniently(_EVENT, payload)
        if read is None:
            return
        answer = self._answer(0)
        n_before = answer.n_chars
        self._read_event(event, read, answer)
        if answer.is_finished or answer.n_chars != n_before:
            self.grown.add(0)

    def _read_event(self, event: bytes, read: _Event, answer: AnswerText) -> None:
        kind = read.type
        if kind == "response.output_text.delta" and isinstance(read.delta, str):
            place = (read.output_index, read.content_index)
            self._known[place] = self._known.get(place, 0) + len(read.delta)
            answer.append(read.delta)
        elif kind == "response.output_text.done":
            self._catch_up(answer, read.output_index, read.content_index, read.text)
        elif kind.startswith("response.content_part.") and isinstance(read.part, dict):
            self._read_part(answer, read.output_index, read.content_index, read.part)
        elif kind.startswith("response.output_item.") and isinstance(read.item, dict):
            self._read_item(answer, read.output_index, read.item)
        elif kind in _ENDED:
            self._read_output(answer, read.response)
            answer.is_finished = self.is_done = True
        elif kind in _FAILED or (not kind and read.error is not None):
            self.failure, self.is_done = event, True

    def _read_output(self, answer: AnswerText, response: Any) -> None:
        output = response.get("output") if isinstance(response, dict) else None
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict):
                self._read_item(answer, index, item)

    def _read_item(self, answer: AnswerText, output_index: int, item: Mapping[str, Any]) -> None:
        if item.get("type") not in {"message", "reasoning"}:
            answer.note_other()
        content = item.get("content")
        if item.get("type") == "message" and isinstance(content, list):
            for index, part in enumerate(content):
                if isinstance(part, dict):
                    self._read_part(answer, output_index, index, part)

    def _read_part(self, answer: AnswerText, output_index: int, content_index: int, part: Mapping[str, Any]) -> None:
        if part.get("type") == "output_text":
            self._catch_up(answer, output_index, content_index, part.get("text"))
        elif part.get("type") == "refusal":
            answer.note_other()

    def _catch_up(self, answer: AnswerText, output_index: int, content_index: int, text: Any) -> None:
        """Some servers send a text only when it is whole: take what its deltas did not bring."""
        known = self._known.get((output_index, content_index), 0)
        if isinstance(text, str) and len(text) > known:
            answer.append(text[known:])
            self._known[output_index, content_index] = len(text)

    def _answer(self, index: int) -> AnswerText:
        answer = self.answers.get(index)
        if answer is None:
            answer = self.answers[index] = AnswerText()
        return answer


def texts_of(api: Api, body: bytes) -> list[str]:
    """Give the texts of a whole answer, one per choice that has one; none of what is no answer."""
    if api is Api.RESPONSES:
        response = decode_leniently(_RESPONSE, body)
        if response is None or response.output is None or response.status in _WITHOUT_ANSWER:
            return []
        return _text_of_output(response.output)
    chat = decode_leniently(_CHAT, body) if api is not Api.EMBEDDINGS else None
    if chat is None or chat.choices is None:
        return []
    words = [_words_of(choice) for choice in chat.choices]
    return [text for text, has_other in words if text or not has_other]


def _text_of_output(output: Iterable[_Item]) -> list[str]:
    answer, has_other = [], False
    for item in output:
        has_other = has_other or item.type not in {"message", "reasoning"}
        parts = item.content if item.type == "message" and isinstance(item.content, list) else []
        for part in parts:
            if isinstance(part, dict) and part.get("type") == "output_text" and isinstance(part.get("text"), str):
                answer.append(part["text"])
            elif isinstance(part, dict) and part.get("type") == "refusal":
                has_other = True
    text = "".join(answer)
    return [] if has_other and not text else [text]


def _words_of(choice: _Choice) -> tuple[str, bool]:
    """Give the text, and whether something else stands in its place."""
    message = choice.delta or choice.message
    is_filtered = choice.finish_reason == "content_filter"
    if message is None:
        return choice.text or "", is_filtered
    return _text_of_content(message.content), is_filtered or message.has_other


def _text_of_content(content: Any) -> str:
    """Give the text of a message's content: a string mostly, parts with some providers."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def decode_leniently(decoder: msgspec.json.Decoder[_Shape], raw: bytes) -> _Shape | None:
    """Decode as lenient clients do: what is no UTF-8 and half of a surrogate pair become U+FFFD."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    mended = _LONE_SURROGATE.sub(rb"\\ufffd", raw.decode("utf-8", "replace").encode())
    try:
        return decoder.decode(mended)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_inside_character(byte: int) -> bool:
    return byte & 0xC0 == 0x80
