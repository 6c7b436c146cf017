"""A request answers what identity asks."""

from __future__ import annotations

import pytest

from gateway.domain.request_view import RequestView
from gateway.domain.variant import Api
from gateway.wire.body import parse_fields
from gateway.wire.view import BodyView

BODY = b'{"user":"u1","n":1.50,"b":true,"z":null,"o":{},"metadata":{"user_id":"m1","deep":{"x":"y"}},"e":""}'


def view(body: bytes = b"{}", api: Api = Api.CHAT, headers: dict[bytes, bytes] | None = None) -> RequestView:
    """Give a view of a body and headers."""
    return BodyView(api, headers or {}, parse_fields(body))


def test_header_is_stripped() -> None:
    """White space around a value is not part of it."""
    assert view(headers={b"x-user-id": b" a "}).header("x-user-id") == "a"


@pytest.mark.parametrize("value", [b"", b"  "])
def test_empty_header_is_none(value: bytes) -> None:
    """An empty header says nothing."""
    assert view(headers={b"x-user-id": value}).header("x-user-id") is None
    assert view().header("x-user-id") is None


@pytest.mark.parametrize("value", ["jürgen".encode(), "jürgen".encode("latin-1")])
def test_header_encodings(value: bytes) -> None:
    """UTF-8 is read, and what is not UTF-8 is Latin-1."""
    assert view(headers={b"x-user-id": value}).header("x-user-id") == "jürgen"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("user", "u1"),
        ("n", "1.50"),
        ("b", "true"),
        ("z", None),
        ("o", None),
        ("none", None),
        ("metadata", None),
        ("metadata.user_id", "m1"),
        ("metadata.deep.x", "y"),
        ("metadata.none", None),
        ("user.id", None),
        ("none.id", None),
        ("e", ""),
    ],
)
def test_body_paths(path: str, answer: str | None) -> None:
    """Scalars come as JSON writes them, everything else is None."""
    assert view(BODY).body(tuple(path.split("."))) == answer


def test_user_messages() -> None:
    """The first and the last user turn are told apart, and assistants' are not among them."""
    messages = b'[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"user","content":"b"}'
    seen = view(b'{"messages":' + messages + b',{"role":"assistant","content":"c"}]}')
    assert (seen.first_user_message(), seen.last_user_message()) == ("a", "b")


def test_no_user_message() -> None:
    """Bodies without a user turn have none."""
    assert view().first_user_message() is None
    assert view(b'{"messages":7}').last_user_message() is None


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({b"authorization": b"Bearer sk-1"}, "sk-1"),
        ({b"authorization": b"bearer  sk-1 ", b"api-key": b"k2"}, "sk-1"),
        ({b"authorization": b"Basic abc", b"api-key": b"k2"}, "k2"),
        ({b"x-api-key": b"k3"}, "k3"),
        ({b"authorization": b"Bearer "}, None),
        ({}, None),
    ],
)
def test_client_key(headers: dict[bytes, bytes], key: str | None) -> None:
    """Keys are found where the official clients of OpenAI, Azure and Anthropic put them."""
    assert view(headers=headers).client_key() == key
