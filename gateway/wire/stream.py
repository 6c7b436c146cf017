"""
What is done to a streamed answer on its way to the client: watched, and at most lightly edited.

Theory of operation
===================
Bytes go in as they come and whole events come out. The incomplete tail is held back, so that what
the client has ends at an event boundary and an error frame can follow at any time. That delays
nothing: an SSE client acts on whole events only, and providers send whole events.

A watcher looks for a few markers in each batch of whole events and parses an event only where a
marker was seen. Text cannot fake them: inside a JSON string every quote is escaped. Most events of
a stream differ in their text alone, so those that are spelt like one known to be plain are not
searched at all. (`find` stands where `in` would read better: on bytes `in` costs three times as much.)

An event longer than the limit is passed on in pieces (spilled): still watched, never edited, and
`is_at_boundary` is False until it has ended. The output and the final state do not depend on how
the input was split, spilled events' pieces aside.
"""

from __future__ import annotations

import re

import msgspec

from gateway.domain.outcome import Safety
from gateway.domain.variant import Api
from gateway.wire.body import OPEN_BRACE, Fields
from gateway.wire.plain import PlainEvent, learn_plain, skip_plain, text_size
from gateway.wire.reading import (
    MAX_NAME_CHARS,
    Reading,
    decode_chunk,
    decode_response_event,
    decode_usage,
    note_chunk,
    note_response,
    signal_of_failure,
    usage_in,
)
from gateway.wire.safety import MAY_FLAG, UNREADABLE, Signal, signal_of_finish
from gateway.wire.sse import cut_of, end_of_event, payload_of, split_events, with_payload

MAX_HELD_BYTES = 64 * 1024
"""What an unedited stream holds back per connection at most; only size, not delay, limits it."""

MAX_EDITED_BYTES = 8 * 1024 * 1024
"""The longest event that is still edited: room for a response object with a generated image."""

_OVERLAP = 2048
"""Longer than every marker and every usage object, so that none is missed between two pieces of a spilled event."""

_MAX_USELESS = 8
"""How many spellings in a row may fit no other event before learning them is given up."""

