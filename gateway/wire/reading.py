"""
What an answer says of itself: tokens, why it ended, who answered, and whether anything was stopped.

The common shapes cost one typed decode. Where a field is not of the type it should be, the answer
is read once more, field by field: an odd answer is still an answer, with less reading.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_origin

import msgspec

from gateway.domain.outcome import Safety
from gateway.domain.usage import Usage
from gateway.domain.variant import Api
from gateway.wire.body import Fields
from gateway.wire.safety import (
    SAFE,
    UNREADABLE,
    Signal,
    graver,
    signal_of_annotations,
    signal_of_error,
    signal_of_finish,
)
from gateway.wire.usage import UsageFields, usage_of

MAX_NAME_CHARS = 128
"""What is kept of a model's name and a finish reason: records must stay small."""

_NULL = msgspec.Raw(b"null")


class Reading(msgspec.Struct, gc=False):
    """
    What was read of one answer.

    Attributes:
        usage: What the provider told; None when it told nothing usable.
        finish_reason: As the provider said it, the first choice's; of responses what made them
            incomplete, else their status.
        model: What the answer claims.
        safety: What was stopped or flagged.
        safety_category: As the provider names it.
        is_safety_error: The signal came as an error, in the body or in an event, not beside an answer.
        n_output_bytes: Of the answer's text, about; only where usage is missing, for an estimate.
            Of unary answers with the JSON around the text.
        n_token_events: Events of a stream that carried text; 0 for unary answers.
    """

    usage: Usage | None = None
    finish_reason: str | None = None
    model: str | None = None
    safety: Safety = Safety.NONE
    safety_category: str | None = None
    is_safety_error: bool = False
    n_output_bytes: int = 0
    n_token_events: int = 0

    def note(self, signal: Signal, *, is_error: bool = False) -> None:
        """Take a signal; the graver of two stays."""
        if signal.safety is Safety.NONE:
            return
        before = Signal(self.safety, self.safety_category)
        after = graver(before, signal)
        if after is not before:
            self.safety, self.safety_category = after
            self.is_safety_error = is_error


class _Message(msgspec.Struct, gc=False):
    refusal: str | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    finish_reason: str | None = None
    message: _Message | None = None
    delta: _Message | None = None
    content_filter_results: msgspec.Raw = _NULL


class _Groq(msgspec.Struct, gc=False):
    usage: UsageFields | None = None


class Chunk(msgspec.Struct, gc=False, kw_only=True):
    """A chunk of a chat or completions stream, as far as it is read."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    x_groq: _Groq | None = None
    error: msgspec.Raw = _NULL
    moderation: msgspec.Raw = _NULL
    prompt_filter_results: msgspec.Raw = _NULL


class _Chat(msgspec.Struct, gc=False, kw_only=True):
    """A whole answer: without choices it would be none."""

    choices: list[_Choice]
    model: str | None = None
    usage: UsageFields | None = None
    x_groq: _Groq | None = None
    moderation: msgspec.Raw = _NULL
    prompt_filter_results: msgspec.Raw = _NULL


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A response object, as far as it is read."""

    id: str | None = None
    output: list[msgspec.Raw] | None = None
    status: str | None = None
    model: str | None = None
    usage: UsageFields | None = None
    error: msgspec.Raw = _NULL
    incomplete_details: _Incomplete | None = None
    moderation: msgspec.Raw = _NULL


class ResponseEvent(msgspec.Struct, gc=False):
    """An event of a responses stream, as far as it is read."""

    type: str = ""
    response: Response | None = None
    error: msgspec.Raw = _NULL
    code: msgspec.Raw = _NULL


