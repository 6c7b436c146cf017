"""The system prompt is changed wherever clients put it."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.variant import Api, SystemMode, SystemPrompt
from gateway.wire.body import encode_fields, parse_fields
from gateway.wire.system import FirstTurn, original_system, rewrite_system

USER = b'{ "role":"user", "content":"\\u0041" }'
"""Spelt so that any re-encoding shows."""


def rewritten(api: Api, mode: str, body: bytes) -> bytes:
    """Give the body after a prompt of this mode, whose text is `new`."""
    fields = parse_fields(body)
    rewrite_system(api, fields, SystemPrompt(SystemMode(mode), "new"), lambda original: f"<{original}>")
    return encode_fields(fields)


def chat(mode: str, messages: bytes) -> bytes:
    """Give the messages of a chat after a rewrite; U stands for the user's turn."""
    body = b'{"messages":[' + messages.replace(b"U", USER) + b"]}"
    return rewritten(Api.CHAT, mode, body).removeprefix(b'{"messages":[').removesuffix(b"]}").replace(USER, b"U")


SYSTEM = b'{"role":"system","content":"old"}'
DEVELOPER = b'{"role":"developer","content":"two"}'
PARTS = b'{"role":"system","content":[{"type":"text","text":"p","prompt_cache_breakpoint":true}]}'


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("replace", SYSTEM + b",U", b'{"role":"system","content":"new"},U'),
        ("replace", b"U", b'{"role":"system","content":"new"},U'),
        ("replace", b"U," + DEVELOPER + b",U," + SYSTEM, b'U,{"role":"developer","content":"new"},U'),
        ("replace", b'{"role":"system","name":"x"},U', b'{"role":"system","content":"new"},U'),
        ("prepend", SYSTEM + b",U", b'{"role":"system","content":"new\\n\\nold"},U'),
        ("prepend", SYSTEM + b"," + DEVELOPER, b'{"role":"system","content":"new\\n\\nold"},' + DEVELOPER),
        ("prepend", b"U", b'{"role":"system","content":"new"},U'),
        ("append", SYSTEM + b"," + DEVELOPER, SYSTEM + b',{"role":"developer","content":"two\\n\\nnew"}'),
        ("append", b"U", b'{"role":"system","content":"new"},U'),
        ("append", b'{"role":"system","content":null},U', b'{"role":"system","content":"new"},U'),
        ("append", b'{"role":"system","content":""},U', b'{"role":"system","content":"new"},U'),
        ("template", SYSTEM + b",U," + DEVELOPER, b'{"role":"system","content":"<old\\n\\ntwo>"},U'),
        ("template", PARTS, b'{"role":"system","content":"<p>"}'),
        ("template", b"U", b'{"role":"system","content":"<>"},U'),
    ],
)
def test_chat(mode: str, before: bytes, after: bytes) -> None:
    """Every mode on one, several and no system messages, with the user's turn byte for byte."""
    assert chat(mode, before) == after


def test_parts_get_a_part() -> None:
    """Text parts keep their extras, and the new text is a part of its own."""
    part = b'{"type":"text","text":"p","prompt_cache_breakpoint":true}'
    new = b'{"type":"text","text":"new"}'
    assert chat("prepend", PARTS) == b'{"role":"system","content":[' + new + b"," + part + b"]}"
    assert chat("append", PARTS) == b'{"role":"system","content":[' + part + b"," + new + b"]}"


def test_escapes_survive_joining() -> None:
    """The client's own spelling of its prompt is not touched by adding to it."""
    before = b'{"role":"system","content":"\\u00e9\\/"}'
    assert chat("append", before) == b'{"role":"system","content":"\\u00e9\\/\\n\\nnew"}'


@pytest.mark.parametrize("mode", ["prepend", "append"])
@pytest.mark.parametrize("content", [b"7", b'{"a": 1}', b"true"])
def test_odd_content_is_left(mode: str, content: bytes) -> None:
    """Content that is neither text nor parts stays, for the provider to refuse."""
    messages = b'{"role":"system", "content":' + content + b"}"
    assert chat(mode, messages) == messages


@pytest.mark.parametrize("mode", list(SystemMode))
@pytest.mark.parametrize("messages", [b'"hi"', b"null", b"7", b'{ "role":"system" }'])
def test_no_list_is_left(mode: str, messages: bytes) -> None:
    """Messages that are no list stay byte for byte."""
    body = b'{"messages":' + messages + b"}"
    assert rewritten(Api.CHAT, mode, body) == body
    assert rewritten(Api.CHAT, mode, b"{}") == b"{}"


@pytest.mark.parametrize("mode", list(SystemMode))
def test_odd_members_survive(mode: str) -> None:
    """Members that are no messages stay where they are, byte for byte."""
    assert chat(mode, b'7,null,{"role": 3},U').endswith(b',7,null,{"role": 3},U')


@pytest.mark.parametrize("api", [Api.COMPLETIONS, Api.EMBEDDINGS])
def test_others_have_none(api: Api) -> None:
    """Completions and embeddings have no system prompt to change."""
    body = b'{"prompt":"a","messages":[' + SYSTEM + b"]}"
    assert rewritten(api, "replace", body) == body