_WHOLE_ENDS = (b"\n\n", b"\r\n\r\n")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"(?!")')
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_PLAIN_ERROR = re.compile(rb'"finish_reason"\s*:\s*"error"|(?:^|[\r\n])event: ?error')
_CHAT_TOKEN = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|text|arguments)"\s*:\s*(?:"(?!")|\[\s*\{)'
    rb'|"(?:tool_calls|reasoning_details)"\s*:\s*\[\s*\{|"(?:function_call|audio)"\s*:\s*\{'
)
_TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|text|arguments)"\s*:\s*"(?!")')
_RESPONSES_TOKEN = re.compile(rb'"type"\s*:\s*"response\.[a-z_.]+\.delta"')
_RESPONSES_END = re.compile(rb'"type"\s*:\s*"(?:response\.(completed|incomplete|failed)|error)"')
_RESPONSES_ERROR = re.compile(rb'"type"\s*:\s*"(?:response\.failed|error)"')
_RESPONSE_ID = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*"([\w-]+)"')
_SEQUENCE = re.compile(rb'"sequence_number"\s*:\s*(\d{1,18})')
_USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}"]*(?:"[^"\\]*"[^{}"]*|\{[^{}]*\}[^{}"]*)*\})')
_REFUSAL = re.compile(rb'"refusal"\s*:\s*"(?!")|"type"\s*:\s*"response\.refusal\.')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"([^"\\]{1,64})"')
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_ERRORS = frozenset({"response.failed", "error"})
_FIELDS = msgspec.json.Decoder(Fields)
_NULL = msgspec.Raw(b"null")
_MILD = frozenset({Safety.NONE, Safety.FLAGGED})


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
        n_token_events: Events that carried text, thought or a call's arguments so far.
    """

    __slots__ = (
        "_has_choice",
        "_has_empty",
        "_held",
        "_instructions",
        "_is_done",
        "_is_responses",
        "_limit",
        "_model",
        "_n_bytes",
        "_n_fixed",
        "_n_useless",
        "_overlap",
        "_plain",
        "_problem",
        "_reading",
        "_strip_usage",
        "_text_key",
        "_token",
        "_usage_events",
        "failed",
        "has_token",
        "is_at_boundary",
        "is_complete",
        "n_token_events",
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
        self._text_key = b'"text"' if api is Api.COMPLETIONS else b'"delta"'
        self._reading = Reading()
        self._usage_events = b""
        self._problem = _NULL
        self._plain: PlainEvent | None = None
        self._n_useless = 0
        self._n_bytes = 0
        self._n_fixed = 0
        self._has_choice = False
        self._has_empty = False
        self._is_done = False
        self.n_token_events = 0
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
        if self._strip_usage and whole.find(b'"usage"') >= 0:
            return self._stripped(whole)
        return whole

    @property
    def reading(self) -> Reading:
        """
        What the answer said of itself so far; to be asked once it has ended.

        Of usage told several times the last counts. Where there is none, `n_output_bytes` is what
        the events with text have beyond the first one's wrapping; of responses it is not known.
        """
        reading = self._reading
        for event in reversed(split_events(self._usage_events)):
            chunk = decode_chunk(payload_of(event))
            usage = None if chunk is None else usage_in(chunk)
            if usage is not None:
                reading.usage = usage
                break
        self._usage_events = b""
        reading.note(signal_of_failure(self._problem, has_output=self.has_token), is_error=True)
        is_empty = self._has_empty and not self._has_choice and not self.has_token and self._is_done
        if is_empty and not self.failed:
            # Gemini gives no candidate for a prompt that it blocked.
            reading.note(Signal(Safety.INPUT_BLOCKED))
        reading.n_token_events = self.n_token_events
        if reading.usage is None and not self._is_responses:
            reading.n_output_bytes = max(0, self._n_bytes - self.n_token_events * self._n_fixed)
        return reading

    def _watch_chat(self, whole: bytes) -> None:
        if self._plain is not None:
            place, n_events = skip_plain(self._plain, whole)
            if n_events:
                self._n_useless = 0
                self.n_token_events += n_events
                self._n_bytes += place
                if place == len(whole):
                    return
                whole = whole[place:]
        has_usage = whole.find(b'_tokens"') >= 0 and whole.find(b'"usage"') >= 0
        if has_usage:
            self._usage_events = whole
        if self.has_token and not self._is_marked(whole):
            self._count_plain(whole)
            if not has_usage:
                self._learn(whole)
            return
        for event in split_events(whole):
            self._take_event(event)

    def _is_marked(self, whole: bytes) -> bool:
        """Tell whether chat events may say anything but text, usage aside."""
        reading = self._reading
        return (
            _FINISHED.search(whole) is not None
            or whole.find(b"error") >= 0
            or whole.find(b"[DONE]") >= 0
            or (reading.safety in _MILD and whole.find(b'"refusal"') >= 0 and _REFUSAL.search(whole) is not None)
            or ((whole.find(b"_filter") >= 0 or whole.find(b'"flagged"') >= 0) and MAY_FLAG.search(whole) is not None)
            or (reading.model is None and whole.find(b'"model"') >= 0)
        )

    def _count_plain(self, whole: bytes) -> None:
        self.n_token_events += whole.count(self._text_key)
        self._n_bytes += len(whole)

    def _learn(self, whole: bytes) -> None:
        """Remember how a plain event is spelt."""
        if self._n_useless == _MAX_USELESS:
            return
        self._n_useless += 1
        event = split_events(whole)[-1]
        text = _TEXT.search(event)
        if text is not None and event.count(self._text_key) == 1:
            self._plain = learn_plain(event, text.end())

    def _take_event(self, event: bytes) -> None:
        """Take one chat event; whatever it is, it counts as it would among others."""
        token = self._token.search(event)
        if token is not None and not self.has_token:
            self.has_token = True
            self._n_fixed = len(event) - text_size(event, token.end())
        if not self._is_marked(event):
            if self.has_token:
                self._count_plain(event)
            return
        if token is not None:
            self._count_plain(event)
        is_done = _DONE.search(event) is not None
        self._is_done = self._is_done or is_done
        self.is_complete = self.is_complete or is_done or _FINISHED.search(event) is not None
        self._read_event(event)

    def _read_event(self, event: bytes) -> None:
        payload = payload_of(event)
        chunk = decode_chunk(payload)
        if chunk is None:
            self.failed = self.failed or _PLAIN_ERROR.search(event) is not None
            return
        if chunk.error != _NULL or _PLAIN_ERROR.search(event):
            if not self.failed:
                self._problem = chunk.error if chunk.error != _NULL else msgspec.Raw(payload)
            self.failed = True
        if chunk.choices is not None:
            self._has_choice = self._has_choice or bool(chunk.choices)
            self._has_empty = self._has_empty or not chunk.choices
        note_chunk(self._reading, chunk)

    def _watch_responses(self, whole: bytes) -> None:
        if self.has_token:
            self.n_token_events += whole.count(b'"delta"')
        elif token := self._token.search(whole):
            self.has_token = True
            self.n_token_events = whole.count(b'"delta"', token.start())
        place = whole.rfind(b'"sequence_number"')
        if place >= 0 and (number := _SEQUENCE.match(whole, place)):
            self.sequence_number = int(number[1])
        if not self.response_id and (found := _RESPONSE_ID.search(whole)):
            self.response_id = found[1].decode()
        if self.is_complete:
            return
        reading = self._reading
        if (
            _may_end(whole)
            or (reading.model is None and whole.find(b'"response"') >= 0)
            or (reading.safety in _MILD and whole.find(b"response.refusal") >= 0)
        ):
            for event in split_events(whole):
                self._read_response_event(event)

    def _read_response_event(self, event: bytes) -> None:
        payload = payload_of(event)
        read = decode_response_event(payload)
        if read is None:
            return
        # Servers that send a bare error object mean `error`.
        kind = read.type or ("" if read.error == _NULL else "error")
        reading = self._reading
        if kind.startswith("response.refusal."):
            reading.note(Signal(Safety.REFUSED))
        response = read.response
        if kind in _ENDS:
            self.is_complete = True
            self.failed = self.failed or kind in _ERRORS
            if response is not None:
                note_response(reading, response, payload)
                self._problem = response.error
            elif kind == "error":
                self._problem = read.error if read.error != _NULL else msgspec.Raw(payload)
        elif response is not None and response.model:
            reading.model = response.model[:MAX_NAME_CHARS]

    def _stripped(self, whole: bytes) -> bytes:
        """Take out usage; the spellings of most providers without a parse."""
        whole = whole.replace(b',"usage":null', b"").replace(b', "usage": null', b"")
        if whole.find(b'"usage"') < 0:
            return whole
        return b"".join(map(self._edited, split_events(whole)))

    def _edited(self, event: bytes) -> bytes:
        """Give one event as the client shall see it; what cannot be parsed stays as it is."""
        payload = payload_of(event)
        if payload[:1] != b"{":
            return event
        try:
            fields = _FIELDS.decode(payload)
        except UNREADABLE:
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
        if self._token.search(piece):
            self.n_token_events += 1
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
        reading = self._reading
        for found in _USAGE.finditer(piece):
            usage = decode_usage(found[1])
            if usage is not None:
                reading.usage = usage
                self._usage_events = b""
        if _REFUSAL.search(piece):
            reading.note(Signal(Safety.REFUSED))
        if not self._is_responses:
            if finish := _FINISH.search(piece):
                reading.finish_reason = finish[1].decode(errors="replace")
                reading.note(signal_of_finish(reading.finish_reason))
            self.is_complete = self.is_complete or _FINISHED.search(piece) is not None
            return
        if number := _SEQUENCE.search(piece):
            self.sequence_number = int(number[1])
        if not self.is_complete and (end := _RESPONSES_END.search(piece)):
            self.is_complete = True
            self.failed = _RESPONSES_ERROR.search(piece) is not None
            reading.finish_reason = reading.finish_reason or (end[1] or b"failed").decode()


def _is_readable(event: bytes) -> bool:
    payload = payload_of(event)
    if payload.startswith(b"[DONE]"):
        return True
    try:
        _FIELDS.decode(payload)
    except UNREADABLE:
        return False
    return True


def _may_end(whole: bytes) -> bool:
    # Four searches for literals take a fraction of the time of one regular expression.
    return (
        whole.find(b'"error"') >= 0
        or whole.find(b"response.completed") >= 0
        or whole.find(b"response.incomplete") >= 0
        or whole.find(b"response.failed") >= 0
    )


def _is_usage_chunk(fields: Fields) -> bool:
    """Tell the chunk that exists only for its usage; Azure's filter results have none."""
    usage = memoryview(fields.get("usage", _NULL))[0]
    choices = bytes(fields.get("choices", b"null")).replace(b" ", b"")
    return usage == OPEN_BRACE and choices == b"[]" and "error" not in fields