class _Embeddings(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    model: str | None = None
    usage: UsageFields | None = None


class _LeastChat(msgspec.Struct, gc=False):
    """What makes an answer one; likewise below."""

    choices: list[msgspec.Raw]


class _LeastEmbeddings(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]


class _LeastResponse(msgspec.Struct, gc=False):
    output: list[msgspec.Raw] | None = None
    status: str | None = None


class _Part(msgspec.Struct, gc=False):
    type: str = ""


class _Item(msgspec.Struct, gc=False):
    content: list[_Part] | None = None


_CHAT = msgspec.json.Decoder(_Chat)
_CHUNK = msgspec.json.Decoder(Chunk)
_RESPONSE = msgspec.json.Decoder(Response)
_RESPONSE_EVENT = msgspec.json.Decoder(ResponseEvent)
_EMBEDDINGS = msgspec.json.Decoder(_Embeddings)
_ITEM = msgspec.json.Decoder(_Item)
_FIELDS = msgspec.json.Decoder(Fields)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
_LEAST_CHAT = msgspec.json.Decoder(_LeastChat)
_LEAST_EMBEDDINGS = msgspec.json.Decoder(_LeastEmbeddings)
_LEAST_RESPONSE = msgspec.json.Decoder(_LeastResponse)


def read_answer(api: Api, body: bytes) -> Reading | None:
    """
    Read the body of a 200; None when it is no answer at all.

    Empty, cut or foreign bodies and error objects sent with a 200 are none, and count as the
    provider's failure. An empty list of choices is one: some providers answer so after a filter.
    """
    try:
        if api is Api.RESPONSES:
            response = _RESPONSE.decode(body)
            return None if response.output is None and response.status is None else _of_response(response, body)
        if api is Api.EMBEDDINGS:
            return _of_embeddings(_EMBEDDINGS.decode(body))
        return _of_chat(_CHAT.decode(body), body)
    except UNREADABLE:
        return _read_odd(api, body)


def _read_odd(api: Api, body: bytes) -> Reading | None:
    """Read an answer whose fields are not all of the types they should be."""
    try:
        if not _is_whole(api, body):
            return None
    except UNREADABLE:
        return None
    try:
        if api is Api.RESPONSES:
            return _of_response(_loosely(Response, body), body)
        if api is Api.EMBEDDINGS:
            return _of_embeddings(_loosely(_Embeddings, body))
        return _of_chat(_loosely(_Chat, body), body)
    except UNREADABLE:
        return Reading()


def _is_whole(api: Api, body: bytes) -> bool:
    if api is Api.RESPONSES:
        response = _LEAST_RESPONSE.decode(body)
        return response.output is not None or response.status is not None
    if api is Api.EMBEDDINGS:
        _LEAST_EMBEDDINGS.decode(body)
    else:
        _LEAST_CHAT.decode(body)
    return True


def decode_chunk(payload: bytes) -> Chunk | None:
    """Decode an event of a chat or completions stream; None for what is no JSON object."""
    try:
        return _CHUNK.decode(payload)
    except UNREADABLE:
        return _or_none(Chunk, payload)


def decode_response_event(payload: bytes) -> ResponseEvent | None:
    """Decode an event of a responses stream; None for what is no JSON object."""
    try:
        return _RESPONSE_EVENT.decode(payload)
    except UNREADABLE:
        return _or_none(ResponseEvent, payload)


def note_chunk(reading: Reading, chunk: Chunk) -> None:
    """Take what one chunk says, but for an error and usage."""
    if chunk.model and reading.model is None:
        reading.model = chunk.model[:MAX_NAME_CHARS]
    if chunk.choices:
        _note_choices(reading, chunk.choices)
    _note_annotations(reading, chunk.moderation, chunk.prompt_filter_results)


def note_response(reading: Reading, response: Response, body: bytes) -> None:
    """Take what a response object in `body` says, but for its error."""
    if response.model:
        reading.model = response.model[:MAX_NAME_CHARS]
    if response.usage is not None:
        reading.usage = usage_of(response.usage) or reading.usage
    reason = response.incomplete_details and response.incomplete_details.reason
    reading.finish_reason = (reason or response.status or "")[:MAX_NAME_CHARS] or None
    if reason:
        reading.note(signal_of_finish(reason))
    if response.output and body.find(b'"refusal"') >= 0 and any(map(_has_refusal, response.output)):
        reading.note(Signal(Safety.REFUSED))
    _note_annotations(reading, response.moderation, _NULL)


def signal_of_failure(raw: msgspec.Raw, *, has_output: bool) -> Signal:
    """Give what an error inside an answer or an event says of safety."""
    if raw == _NULL:
        return SAFE
    try:
        return signal_of_error(_ANY.decode(raw), has_output=has_output)
    except UNREADABLE:
        return SAFE


def usage_in(fields: Chunk) -> Usage | None:
    """Give the usage of a chunk, Groq's too."""
    if fields.usage is not None:
        return usage_of(fields.usage)
    if fields.x_groq is not None and fields.x_groq.usage is not None:
        return usage_of(fields.x_groq.usage)
    return None


def decode_usage(raw: bytes) -> Usage | None:
    """Give what a `usage` object tells; None when it is none."""
    fields = _or_none(UsageFields, raw)
    return None if fields is None else usage_of(fields)


def _of_chat(chat: _Chat, body: bytes) -> Reading:
    reading = Reading()
    if chat.usage is not None:
        reading.usage = usage_of(chat.usage)
    elif chat.x_groq is not None and chat.x_groq.usage is not None:
        reading.usage = usage_of(chat.x_groq.usage)
    if chat.model:
        reading.model = chat.model[:MAX_NAME_CHARS]
    if chat.choices:
        _note_choices(reading, chat.choices)
    else:
        # Gemini gives no candidate for a prompt that it blocked.
        reading.note(Signal(Safety.INPUT_BLOCKED))
    if chat.moderation is not _NULL or chat.prompt_filter_results is not _NULL:
        _note_annotations(reading, chat.moderation, chat.prompt_filter_results)
    if reading.usage is None:
        reading.n_output_bytes = _size_of(body, "choices")
    return reading


def _of_response(response: Response, body: bytes) -> Reading:
    reading = Reading()
    note_response(reading, response, body)
    reading.note(signal_of_failure(response.error, has_output=bool(response.output)), is_error=True)
    if reading.usage is None:
        reading.n_output_bytes = sum(len(memoryview(item)) for item in response.output or ())
    return reading


def _of_embeddings(embeddings: _Embeddings) -> Reading:
    usage = None if embeddings.usage is None else usage_of(embeddings.usage)
    return Reading(usage, model=embeddings.model and embeddings.model[:MAX_NAME_CHARS])


def _note_choices(reading: Reading, choices: list[_Choice]) -> None:
    for choice in choices:
        reason = choice.finish_reason
        if reason:
            if reading.finish_reason is None or choice.index == 0:
                reading.finish_reason = reason[:MAX_NAME_CHARS]
            if reason != "stop":
                reading.note(signal_of_finish(reason))
        message = choice.message or choice.delta
        if message is not None and message.refusal:
            reading.note(Signal(Safety.REFUSED))
        if choice.content_filter_results is not _NULL:
            reading.note(signal_of_annotations(choice.content_filter_results, is_input=False))


def _note_annotations(reading: Reading, moderation: msgspec.Raw, prompt: msgspec.Raw) -> None:
    if moderation is not _NULL:
        reading.note(signal_of_annotations(moderation, is_input=False))
    if prompt is not _NULL:
        reading.note(signal_of_annotations(prompt, is_input=True))


def _has_refusal(item: msgspec.Raw) -> bool:
    decoded = _or_none(_Item, item)
    return decoded is not None and any(part.type == "refusal" for part in decoded.content or ())


def _size_of(body: bytes, name: str) -> int:
    try:
        return len(memoryview(_FIELDS.decode(body).get(name, b"")))
    except UNREADABLE:
        return 0


_S = TypeVar("_S", bound=msgspec.Struct)


def _or_none(kind: type[_S], raw: bytes | msgspec.Raw) -> _S | None:
    try:
        return _loosely(kind, raw)
    except UNREADABLE:
        return None


def _loosely(kind: type[_S], raw: bytes | msgspec.Raw) -> _S:
    """Decode a struct without those of its fields that are not of their type; raises for what is no object."""
    fields = _FIELDS.decode(raw)
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in fields:
            value = fields[field.encode_name]
            try:
                values[field.name] = msgspec.json.decode(value, type=field.type)
            except UNREADABLE:
                if (rest := _rest_of(field.type, value)) is not None:
                    values[field.name] = rest
    return kind(**values)


def _rest_of(wanted: Any, raw: msgspec.Raw) -> object:
    """Give what is readable of a struct, or of a list of structs; None when it is neither."""
    for kind in (wanted, *get_args(wanted)):
        if get_origin(kind) is list:
            (inner,) = get_args(kind)
            return [found for item in _or_empty(raw) if (found := _or_none(inner, item)) is not None]
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return _or_none(kind, raw)
    return None


def _or_empty(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _LIST.decode(raw)
    except UNREADABLE:
        return []
