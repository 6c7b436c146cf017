"""Unary answers are edited without being spelt anew, and refusals say which field they mean."""

from __future__ import annotations

import pytest

from gateway.domain.variant import Api
from gateway.wire.answer import hide_model, names_field

CHAT = b'{"id":"c1","model":"gpt-4.1","choices":[{"message":{"content":"a","model":"x"}}],"usage":{"n": 1.0}}'
RESPONSE = b'{"id":"r1","status":"completed","model":"gpt-4.1","instructions":"secret","output":[{"model":"gpt-4.1"}]}'


def test_model_is_hidden() -> None:
    """Only the top-level name changes; nested ones and number spellings stay."""
    assert hide_model(Api.CHAT, CHAT, "support", b'"mine"') == CHAT.replace(b'"gpt-4.1"', b'"support"')


def test_instructions_are_restored() -> None:
    """Responses echo the client's own instructions, or none."""
    after = hide_model(Api.RESPONSES, RESPONSE, "support", b"null")
    assert after == RESPONSE.replace(b'"model":"gpt-4.1","ins', b'"model":"support","ins').replace(b'"secret"', b"null")
    assert b'"secret"' in hide_model(Api.RESPONSES, RESPONSE, "support", None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"a": 1}'.replace(b" ", b"")])
def test_nothing_to_hide(body: bytes) -> None:
    """What has no model comes back as it is."""
    assert hide_model(Api.CHAT, body, "support", None) == body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"error":{"message":"m","param":"max_tokens","code":"unsupported_parameter"}}', "max_tokens"),
        (b'{"error":{"message":"m","param":null}}', None),
        (b'[{"error":{"code":400,"message":"Invalid JSON payload. Unknown name \\"seed\\": no field"}}]', "seed"),
        (b'[{"error":{"code":400,"param":"n"}}]', "n"),
        (b'{"object":"error","message":"m","param":"top_k"}', "top_k"),
        (b'{"detail":[{"loc":["body","text","format"],"msg":"extra"}]}', "text.format"),
        (b'{"message":{"detail":[{"loc":["body","seed"]}]}}', "seed"),
        (b'{"detail":"nope"}', None),
        (b'{"error":"text"}', None),
        (b"[]", None),
        (b"7", None),
        (b"<html>", None),
        (b'"\xff"', None),
    ],
)
def test_blamed_field(body: bytes, field: str | None) -> None:
    """The field a 400 names is found in every dialect, and rubbish names none."""
    assert names_field(body) == field
