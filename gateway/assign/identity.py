"""
Who is behind a request: the user, the unit key that is hashed, and the segments.

A table's Identity is compiled once, and the compiled one is asked for every request. What comes from
a message is only ever a hash of it: a unit key is written into records, a prompt must not be.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from unicodedata import normalize

import re2  # type: ignore[import-untyped]  # RE2: linear in the text, whatever the pattern
from xxhash import xxh3_64_hexdigest

from gateway.domain.identity import Identity, Segment, Source, SourceKind, WithoutUser
from gateway.domain.request_view import RequestView

MAX_PATTERN_TEXT_BYTES = 64 * 1024
"""A pattern sees this much of a message: at RE2's worst of some 100 MB/s that is below a millisecond."""

Reader = Callable[[RequestView], str | None]
"""Reads one source; None where the request has no such thing."""


class CompiledIdentity:
    """
    An Identity with its patterns compiled; build it once per table.

    Attributes:
        identity: What it was compiled from.
        internal_users: Its internal users, in the form `user` gives.
    """

    __slots__ = ("_conversation", "_segments", "_user", "identity", "internal_users")

    def __init__(self, identity: Identity) -> None:
        """Raise ValueError when a segment's pattern is not RE2."""
        self.identity = identity
        self.internal_users = frozenset(_nfc(user.strip()) for user in identity.internal_users)
        self._user = tuple(_reader_of(source) for source in identity.user)
        self._conversation = tuple(_reader_of(source) for source in identity.conversation)
        self._segments = tuple((segment.name, _segment_reader_of(segment)) for segment in identity.segments)

    def __repr__(self) -> str:
        """Give the identity it was compiled from."""
        return f"<CompiledIdentity {self.identity!r}>"

    def user(self, view: RequestView) -> str | None:
        """Give the user id, stripped and in NFC, from the first source that has one."""
        return _first(self._user, view)

    def conversation(self, view: RequestView) -> str | None:
        """Give the conversation's key from the first source that has one."""
        return _first(self._conversation, view)

    def stand_in(self, view: RequestView) -> str | None:
        """Give the unit key of a request without a user: `c:…`, `k:…` or None, as `without_user` says."""
        without_user = self.identity.without_user
        if without_user is WithoutUser.CONVERSATION:
            conversation = _first(self._conversation, view)
            return None if conversation is None else f"c:{conversation}"
        if without_user is WithoutUser.API_KEY and (key := view.client_key()):
            return "k:" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return None

    def segments(self, view: RequestView) -> dict[str, str]:
        """Give each segment's value by name; a segment without a pattern is left out where its source is absent."""
        values: dict[str, str] = {}
        for name, read in self._segments:
            value = read(view)
            if value is not None:
                values[name] = value
        return values


def _first(readers: tuple[Reader, ...], view: RequestView) -> str | None:
    for read in readers:
        value = read(view)
        if value is not None:
            return value
    return None


def _reader_of(source: Source) -> Reader:
    """Give a reader whose values are stripped, in NFC and never empty; messages come as `m:` and a hash."""
    read = _raw_reader_of(source)
    is_message = source.kind in (SourceKind.FIRST_USER_MESSAGE, SourceKind.LAST_USER_MESSAGE)

    def read_value(view: RequestView) -> str | None:
        raw = read(view)
        if raw is None or not (value := raw.strip()):
            return None
        if not value.isascii():
            value = normalize("NFC", value)
        return _message_hash_of(value) if is_message else value

    return read_value


def _raw_reader_of(source: Source) -> Reader:
    if source.kind is SourceKind.HEADER:
        name = source.name
        return lambda view: view.header(name)
    if source.kind is SourceKind.BODY:
        path = source.path
        return lambda view: view.body(path)
    if source.kind is SourceKind.FIRST_USER_MESSAGE:
        return lambda view: view.first_user_message()
    return lambda view: view.last_user_message()


def _segment_reader_of(segment: Segment) -> Reader:
    if segment.pattern is None:
        return _reader_of(segment.source)
    read = _raw_reader_of(segment.source)
    search = _compile_pattern(segment.pattern).search

    def read_match(view: RequestView) -> str | None:
        text = read(view)
        # Bytes, because re2 refuses a string with a lone surrogate in it.
        capped = (text or "")[:MAX_PATTERN_TEXT_BYTES].encode("utf-8", "replace")[:MAX_PATTERN_TEXT_BYTES]
        return "true" if text is not None and search(capped) else "false"

    return read_match


def _compile_pattern(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        msg = f"{pattern!r} is not an RE2 pattern: {error}"
        raise ValueError(msg) from error


def _nfc(text: str) -> str:
    return text if text.isascii() else normalize("NFC", text)


def _message_hash_of(text: str) -> str:
    return "m:" + xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))
