"""OpenFeature's remote protocol, as its clients read it."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.flag import Evaluation, FlagErrorCode, FlagProblem
from gateway.wire.ofrep import (
    encode_flag,
    parse_context,
    render_bulk,
    render_bulk_problem,
    render_failure,
    render_flag,
)

TOLD = Evaluation("support.rag", b'{"top_k":5.0}', "current", "SPLIT", {"route": "support"})


def test_context_gives_attributes() -> None:
    """Texts, numbers and booleans are asked for by name; what is absent or no scalar is None."""
    parsed = parse_context(b'{"context":{"targetingKey":"ana","n":1.50,"b":true,"o":{},"z":null}}')
    assert not isinstance(parsed, FlagProblem)
    assert [parsed.body((name,)) for name in ("targetingKey", "n", "b", "o", "z", "x")] == [
        "ana",
        "1.50",
        "true",
        None,
        None,
        None,
    ]


def test_context_may_be_absent() -> None:
    """A request without a context asks for nobody."""
    for body in (b"{}", b'{"context":{}}', b'{"context":{"targetingKey":null}}'):
        parsed = parse_context(body)
        assert not isinstance(parsed, FlagProblem) and parsed.body(("targetingKey",)) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", FlagErrorCode.PARSE_ERROR),
        (b"{", FlagErrorCode.PARSE_ERROR),
        (b"[]", FlagErrorCode.PARSE_ERROR),
        (b'{"context":"\xff"}', FlagErrorCode.PARSE_ERROR),
        (b"[" * 100_000, FlagErrorCode.PARSE_ERROR),
        (b'{"context":3}', FlagErrorCode.INVALID_CONTEXT),
        (b'{"context":null}', FlagErrorCode.INVALID_CONTEXT),
        (b'{"context":{"targetingKey":7}}', FlagErrorCode.INVALID_CONTEXT),
    ],
)
def test_wrong_context_is_a_problem(body: bytes, code: FlagErrorCode) -> None:
    """What is no request, or no context, is said in OpenFeature's words."""
    problem = parse_context(body)
    assert isinstance(problem, FlagProblem) and problem.code is code and problem.details


def test_flag_is_written() -> None:
    """A value is written as the file's JSON, a fraction staying one."""
    answer = render_flag(TOLD, "support.rag")
    assert answer.status == 200 and b'"value":{"top_k":5.0}' in answer.body
    assert msgspec.json.decode(answer.body) == {
        "key": "support.rag",
        "reason": "SPLIT",
        "variant": "current",
        "metadata": {"route": "support"},
        "value": {"top_k": 5.0},
    }


def test_problem_is_written() -> None:
    """An unknown flag is 404, anything else 400; both name the key."""
    answers = [render_flag(FlagProblem(code, "why"), "k") for code in FlagErrorCode]
    assert [answer.status for answer in answers] == [404 if c == "FLAG_NOT_FOUND" else 400 for c in FlagErrorCode]
    assert msgspec.json.decode(answers[0].body) == {"key": "k", "errorCode": "PARSE_ERROR", "errorDetails": "why"}
    assert msgspec.json.decode(render_bulk_problem(FlagProblem(FlagErrorCode.GENERAL, "why")).body) == {
        "errorCode": "GENERAL",
        "errorDetails": "why",
    }
    assert render_failure(503, "later").status == 503


def test_bulk_is_told_once() -> None:
    """Whoever has the answer gets 304 and nothing else; another answer has another tag."""
    first = render_bulk([encode_flag(TOLD, "support.rag")], None)
    assert [flag["key"] for flag in msgspec.json.decode(first.body)["flags"]] == ["support.rag"]
    for header in (first.etag, f"W/{first.etag}", f'"x", {first.etag}', "*"):
        assert render_bulk([encode_flag(TOLD, "support.rag")], header) == (304, b"", first.etag)
    assert render_bulk([], first.etag).status == 200
