"""
A request body, taken apart only as far as its top-level fields.

The values stay bytes: what nobody rewrites is forwarded as it came, number spelling, escapes and
white space included. Everything is checked once, here, so that later steps cannot stumble.
"""

from __future__ import annotations

from itertools import accumulate

import msgspec

from gateway.errors import BadRequestError

Fields = dict[str, msgspec.Raw]
"""Top-level names in the client's order, values as JSON. Of a name sent twice the last value counts."""

MAX_DEPTH = 512
"""How deep objects and arrays may nest, the body itself being 1. Far above real schemas, far below
where parsers behind us run out of stack. When the caller is itself hundreds of calls deep the
parser may refuse less."""

OPEN_BRACE, OPEN_BRACKET, QUOTE = b'{["'
"""First bytes that tell what a value is; parsed values begin without white space."""

_FIELDS = msgspec.json.Decoder(Fields)
_STRING = msgspec.json.Decoder(str)
_BRACKETS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NOT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_PIECE = 256


def parse_fields(body: bytes) -> Fields:
    """
    Give the top-level fields of a JSON object.

    Numbers of any size and length pass, `1e400` too: they are somebody else's to judge.

    Raises:
        BadRequestError: With code `invalid_utf8`, `invalid_json` (also an empty body, NaN, a byte
            order mark, lone surrogates), `json_not_object` or `json_too_deep`.
    """
    try:
        body.decode()
        fields = _FIELDS.decode(body)
    except UnicodeDecodeError as error:
        problem = f"The request body is not valid UTF-8 (byte {error.start})."
        raise BadRequestError(problem, code="invalid_utf8") from None
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError:
        problem = "The request body must be a JSON object."
        raise BadRequestError(problem, code="json_not_object") from None
    except msgspec.DecodeError as error:
        problem = f"The request body is not valid JSON: {error}." if body else "The request body is empty."
        raise BadRequestError(problem, code="invalid_json") from None
    # Depth cannot exceed the number of openers, each of which has its closer, and nearly every body has few.
    if len(body) > 2 * MAX_DEPTH and body.count(b"{") + body.count(b"[") > MAX_DEPTH and is_deeper(body, MAX_DEPTH):
        raise _too_deep()
    return fields


def encode_fields(fields: Fields) -> bytes:
    """Give the body that has these fields in this order."""
    return msgspec.json.encode(fields)


def peek_string(fields: Fields, name: str) -> str | None:
    """
    Give a string field; None when it is absent or null.

    Raises:
        BadRequestError: It is something else; code `invalid_field`.
    """
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _STRING.decode(raw)
    except msgspec.ValidationError:
        if bytes(raw) == b"null":
            return None
        raise _wrong_type(name, "a string") from None


def peek_bool(fields: Fields, name: str) -> bool:
    """
    Give a boolean field; False when it is absent or null.

    Raises:
        BadRequestError: It is something else; code `invalid_field`.
    """
    raw = fields.get(name)
    if raw is None:
        return False
    value = bytes(raw)
    if value in (b"true", b"false", b"null"):
        return value == b"true"
    raise _wrong_type(name, "a boolean")


def is_deeper(body: bytes, limit: int) -> bool:
    """
    Tell whether valid JSON nests deeper than `limit`.

    Escapes are dropped pairwise (a run of backslashes starts unescaped), then everything but
    brackets and quotes, then the strings. Only a stretch that could pass the limit is walked.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = body.translate(None, _NOT_BRACKETS).split(b'"')[::2]
    steps = b"".join(outside_strings).translate(_BRACKETS)
    depth = 0
    for start in range(0, len(steps), _PIECE):
        piece = steps[start : start + _PIECE]
        openers = piece.count(b"\x01")
        if depth + openers > limit and max(accumulate(memoryview(piece).cast("b"), initial=depth)) > limit:
            return True
        depth += 2 * openers - len(piece)
    return False


def _too_deep() -> BadRequestError:
    return BadRequestError(f"The request body nests deeper than {MAX_DEPTH} levels.", code="json_too_deep")


def _wrong_type(name: str, wanted: str) -> BadRequestError:
    return BadRequestError(f"`{name}` must be {wanted}.", code="invalid_field", param=name)
