"""
Prompt and answer as far as a sample keeps them: bounded, and marked where they were cut.

The prompt is the client's own, before a variant rewrote it, and stays JSON; files and images in it are left out. The
answer is its words. An answer without words, a tool call for one, has an empty excerpt.
"""

from __future__ import annotations

import re

from gateway.domain.variant import Api
from gateway.wire.answer_text import StreamText, texts_of
from gateway.wire.body import Fields
from gateway.wire.sse import cut_of

MAX_EXCERPT_BYTES = 64 * 1024
CUT_MARK = "…[cut]"
"""Ends an excerpt that was longer than MAX_EXCERPT_BYTES; the bytes before it are the bound at most."""

MAX_EVENT_BYTES = 1024 * 1024
"""Of a stream with a longer event nothing more is read."""

_ASKED = {
    Api.CHAT: ("messages",),
    Api.COMPLETIONS: ("prompt",),
    Api.EMBEDDINGS: ("input",),
    Api.RESPONSES: ("instructions", "input"),
}
_EMBEDDED = b";base64,"
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=_-]|\\/)*")
_LOOKED_AT = 4096
_WORTH_LEAVING_OUT = 256
_WHOLE_ENDS = (b"\n\n", b"\r\n\r\n")


def prompt_excerpt(api: Api, fields: Fields) -> str:
    """Give what was asked, as JSON: the messages of a chat, the input of whatever has one; empty when there is none."""
    asked = [(name, bytes(fields[name])) for name in _ASKED[api] if name in fields]
    if not asked:
        return ""
    if len(asked) == 1:
        return _excerpt_of(asked[0][1])
    return _excerpt_of(b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), raw) for name, raw in asked))


def answer_excerpt(api: Api, body: bytes) -> str:
    """Give the words of a whole answer; those of several choices with a blank line between them."""
    return cut_text("\n\n".join(texts_of(api, body)))


def cut_text(text: str) -> str:
    """Give a text of MAX_EXCERPT_BYTES at most, and the mark where there was more."""
    raw = text[:MAX_EXCERPT_BYTES].encode("utf-8", "replace")
    if len(raw) <= MAX_EXCERPT_BYTES and len(text) <= MAX_EXCERPT_BYTES:
        return text
    return raw[:MAX_EXCERPT_BYTES].decode("utf-8", "ignore") + CUT_MARK


class StreamExcerpt:
    """Reads along with a stream until it has as much as is kept; for sampled streams: it parses every event."""

    __slots__ = ("_is_over", "_n_read", "_partial", "_text")

    def __init__(self, api: Api) -> None:
        self._text = StreamText(api)
        self._partial = bytearray()
        self._n_read = 0
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Read what came, wherever it was split."""
        if self._is_over or not data:
            return
        held = self._partial
        if not held and data.endswith(_WHOLE_ENDS):
            self._read(data)
            return
        seen = len(held)
        held += data
        cut = cut_of(held, max(0, seen - 3))
        whole = bytes(held[:cut])
        del held[:cut]
        self._is_over = len(held) > MAX_EVENT_BYTES
        if whole:
            self._read(whole)

    def text(self) -> str:
        """Give what was read; an event that was not ended counts as whole."""
        if self._partial and not self._is_over:
            self._read(bytes(self._partial))
        self._partial.clear()
        answers = self._text.answers
        return cut_text("\n\n".join(text for index in sorted(answers) if (text := answers[index].text)))

    def _read(self, whole: bytes) -> None:
        text = self._text
        text.feed(whole)
        for index in text.grown:
            # What guards search is of no use here.
            text.answers[index].forget_searched()
        text.grown.clear()
        self._n_read = sum(answer.n_chars for answer in text.answers.values())
        self._is_over = self._is_over or text.is_done or self._n_read > MAX_EXCERPT_BYTES


def _excerpt_of(raw: bytes) -> str:
    """Give JSON as text, without what is embedded in it, up to the bound."""
    pieces, room, at = list[bytes](), MAX_EXCERPT_BYTES, 0
    while (mark := raw.find(_EMBEDDED, at, at + room)) >= 0:
        start = mark + len(_EMBEDDED)
        end = _end_of_embedded(raw, start)
        left_out = b"[%d bytes]" % (end - start)
        if end - start < _WORTH_LEAVING_OUT:
            left_out = raw[start:end]
        pieces += [raw[at:start], left_out]
        room = max(room - (start - at) - len(left_out), 0)
        at = end
    pieces.append(raw[at : at + room])
    text = b"".join(pieces).decode("utf-8", "ignore")
    return text + CUT_MARK if at + room < len(raw) else text


def _end_of_embedded(raw: bytes, start: int) -> int:
    """Give where base64 ends that begins at `start`: mostly at the quote, which is found in no time."""
    quote = raw.find(b'"', start)
    found = _BASE64.match(raw, start, start + _LOOKED_AT)
    end = found.end() if found else start
    if quote < 0 or end >= quote or end < start + _LOOKED_AT - 1:
        return end
    # So long a piece is data; only words behind it, before the quote, would go with it.
    tail = _BASE64.match(raw, max(end, quote - _LOOKED_AT), quote)
    return quote if tail is not None and tail.end() >= quote - 1 else end
