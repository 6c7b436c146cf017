"""A copy stores nothing, acts on nobody's behalf, and costs no more than it must."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.variant import Api
from gateway.wire.body import encode_fields, parse_fields
from gateway.wire.mirror import Skip, copied_headers, copy_of, without_effects

CHAT, RESPONSES = Api.CHAT, Api.RESPONSES
FUNCTION = {"type": "function", "function": {"name": "f"}}


def copied(api: Api, **fields: Any) -> Any:
    """Give the copy's fields as values, or the reason why there is none."""
    found = copy_of(api, parse_fields(msgspec.json.encode(fields)))
    if isinstance(found, Skip):
        return found.reason
    return {name: msgspec.json.decode(value) for name, value in found.items()}


@pytest.mark.parametrize("stored", [True, None, False, "yes"])
def test_chat_is_not_stored(stored: object) -> None:
    """Whatever the client says of storing a chat, its copy is not stored."""
    assert copied(CHAT, model="m", store=stored) == {"model": "m", "store": False}


def test_chat_without_store_stays_as_it_is() -> None:
    """What is not stored by itself gets no field that its provider might not know."""
    assert copied(CHAT, model="m", messages=[]) == {"model": "m", "messages": []}


def test_responses_are_never_stored() -> None:
    """Responses are stored where nobody says otherwise, so a copy always says it."""
    assert copied(RESPONSES, model="m", input="hi") == {"model": "m", "input": "hi", "store": False}


@pytest.mark.parametrize("api", [CHAT, RESPONSES, Api.COMPLETIONS])
@pytest.mark.parametrize(("value", "expected"), [(True, "background"), (1, "background")])
def test_background_is_skipped(api: Api, value: object, expected: str) -> None:
    """What runs on without its caller is not started twice."""
    assert copied(api, model="m", background=value) == expected


def test_no_background_is_copied() -> None:
    """A background that is off is none."""
    assert copied(RESPONSES, background=False, input="hi")["background"] is False


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"role": "user", "content": "x"}, {"id": "msg_1"}]},
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]},
    ],
)
def test_stateful_responses_are_skipped(fields: dict[str, Any]) -> None:
    """What goes on from something that only the provider has cannot be asked elsewhere."""
    assert copied(RESPONSES, **fields) == "stateful"


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": None, "conversation": None, "prompt": None},
        {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA"}]},
        {"input": [{"type": "message", "id": "msg_1", "role": "assistant", "content": "x"}]},
        {"input": [{"role": "user", "id": "u", "content": "x"}, "odd", 7, None]},
        {"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]},
        {"tools": []},
        {"tools": None},
    ],
)
def test_harmless_responses_are_copied(fields: dict[str, Any]) -> None:
    """What says all that it needs is copied, nulls and odd items among it."""
    assert copied(RESPONSES, **fields) == {**fields, "store": False}


@pytest.mark.parametrize(
    "kind", ["web_search", "mcp", "code_interpreter", "file_search", "shell", "computer_use_preview"]
)
@pytest.mark.parametrize("api", [CHAT, RESPONSES])
def test_builtin_tools_are_skipped(api: Api, kind: str) -> None:
    """A tool that the provider runs itself is not run twice, wherever it stands in the list."""
    assert copied(api, tools=[FUNCTION, {"type": kind}]) == "builtin_tool"


@pytest.mark.parametrize("tools", ["web_search", {"type": "function"}, [7], [None], [{"type": 1}], [{"name": "f"}]])
@pytest.mark.parametrize("api", [CHAT, RESPONSES])
def test_odd_tools_are_skipped(api: Api, tools: object) -> None:
    """A tool that nobody understands may do anything."""
    assert copied(api, tools=tools) == "builtin_tool"


def test_chat_tool_without_a_type_is_a_function() -> None:
    """Local servers take functions without a type; they act on nothing."""
    assert isinstance(copied(CHAT, tools=[{"function": {"name": "f"}}]), dict)


@pytest.mark.parametrize("name", ["web_search_options", "search_parameters", "plugins", "mcp_servers"])
def test_searching_chats_are_skipped(name: str) -> None:
    """A chat that has its provider search is not copied; an empty object asks for it too."""
    assert copied(CHAT, **{name: {}}) == "builtin_tool" and isinstance(copied(CHAT, **{name: None}), dict)


@pytest.mark.parametrize("fields", [{"audio": {"voice": "a"}}, {"modalities": ["text", "audio"]}, {"modalities": "x"}])
def test_audio_is_unsupported(fields: dict[str, Any]) -> None:
    """Answers that are no text cannot be compared."""
    assert copied(CHAT, **fields) == "unsupported"


def test_text_modality_is_copied() -> None:
    """Text asked for by name is text."""
    assert copied(CHAT, modalities=["text"], audio=None) == {"modalities": ["text"], "audio": None}


def test_embeddings_are_unsupported() -> None:
    """Vectors are not compared."""
    assert copied(Api.EMBEDDINGS, model="m", input="x") == "unsupported"


@pytest.mark.parametrize(("tier", "expected"), [("priority", "default"), ("flex", "flex"), ("auto", "auto")])
def test_dearer_tiers_are_not_bought(tier: str, expected: str) -> None:
    """What costs more than the ordinary price is asked for at the ordinary price."""
    assert copied(CHAT, service_tier=tier) == {"service_tier": expected}


def test_who_asks_stays() -> None:
    """Metadata, user and safety identifier go with the copy; addresses to call back do not."""
    stays = {"metadata": {"a": "b"}, "user": "u", "safety_identifier": "s"}
    assert copied(CHAT, **stays, webhook_url="https://x", callback_url="https://y") == stays


def test_variants_own_tier_stays() -> None:
    """What a rewrite wrote is only kept from storing and acting: its price is the variant's own."""
    found = without_effects(CHAT, parse_fields(b'{"service_tier":"priority","store":true}'))
    assert not isinstance(found, Skip) and encode_fields(found) == b'{"service_tier":"priority","store":false}'


def test_clients_fields_are_left_as_they_are() -> None:
    """The fields are shared by all shadows of a request."""
    fields = parse_fields(b'{"store":true,"service_tier":"priority"}')
    before = dict(fields)
    copy_of(CHAT, fields)
    assert fields == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "role"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["store", "tools", "input", "background", "conversation", "modalities", "service_tier", "prompt"]
)


@given(st.sampled_from(list(Api)), st.dictionaries(NAMES, JSON, max_size=5))
def test_odd_json_never_breaks_it(api: Api, fields: dict[str, Any]) -> None:
    """Whatever a client sends, its copy is skipped for a known reason or is not stored."""
    found = copied(api, **fields)
    if isinstance(found, str):
        assert found in {"background", "stateful", "builtin_tool", "unsupported"}
    else:
        assert not found.get("store", False)


@pytest.mark.parametrize(
    "name", [b"idempotency-key", b"traceparent", b"authorization", b"x-webhook-url", b"x-idempotency-token", b"cookie"]
)
def test_these_headers_stay_behind(name: bytes) -> None:
    """Keys, traces and what makes requests unique do not travel, even where the provider's file names them."""
    assert not copied_headers(frozenset({name.decode()} - {"cookie"}))(name)


def test_ordinary_headers_travel() -> None:
    """What describes the request goes with it, and what the provider's file names."""
    travels = copied_headers(frozenset({"x-team"}))
    assert travels(b"content-type") and travels(b"x-team") and not travels(b"x-other")
