"""A real request, as identity and templates may ask it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.domain.variant import Api
from gateway.wire.body import OPEN_BRACE, QUOTE, Fields
from gateway.wire.turns import field_of, user_texts

_FIELDS = msgspec.json.Decoder(Fields)
_STRING = msgspec.json.Decoder(str)


class BodyView:
    """
    A `domain.request_view.RequestView` over headers and fields; reads only what is asked for, once.

    `headers` holds the first raw value of each lower-case name. `fields` must come from `wire.body.parse_fields`.
    """

    __slots__ = ("_api", "_fields", "_headers", "_user_texts")

    def __init__(self, api: Api, headers: Mapping[bytes, bytes], fields: Fields) -> None:
        self._api = api
        self._headers = headers
        self._fields = fields
        self._user_texts: tuple[str | None, str | None] | None = None

    def header(self, name: str) -> str | None:
        """Give the first header of this lower-case name, stripped; None when absent or empty."""
        value = self._headers.get(name.encode())
        return None if value is None else _header_text(value) or None

    def body(self, path: tuple[str, ...]) -> str | None:
        """Give the scalar at this path of the JSON body."""
        fields: Fields = self._fields
        for name in path[:-1]:
            outer = fields.get(name)
            if outer is None or memoryview(outer)[0] != OPEN_BRACE:
                return None
            fields = _FIELDS.decode(outer)
        raw = fields.get(path[-1]) if path else None
        return None if raw is None else _scalar_text(raw)

    def first_user_message(self) -> str | None:
        """Give the text of the first user turn."""
        return self._texts()[0]

    def last_user_message(self) -> str | None:
        """Give the text of the last user turn."""
        return self._texts()[1]

    def client_key(self) -> str | None:
        """Give the API key the client sent: Bearer, then `api-key`, then `x-api-key`."""
        authorization = self.header("authorization")
        if authorization is not None:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() == "bearer" and key.strip():
                return key.strip()
        return self.header("api-key") or self.header("x-api-key")

    def _texts(self) -> tuple[str | None, str | None]:
        if self._user_texts is None:
            self._user_texts = user_texts(self._api, self._fields.get(field_of(self._api)))
        return self._user_texts


def _header_text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _scalar_text(raw: msgspec.Raw) -> str | None:
    first = memoryview(raw)[0]
    if first == QUOTE:
        return _STRING.decode(raw)
    if first in b"{[n":
        return None
    return bytes(raw).decode()
