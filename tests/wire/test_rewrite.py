"""A compiled rewrite, applied to a body."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.variant import Api, Clamp, Rewrite, SystemMode, SystemPrompt
from gateway.wire.body import parse_fields
from gateway.wire.rewrite import rewrite_body
from gateway.wire.view import BodyView

BODY = (
    b'{ "model":"support","messages":[{"role":"user", "content":"\\u0041"}],'
    b'"max_tokens":5,"metadata":{"plan":"{user}"} }'
)


def rewritten(rewrite: Rewrite, body: bytes = BODY, *, inject_usage: bool = False, user: str | None = "ana") -> bytes:
    """Give the body after a rewrite, checking that the fields were left alone."""
    fields = parse_fields(body)
    before = dict(fields)
    view = BodyView(Api.CHAT, {}, fields)
    after = rewrite_body(Api.CHAT, body, fields, rewrite, view, {"tier": "gold"}, inject_usage=inject_usage, user=user)
    assert list(fields.items()) == list(before.items())
    return after


def test_nothing_to_do() -> None:
    """An empty rewrite gives the very same body, white space included."""
    assert rewritten(Rewrite()) is BODY


def test_same_values_change_nothing() -> None:
    """Writing what stands there already is no change."""
    rewrite = Rewrite(
        model=b'"support"',
        set=((("max_tokens",), b"5"),),
        default=((("metadata", "plan"), b'"x"'),),
        unset=(("top_p",),),
    )
    assert rewritten(rewrite) is BODY


def test_model_alone() -> None:
    """Order and every other value stay byte for byte."""
    after = rewritten(Rewrite(model=b'"gpt-5.1"'))
    rest = b'"messages":[{"role":"user", "content":"\\u0041"}],"max_tokens":5,"metadata":{"plan":"{user}"}}'
    assert after == b'{"model":"gpt-5.1",' + rest


def test_documented_order() -> None:
    """Rename, unset, default, set, clamp: each sees what the one before left."""
    rewrite = Rewrite(
        rename=(("max_tokens", "max_completion_tokens"),),
        unset=(("model",), ("messages",), ("metadata",)),
        default=((("max_completion_tokens",), b"7"), (("n",), b"1")),
        set=((("n",), b"9"),),
        clamp=(Clamp(("n",), max=3),),
    )
    assert rewritten(rewrite) == b'{"max_completion_tokens":5,"n":3}'


def test_usage_is_asked_for() -> None:
    """Asking for usage adds one field at the end."""
    assert rewritten(Rewrite(), inject_usage=True).endswith(b',"stream_options":{"include_usage":true}}')


def test_template_values() -> None:
    """Templates know the user, metadata and segments; what a client sends is not expanded."""
    text = "{original}|{user}|{metadata.plan}|{metadata.none}|{segment.tier}|{segment.none}|{{}}"
    rewrite = Rewrite(system=SystemPrompt(SystemMode.TEMPLATE, text))
    body = b'{"messages":[{"role":"system","content":"hi {user}"}],"metadata":{"plan":"{user}"}}'
    assert b'"hi {user}|ana|{user}||gold||{}"' in rewritten(rewrite, body)


def test_template_without_user() -> None:
    """Without a user the field is empty."""
    rewrite = Rewrite(system=SystemPrompt(SystemMode.TEMPLATE, "<{user}>"))
    assert b'"content":"<>"' in rewritten(rewrite, user=None)


def test_replaced_prompt_is_json() -> None:
    """Quotes, newlines and other scripts in a prompt arrive as they were written."""
    rewrite = Rewrite(system=SystemPrompt(SystemMode.REPLACE, 'a "b"\n\\ é'))
    assert '{"role":"system","content":"a \\"b\\"\\n\\\\ é"}'.encode() in rewritten(rewrite)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3))
KEYS = st.sampled_from(["role", "content", "type", "text", "messages", "input", "instructions", "n", "stream_options"])
ROLES = st.sampled_from(["system", "developer", "user", "message", "text", "input_text"])
JSON = st.recursive(
    SCALARS | ROLES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@pytest.mark.parametrize("mode", list(SystemMode))
@pytest.mark.parametrize("api", list(Api))
@settings(max_examples=20)
@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_no_body_is_too_odd(api: Api, mode: SystemMode, odd: dict[str, object]) -> None:
    """Whatever JSON a client sends, a rewrite gives valid JSON and leaves the fields alone."""
    body = msgspec.json.encode(odd)
    fields = parse_fields(body)
    path = ("n", "role")
    rewrite = Rewrite(
        b'"m"',
        SystemPrompt(mode, "new {original}"),
        (("n", "type"),),
        (path,),
        ((path, b"1"),),
        (),
        (Clamp(path, max=0),),
    )
    view = BodyView(api, {}, fields)
    assert view.last_user_message() is None or view.first_user_message() is not None
    after = rewrite_body(api, body, fields, rewrite, view, {}, inject_usage=True)
    assert msgspec.json.decode(after)["model"] == "m"
    assert msgspec.json.encode(fields) == body