ITEM = b'{"type":"message","role":"developer","content":[{"type":"input_text","text":"it"}]}'
EASY = b'{"role":"system","content":"easy"}'
CALL = b'{"type":"function_call_output", "output":"x"}'


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("replace", b'"instructions":"i","input":"hi"', b'"instructions":"new","input":"hi"'),
        ("replace", b'"input":"hi"', b'"input":"hi","instructions":"new"'),
        ("replace", b'"instructions":null,"input":[]', b'"instructions":"new","input":[]'),
        ("replace", b'"input":[I,C,E]', b'"input":[{"type":"message","role":"developer","content":"new"},C]'),
        ("replace", b'"input":[C,E]', b'"input":[C,{"role":"system","content":"new"}]'),
        ("replace", b'"instructions":"i","input":[I,C,E]', b'"instructions":"new","input":[C]'),
        ("prepend", b'"instructions":"i","input":[E]', b'"instructions":"new\\n\\ni","input":[E]'),
        ("prepend", b'"input":[E,I]', b'"input":[{"role":"system","content":"new\\n\\neasy"},I]'),
        ("prepend", b'"input":"hi"', b'"input":"hi","instructions":"new"'),
        ("append", b'"instructions":"i","input":[E,C]', b'"instructions":"i","input":[F,C]'),
        ("append", b'"instructions":"i","input":"hi"', b'"instructions":"i\\n\\nnew","input":"hi"'),
        ("append", b'"prompt":{"id": "p"}', b'"prompt":{"id": "p"},"instructions":"new"'),
        ("template", b'"instructions":"i","input":[I,C]', b'"instructions":"<i\\n\\nit>","input":[C]'),
    ],
)
def test_responses(mode: str, before: bytes, after: bytes) -> None:
    """Every mode on instructions, items, both and neither."""
    names = ((b"C", CALL), (b"E", EASY), (b"I", ITEM), (b"F", b'{"role":"system","content":"easy\\n\\nnew"}'))
    for name, value in names:
        before = before.replace(b"[" + name, b"[" + value).replace(b"," + name, b"," + value)
        after = after.replace(b"[" + name, b"[" + value).replace(b"," + name, b"," + value)
    assert rewritten(Api.RESPONSES, mode, b"{" + before + b"}") == b"{" + after + b"}"


def test_item_parts_are_input_text() -> None:
    """A part added to an input item has the type that responses take."""
    after = rewritten(Api.RESPONSES, "append", b'{"input":[' + ITEM + b"]}")
    assert b'{"type":"input_text","text":"it"},{"type":"input_text","text":"new"}' in after


def test_original_system() -> None:
    """All system texts count, instructions first, empty ones not."""
    fields = parse_fields(b'{"input":[' + ITEM + b',{"role":"system","content":""}],"instructions":"i"}')
    assert original_system(Api.RESPONSES, fields) == "i\n\nit"


FIRST = b'[{"role":"system","content":"old"},{"role":"user","content":"hi"}]'


@pytest.mark.parametrize(
    "messages",
    [
        FIRST,
        FIRST.replace(b":", b": ").replace(b",", b", "),
        FIRST.replace(b"system", b"developer"),
        FIRST.replace(b"old", b'o\\"},{ld'),
        FIRST.replace(b"old", b"old\\\\"),
        FIRST.replace(b'"old"', b'"old","name":"n"'),
        FIRST.replace(b'"old"', b"null"),
        b'[{"role":"system","content":[{"type":"text","text":"a"}],"name":"n"}]',
    ],
)
def test_plain_first_turn_is_cut_out(messages: bytes) -> None:
    """Where the bytes show the one system turn in front, cutting it out gives what parsing gives."""
    quick, slow = {"messages": msgspec.Raw(messages)}, {"messages": msgspec.Raw(messages)}
    assert FirstTurn('n"ew').replace(quick)
    rewrite_system(Api.CHAT, slow, SystemPrompt(SystemMode.REPLACE, 'n"ew'), lambda original: original)
    assert msgspec.json.decode(quick["messages"]) == msgspec.json.decode(slow["messages"])
    assert bytes(quick["messages"]).endswith(messages[-20:] if b"user" in messages else b"]")


@pytest.mark.parametrize(
    "messages",
    [
        b'[{"role":"user","content":"hi"},{"role":"system","content":"late"}]',
        b'[{"role":"system","content":"a"},{"role":"developer","content":"b"}]',
        b'[{"role":"system","content":"a"},{"role":"s\\u0079stem","content":"b"}]',
        b'[{"role":"system","name":"system","content":"a"}]',
        b'[{"content":"a","role":"system"}]',
        b'{"role":"system"}',
        b"7",
    ],
)
def test_doubtful_turns_are_parsed(messages: bytes) -> None:
    """Where another system turn may hide, nothing is cut by its looks."""
    fields = {"messages": msgspec.Raw(messages)}
    assert not FirstTurn("new").replace(fields)
    assert bytes(fields["messages"]) == messages
