"""
What is done to a streamed answer on its way to the client: watched, and at most lightly edited.

Theory of operation
===================
Bytes go in as they come and whole events come out. The incomplete tail is held back, so that what
the client has ends at an event boundary and an error frame can follow at any time. That delays
nothing: an SSE client acts on whole events only, and providers send whole events.

A watcher looks for a few markers in each batch of whole events and parses an event only where a
marker was seen. Text cannot fake them: inside a JSON string every quote is escaped.

An event longer than the limit is passed on in pieces (spilled): still watched, never edited, and
`is_at_boundary` is False until it has ended. The output and the final state do not depend on how
the input was split, spilled events' pieces aside.
"""

from __future__ import annotations

import re

import msgspec

from gateway.domain.variant import Api
from gateway.wire.body import OPEN_BRACE, Fields
from gateway.wire.sse import cut_of, end_of_event, payload_of, split_events, with_payload

MAX_HELD_BYTES = 64 * 1024
"""What an unedited stream holds back per connection at most; only size, not delay, limits it."""

MAX_EDITED_BYTES = 8 * 1024 * 1024
"""The longest event that is still edited: room for a response object with a generated image."""

_OVERLAP = 64
"""Longer than every marker, so that none is missed between two pieces of a spilled event."""

_WHOLE_ENDS = (b"\n\n", b"\r\n\r\n")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"(?!")')
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_CHAT_ERROR = re.compile(rb'"error"\s*:\s*["{]|"finish_reason"\s*:\s*"error"|(?:^|[\r\n])event: ?error')
_PLAIN_ERROR = re.compile(rb'"finish_reason"\s*:\s*"error"|(?:^|[\r\n])event: ?error')
_CHAT_TOKEN = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|text|arguments)"\s*:\s*(?:"(?!")|\[\s*\{)'
    rb'|"(?:tool_calls|reasoning_details)"\s*:\s*\[\s*\{|"(?:function_call|audio)"\s*:\s*\{'
)
_RESPONSES_TOKEN = re.compile(rb'"type"\s*:\s*"response\.[a-z_.]+\.delta"')
_RESPONSES_END = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
_RESPONSES_ERROR = re.compile(rb'"type"\s*:\s*"(?:response\.failed|error)"')
_RESPONSE_ID = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*"([\w-]+)"')
_SEQUENCE = re.compile(rb'"sequence_number"\s*:\s*(\d{1,18})')
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_ERRORS = frozenset({"response.failed", "error"})
_FIELDS = msgspec.json.Decoder(Fields)
_NULL = msgspec.Raw(b"null")


class _Event(msgspec.Struct, gc=False):
    """The top level of an event, as far as its kind goes."""

    type: str = ""
    error: msgspec.Raw = _NULL


_EVENT = msgspec.json.Decoder(_Event)


