"""Guards at work on whole texts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.domain.outcome import Safety
from gateway.wire.guard import MAX_JSON_BYTES, MAX_JSON_DEPTH, GuardSet, blocked, compile_pattern, compile_schema

FLAG, BLOCK = GuardAction
TICKET = b'{"type":"object","required":["title"],"properties":{"title":{"type":"string"}}}'
ANYTHING = b'{"anyOf":[{"items":{"$ref":"#"}},{"additionalProperties":{"$ref":"#"}}]}'


def pattern(text: str, action: GuardAction = FLAG) -> Guard:
    """Give a pattern guard."""
    return Guard(f"pattern {text}", GuardKind.PATTERN, action, pattern=text)


def schema(text: bytes = TICKET, action: GuardAction = FLAG) -> Guard:
    """Give a format guard."""
    return Guard("format", GuardKind.JSON_SCHEMA, action, schema=text)


def length(least: int = 0, most: int | None = None, action: GuardAction = FLAG) -> Guard:
    """Give a length guard."""
    return Guard("length", GuardKind.LENGTH, action, min_chars=least, max_chars=most)


@pytest.mark.parametrize(
    ("guard", "fine", "bad"),
    [
        (pattern(r"(?i)\bsecret\b"), "secretary", "a Secret!"),
        (pattern("^é+$"), "éa", "éé"),
        (schema(), '{"title": "x", "more": [1e3]}', '{"title": 3}'),
        (schema(), ' {"title": ""}\n', '```json\n{"title": "x"}\n```'),
        (schema(), '{"title": "x"}', ""),
        (schema(), '{"title": "x"}', '{"title": "x"'),
        (length(2), "éé", "é"),
        (length(0, 3), "€€€", "€€€€"),
    ],
)
def test_check(guard: Guard, fine: str, bad: str) -> None:
    """A guard objects to what it is there for, and to nothing else."""
    guards = GuardSet([guard])
    assert guards.check(fine) == ()
    assert [finding.name for finding in guards.check(bad)] == [guard.name]


@pytest.mark.parametrize(
    ("guards", "texts", "safety", "category", "is_valid"),
    [
        ([pattern("x")], ["y"], Safety.NONE, None, None),
        ([pattern("x")], ["y", "x"], Safety.FLAGGED, "pattern x", None),
        ([schema()], ["x"], Safety.NONE, None, False),
        ([schema()], ['{"title":""}'], Safety.NONE, None, True),
        ([schema()], [], Safety.NONE, None, None),
        ([schema(), pattern("x")], ["x"], Safety.FLAGGED, "pattern x", False),
        ([pattern("x"), length(5, None, BLOCK)], ["x"], Safety.OUTPUT_BLOCKED, "length", None),
        ([schema(action=BLOCK)], ["x"], Safety.OUTPUT_BLOCKED, "format", False),
    ],
)
def test_report(
    guards: list[Guard], texts: list[str], safety: Safety, category: str | None, is_valid: bool | None
) -> None:
    """Flags are safety, formats are format, and a block is a block."""
    report = GuardSet(guards).judge(texts)
    assert (report.safety, report.safety_category, report.is_valid_format) == (safety, category, is_valid)
    assert (report.blocked_by is not None) == (safety is Safety.OUTPUT_BLOCKED)


def test_half_an_answer() -> None:
    """Of an answer that broke off only what nothing could mend is held against it."""
    guards = GuardSet([schema(), length(5, 9), pattern("x")])
    assert guards.check("a", is_whole=False) == ()
    assert [finding.name for finding in guards.check("x" * 10, is_whole=False)] == ["length", "pattern x"]


@pytest.mark.parametrize("text", ["(?=a)", r"(a)\1", "(", "\udc00", "((a{99}){99}){99}"])
def test_pattern_is_linear_or_refused(text: str) -> None:
    """What needs backtracking, or all memory, does not compile."""
    with pytest.raises(ValueError, match=r"\w"):
        compile_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        {"type": "nope"},
        {"pattern": "(?=a)"},
        {"pattern": "a{999}{999}{999}"},
        {"$ref": "http://127.0.0.1:9/x"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        [],
        "x",
    ],
)
def test_schema_is_sound_or_refused(text: object) -> None:
    """A schema that is none, backtracks or wants something fetched does not compile."""
    with pytest.raises(ValueError, match=r"\w"):
        compile_schema(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "[" * 500_000,
        '{"a":' * 200_000,
        "[" * 900 + "]" * 900,
        "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
        "9" * 500_000,
        '"' + "\\" * 500_001,
        "[" + "0," * (MAX_JSON_BYTES // 2) + "0]",
    ],
)
def test_hostile_text_is_quick(text: str) -> None:
    """No text takes a worker's time: patterns are linear, nesting and size are bounded, and it keeps to no format."""
    guards = GuardSet([pattern("(a*)*b"), pattern("(.|[a-z])*!{3}"), schema(ANYTHING)])
    begun = time.process_time()
    assert [finding.name for finding in guards.check(text)] == ["format"]
    assert time.process_time() - begun < 5


def test_deep_but_allowed() -> None:
    """Nesting up to the limit is judged by the schema; brackets inside strings are no nesting."""
    guards = GuardSet([schema(ANYTHING)])
    assert guards.check("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH) == ()
    assert guards.check('["' + "[" * 1000 + '"]') == ()


def test_client_is_told_which() -> None:
    """The error names the guard and none of the words, and no SDK tries it again."""
    found = GuardSet([pattern("x", BLOCK)]).judge(["secret x"]).blocked_by
    assert found is not None
    error = blocked(found)
    assert (error.status, error.code) == (400, "content_blocked")
    assert "'pattern x'" in error.message
    assert "secret" not in error.message


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """No text makes a guard fail."""
    guards = GuardSet([pattern(r"\bé|$"), schema(), length(1, 30)])
    assert {finding.name for finding in guards.check(text)} <= {r"pattern \bé|$", "format", "length"}
