"""Messages and input items are recognised, and odd ones left alone."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.variant import Api
from gateway.wire.turns import parse_turns, split_list, split_turns, text_of, user_texts


def roles(api: Api, value: bytes) -> list[str] | None:
    """Give the roles seen in a list."""
    turns = parse_turns(api, msgspec.Raw(value))
    return None if turns is None else [turn.role for turn in turns]


def test_roles_are_read() -> None:
    """Order is kept, extra members do not matter."""
    assert roles(Api.CHAT, b'[{"role":"system","content":"a"},{"x":1,"role":"user"}]') == ["system", "user"]


def test_odd_members_have_no_role() -> None:
    """One odd member does not hide the others."""
    assert roles(Api.CHAT, b'[1,null,{"role":7},{"content":"a"},{"role":"user"}]') == ["", "", "", "", "user"]


def test_only_messages_of_input_count() -> None:
    """Tool calls and reasoning items are no turns, whatever role they claim."""
    value = b'[{"role":"user"},{"type":"message","role":"user"},{"type":"reasoning","role":"user"}]'
    assert roles(Api.RESPONSES, value) == ["user", "user", ""]


@pytest.mark.parametrize("value", [b'"text"', b"null", b'{"role":"user"}', b"7"])
def test_no_list_no_turns(value: bytes) -> None:
    """What is no list has no turns, which differs from an empty list."""
    assert roles(Api.CHAT, value) is None
    assert split_list(msgspec.Raw(value)) is None
    assert split_turns(Api.CHAT, msgspec.Raw(value)) is None
    assert roles(Api.CHAT, b"[]") == []


def test_absent_is_no_list() -> None:
    """A missing field is no list either."""
    assert parse_turns(Api.CHAT, None) is None
    assert split_list(None) is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'"a"', "a"),
        (b'[{"type":"text","text":"a"},{"type":"image_url"},{"type":"input_text","text":"b"}]', "a\nb"),
        (b'[{"type":"image_url"}]', None),
        (b'[7,{"type":"text","text":3}]', None),
        (b"null", None),
        (b"{}", None),
    ],
)
def test_text_of_content(content: bytes, text: str | None) -> None:
    """Strings and text parts have text; pictures and nonsense have none."""
    assert text_of(msgspec.Raw(content)) == text


@pytest.mark.parametrize(
    ("api", "value", "texts"),
    [
        (Api.CHAT, b'[{"role":"user","content":"a"},{"role":"user","content":"b"}]', ("a", "b")),
        (Api.CHAT, b'[{"role":"user","content":[]},{"role":"user","content":"b"}]', ("b", "b")),
        (Api.CHAT, b'"hello"', (None, None)),
        (Api.RESPONSES, b'"hello"', ("hello", "hello")),
        (Api.COMPLETIONS, b'["a","b"]', ("a", "b")),
        (Api.COMPLETIONS, b"[1,2]", (None, None)),
        (Api.COMPLETIONS, b"[]", (None, None)),
        (Api.EMBEDDINGS, b'"a"', ("a", "a")),
    ],
)
def test_user_texts(api: Api, value: bytes, texts: tuple[str | None, str | None]) -> None:
    """First and last user text are found in every kind of call."""
    assert user_texts(api, msgspec.Raw(value)) == texts
