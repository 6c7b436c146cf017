"""A body is checked once and kept as bytes."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequestError
from gateway.wire.body import MAX_DEPTH, encode_fields, parse_fields, peek_bool, peek_string


def nested(depth: int) -> bytes:
    """Give a body that nests `depth` deep, itself counted."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_values_stay_bytes() -> None:
    """Spellings that no parser would give back survive."""
    body = b'{"a":1e400,"b":[1.0,  2],"c":"\\u00e9\\/","d":0.10}'
    assert encode_fields(parse_fields(body)) == body


def test_last_duplicate_wins() -> None:
    """Of a name sent twice the last value counts, as for every JSON parser behind us."""
    assert encode_fields(parse_fields(b'{"a":1,"b":2,"a":3}')) == b'{"a":3,"b":2}'


@pytest.mark.parametrize("value", [b"1" * 5_000, b'"' + b"x" * 1_000_000 + b'"', b"-" + b"9" * 400, b'""'])
def test_large_values_pass(value: bytes) -> None:
    """Size alone is no reason to refuse a value."""
    assert bytes(parse_fields(b'{"a":' + value + b"}")["a"]) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"  ", "invalid_json"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":1} x', "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"a":"\\ud800"}', "invalid_json"),
        (b'{"a":"\x01"}', "invalid_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        (b"[1]", "json_not_object"),
        (b"null", "json_not_object"),
        (b'"x"', "json_not_object"),
        (nested(MAX_DEPTH + 1), "json_too_deep"),
        (nested(100_000), "json_too_deep"),
    ],
)
def test_bad_bodies_are_refused(body: bytes, code: str) -> None:
    """Every kind of bad body has its own code."""
    with pytest.raises(BadRequestError) as caught:
        parse_fields(body)
    assert caught.value.code == code
    assert caught.value.status == 400


def test_depth_limit_is_exact() -> None:
    """The documented depth passes; one more was refused above."""
    assert parse_fields(nested(MAX_DEPTH))


@pytest.mark.parametrize(
    "value",
    [
        b"[" + b",".join([b'{"b":[]}'] * 2_000) + b"]",
        b'"' + b"[{" * 2_000 + b'"',
        b'["\\"' + b"[" * 2_000 + b'","\\\\","' + b"{" * 2_000 + b'"]',
    ],
)
def test_brackets_alone_are_not_depth(value: bytes) -> None:
    """Many brackets side by side or inside strings are not deep, whatever is escaped."""
    assert parse_fields(b'{"a":' + value + b"}")


@pytest.mark.parametrize("trap", [b'"\\\\"', b'"\\\\\\""', b'"]]]]"', b'"\\u005b"'])
def test_strings_do_not_hide_depth(trap: bytes) -> None:
    """No string makes deep nesting look shallow."""
    body = b'{"a":[' + trap + b"," + nested(MAX_DEPTH)[5:-1] + b"]}"
    with pytest.raises(BadRequestError, match="deeper than 512"):
        parse_fields(body)


def test_string_is_peeked() -> None:
    """Escapes are read; absent and null are None."""
    fields = parse_fields(b'{"model":"\\u0061\xc3\xa9","user":null}')
    assert peek_string(fields, "model") == "aé"
    assert peek_string(fields, "user") is None
    assert peek_string(fields, "none") is None


def test_bool_is_peeked() -> None:
    """Absent and null are False."""
    fields = parse_fields(b'{"stream":true,"store":null,"x":false}')
    assert [peek_bool(fields, name) for name in ("stream", "store", "x", "none")] == [True, False, False, False]


@pytest.mark.parametrize("body", [b'{"model":1,"stream":1}', b'{"model":["a"],"stream":"true"}'])
def test_wrong_types_name_field(body: bytes) -> None:
    """A refusal says which field is wrong, as OpenAI's do."""
    fields = parse_fields(body)
    with pytest.raises(BadRequestError) as model:
        peek_string(fields, "model")
    with pytest.raises(BadRequestError) as stream:
        peek_bool(fields, "stream")
    assert (model.value.code, model.value.param) == ("invalid_field", "model")
    assert (stream.value.code, stream.value.param) == ("invalid_field", "stream")