class StreamTap:
    """
    One per relayed stream.

    Args:
        api: Chat and completions share one shape, responses have another.
        strip_usage: Take out the usage that only we asked for.
        model_name: Written over the model's name, where a route hides it.
        instructions: JSON written over the instructions that responses echo.

    Attributes:
        is_complete: The answer said that it is finished.
        has_token: The first token has passed.
        failed: The provider reported an error in the stream.
        is_at_boundary: What `feed` gave so far ends between two events.
        sequence_number: Of the last event of a responses stream; -1 before the first.
        response_id: Of a responses stream, once known; else empty.
    """

    __slots__ = (
        "_error",
        "_finished",
        "_held",
        "_instructions",
        "_is_responses",
        "_limit",
        "_model",
        "_overlap",
        "_strip_usage",
        "_token",
        "failed",
        "has_token",
        "is_at_boundary",
        "is_complete",
        "response_id",
        "sequence_number",
    )

    def __init__(
        self,
        api: Api,
        *,
        strip_usage: bool = False,
        model_name: str | None = None,
        instructions: bytes | None = None,
    ) -> None:
        self._is_responses = api is Api.RESPONSES
        self._token = _RESPONSES_TOKEN if self._is_responses else _CHAT_TOKEN
        self._strip_usage = strip_usage and not self._is_responses
        self._model = None if model_name is None else msgspec.Raw(msgspec.json.encode(model_name))
        self._instructions = None if instructions is None else msgspec.Raw(instructions)
        is_edited = self._strip_usage or model_name is not None or instructions is not None
        self._limit = MAX_EDITED_BYTES if is_edited else MAX_HELD_BYTES
        self._held = bytearray()
        self._overlap = b""
        self.is_complete = False
        self.has_token = False
        self.failed = False
        self.is_at_boundary = True
        self.sequence_number = -1
        self.response_id = ""

    def feed(self, data: bytes) -> bytes:
        """Take what arrived and give what may be passed on now, which may be nothing."""
        if not self.is_at_boundary:
            return self._feed_spilling(data)
        held = self._held
        if not held and data.endswith(_WHOLE_ENDS):
            return self._passed(data)
        seen = len(held)
        held += data
        cut = cut_of(held, max(0, seen - 3))
        if cut:
            whole = bytes(held[:cut])
            del held[:cut]
            return self._passed(whole)
        return self._spilled() if len(held) > self._limit else b""

    def end(self) -> bytes:
        """
        Give what was still held back when the provider stopped: at most one event without its end.

        A whole event that only lacks its blank line is watched and edited like any other; a piece
        of one completes nothing. Where the stream turns out broken, drop the answer: a piece of an
        event would keep an error frame from being understood.
        """
        tail = bytes(self._held)
        self._held.clear()
        return b"".join([self._passed(event) if _is_readable(event) else event for event in split_events(tail)])

    def _passed(self, whole: bytes) -> bytes:
        """Watch whole events and give them as they go to the client."""
        if self._is_responses:
            self._watch_responses(whole)
        else:
            self._watch_chat(whole)
        if self._model is not None or self._instructions is not None:
            return b"".join(map(self._edited, split_events(whole)))
        if self._strip_usage and b'"usage"' in whole:
            return self._stripped(whole)
        return whole

    def _watch_chat(self, whole: bytes) -> None:
        if not self.has_token and self._token.search(whole):
            self.has_token = True
        if not self.is_complete and (_FINISHED.search(whole) or (b"[DONE]" in whole and _DONE.search(whole))):
            self.is_complete = True
        if b"error" in whole and not self.failed and _CHAT_ERROR.search(whole):
            self.failed = any(map(_is_chat_error, split_events(whole)))

    def _watch_responses(self, whole: bytes) -> None:
        if not self.has_token and self._token.search(whole):
            self.has_token = True
        place = whole.rfind(b'"sequence_number"')
        if place >= 0 and (number := _SEQUENCE.match(whole, place)):
            self.sequence_number = int(number[1])
        if not self.response_id and (found := _RESPONSE_ID.search(whole)):
            self.response_id = found[1].decode()
        if not self.is_complete and _may_end(whole):
            kinds = set(map(_kind_of, split_events(whole)))
            self.is_complete = not kinds.isdisjoint(_ENDS)
            self.failed = not kinds.isdisjoint(_ERRORS)

    def _stripped(self, whole: bytes) -> bytes:
        """Take out usage; the spellings of most providers without a parse."""
        whole = whole.replace(b',"usage":null', b"").replace(b', "usage": null', b"")
        if b'"usage"' not in whole:
            return whole
        return b"".join(map(self._edited, split_events(whole)))

    def _edited(self, event: bytes) -> bytes:
        """Give one event as the client shall see it; what cannot be parsed stays as it is."""
        payload = payload_of(event)
        if payload[:1] != b"{":
            return event
        try:
            fields = _FIELDS.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            return event
        if self._strip_usage and _is_usage_chunk(fields):
            return b""
        return with_payload(event, msgspec.json.encode(fields)) if self._edit(fields) else event

    def _edit(self, fields: Fields) -> bool:
        """Edit an event's top level in place and tell whether anything changed."""
        changed = self._strip_usage and bytes(fields.get("usage", b"")) == b"null"
        if changed:
            del fields["usage"]
        if not self._is_responses:
            return self._hide(fields, is_response=False) or changed
        response = fields.get("response")
        if response is None or memoryview(response)[0] != OPEN_BRACE:
            return False
        inner = _FIELDS.decode(response)
        if not self._hide(inner, is_response=True):
            return False
        fields["response"] = msgspec.Raw(msgspec.json.encode(inner))
        return True

    def _hide(self, fields: Fields, *, is_response: bool) -> bool:
        changed = False
        # Azure's first chunk has an empty name: nothing to hide, and clients skip such chunks by it.
        if self._model is not None and bytes(fields.get("model", b'""')) != b'""':
            fields["model"] = self._model
            changed = True
        if is_response and self._instructions is not None and "instructions" in fields:
            fields["instructions"] = self._instructions
            changed = True
        return changed

    def _spilled(self) -> bytes:
        """Pass on the beginning of an event that is too long to hold."""
        piece = bytes(self._held)
        self._held.clear()
        self.is_at_boundary = False
        self._watch_piece(piece)
        self._overlap = piece[-_OVERLAP:]
        return piece

    def _feed_spilling(self, data: bytes) -> bytes:
        window = self._overlap + data
        end = end_of_event(window)
        if not end:
            self._watch_piece(window)
            self._overlap = window[-_OVERLAP:]
            return data
        self._watch_piece(window[:end])
        rest = max(0, end - len(self._overlap))
        self._overlap = b""
        self.is_at_boundary = True
        return data[:rest] + self.feed(data[rest:])

    def _watch_piece(self, piece: bytes) -> None:
        """Watch a part of an event: what cannot be parsed is believed."""
        if self._token.search(piece):
            self.has_token = True
        if not self._is_responses:
            self.is_complete = self.is_complete or _FINISHED.search(piece) is not None
            return
        if number := _SEQUENCE.search(piece):
            self.sequence_number = int(number[1])
        if not self.is_complete and _RESPONSES_END.search(piece):
            self.is_complete = True
            self.failed = _RESPONSES_ERROR.search(piece) is not None


def _peek_event(event: bytes) -> _Event:
    try:
        return _EVENT.decode(payload_of(event))
    except (msgspec.DecodeError, RecursionError):
        return _Event()


def _is_readable(event: bytes) -> bool:
    payload = payload_of(event)
    if payload.startswith(b"[DONE]"):
        return True
    try:
        _FIELDS.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _may_end(whole: bytes) -> bool:
    # Four searches for literals take a fifth of the time of one regular expression.
    return (
        b'"error"' in whole
        or b"response.completed" in whole
        or b"response.incomplete" in whole
        or b"response.failed" in whole
    )


def _kind_of(event: bytes) -> str:
    """Give the type of a responses event; servers that send a bare error object mean `error`."""
    peeked = _peek_event(event)
    return peeked.type or ("" if peeked.error == _NULL else "error")


def _is_chat_error(event: bytes) -> bool:
    """Tell an error from a chunk that merely mentions one, such as a content filter's."""
    return _PLAIN_ERROR.search(event) is not None or _peek_event(event).error != _NULL


def _is_usage_chunk(fields: Fields) -> bool:
    """Tell the chunk that exists only for its usage; Azure's filter results have none."""
    usage = memoryview(fields.get("usage", _NULL))[0]
    choices = bytes(fields.get("choices", b"null")).replace(b" ", b"")
    return usage == OPEN_BRACE and choices == b"[]" and "error" not in fields
