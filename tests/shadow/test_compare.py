"""How alike two answers are."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.shadow.compare import MAX_CHANGED_FIELDS, MAX_WORDS, compare, evened, fields_of, similarity_of, words_of
from gateway.wire.answer_parts import AnswerParts, ToolCall


def said(text: str = "", *calls: tuple[str, str], refusal: str = "", is_cut: bool = False) -> AnswerParts:
    """Give an answer."""
    return AnswerParts(text, refusal, tuple(ToolCall(*call) for call in calls), is_cut=is_cut)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_exact", "is_equal"),
    [
        (said("a"), said("a"), True, True),
        (said("A \n b"), said(" a b"), False, True),
        (said("caf\u00e9"), said("cafe\u0301"), False, True),
        (said("Straße"), said("STRASSE"), False, True),
        (said("a"), said("b"), False, False),
        (said("no", refusal=""), said("", refusal="no"), False, False),
        (said("a", ("f", "{}")), said("a"), False, False),
        (said("", ("f", '{"a": 1}')), said("", ("f", '{"a":1}')), False, True),
        (said("a", is_cut=True), said("a", is_cut=True), False, True),
        (said(), said(), True, True),
    ],
)
def test_equality(ours: AnswerParts, theirs: AnswerParts, is_exact: bool, is_equal: bool) -> None:
    """Exact is every byte; equal forgives case, white space and Unicode form, not a refusal nor a call."""
    likeness = compare(ours, theirs)
    assert (likeness.is_exact, likeness.is_equal) == (is_exact, is_equal)


def test_evened_marks() -> None:
    """Marks in another order and white space of any kind come out even, in ASCII and beyond."""
    assert evened("a\u0301\u0323\u00a0\n b ") == evened("A\u0323\u0301 b")
    assert evened("\t A\r\nb ") == "a b"


@pytest.mark.parametrize(
    ("first", "second", "similarity"),
    [
        ("a b c d", "a b c d", 1.0),
        ("a b c d", "e f", 0.0),
        ("a b c d", "a c d b", 0.75),
        ("a b", "a b a b", 2 / 3),
        ("東京は晴れ", "東京は雨", 2 * 3 / 9),
        ("", "a", 0.0),
    ],
)
def test_similarity(first: str, second: str, similarity: float) -> None:
    """It is twice the words of a longest common sequence over all words, by hand."""
    assert similarity_of(first, second) == pytest.approx(similarity)


def test_similarity_of_nothing() -> None:
    """Where neither says anything there is nothing to compare; where one does, they have nothing in common."""
    assert compare(said("", ("f", "")), said("", ("g", ""))).similarity is None
    assert compare(said("a"), said("")).similarity == 0.0


@given(st.text(max_size=60), st.text(max_size=60))
def test_symmetry(first: str, second: str) -> None:
    """Which of the two stands first does not matter."""
    one, two = compare(said(first), said(second)), compare(said(second), said(first))
    assert one == two
    assert one.similarity is None or 0 <= one.similarity <= 1
    assert compare(said(first), said(first)).is_equal


@pytest.mark.parametrize(
    ("first", "second", "changed", "n_fields"),
    [
        ('{"a":1,"b":2}', '{"b":2.0,"a":1}', [], 2),
        ('{"items":[{"price":1},{"price":2}]}', '{"items":[{"price":1},{"price":3}]}', ["$.items[].price"], 2),
        ('{"a":[1,2]}', '{"a":[1]}', ["$.a"], 2),
        ('{"a":1}', '{"b":1}', ["$.a", "$.b"], 2),
        ('{"a":true}', '{"a":1}', ["$.a"], 1),
        ('{"a":null}', "{}", ["$.a"], 1),
        ('{"a":{}}', '{"a":[]}', ["$.a"], 1),
        ('{"a":{}}', '{"a":{"b":1}}', ["$.a.b"], 1),
        ('{"a b":1}', '{"a b":2}', ['$."a b"'], 1),
        ('```json\n{"a":1}\n```', ' {"a":2}\n', ["$.a"], 1),
        ("```\n[1]\n```", "[1]", [], 1),
    ],
)
def test_fields(first: str, second: str, changed: list[str], n_fields: int) -> None:
    """Values are compared by path, arrays by their members, whatever the order and the fence."""
    assert fields_of(first, second) == (changed, n_fields)


@pytest.mark.parametrize(("first", "second"), [("a", '{"a":1}'), ("1", "2"), ('{"a":', '{"a":1}'), ("[" * 9_999, "[]")])
def test_no_fields(first: str, second: str) -> None:
    """Where one is no JSON object or array there are no fields."""
    assert fields_of(first, second) == (None, 0)


def test_many_fields() -> None:
    """However many differ, a bounded number is told."""
    first, second = ({f"{key}{number}": number for number in range(9_000)} for key in "ab")
    changed, n_fields = fields_of(msgspec.json.encode(first).decode(), msgspec.json.encode(second).decode())
    assert changed is not None
    assert len(changed) == MAX_CHANGED_FIELDS
    assert n_fields < 9_000


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        ([], [], "none"),
        ([("f", "{}")], [("f", "")], "same"),
        ([("f", '{"a":1,"b":[1.0]}'), ("g", "")], [("g", "{}"), ("f", '{"b":[1],"a":1}')], "same"),
        ([("f", '{"a":1}')], [("f", '{"a":2}')], "arguments"),
        ([("f", "{"), ("f", "a  b")], [("f", "a b"), ("f", "{")], "same"),
        ([("f", "")], [("g", "")], "tools"),
        ([("f", "")], [("f", ""), ("f", "")], "tools"),
        ([("f", "")], [], "tools"),
    ],
)
def test_tool_calls(ours: list[tuple[str, str]], theirs: list[tuple[str, str]], difference: str) -> None:
    """Names first, then arguments as JSON; parallel calls have no order."""
    assert compare(said("", *ours), said("", *theirs)).tool_calls == difference


def test_words_are_bounded() -> None:
    """Only so many words are looked at."""
    assert len(words_of("a " * 99_999)) == MAX_WORDS


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a b " * 500_000, "b c " * 500_000),
        ("a" + "\u0301\u0323" * 500_000, "b" + "\u0323\u0301" * 500_000),
        (" " * 2_000_000, "x" + " " * 2_000_000),
        ("[" + "1," * 100_000 + "1]", "[" + "2," * 100_000 + "1]"),
        ('{"a":' * 900 + "1" + "}" * 900, '{"a":' * 900 + "2" + "}" * 900),
        ("```json\n" + "\n" * 60_000, "```\n" * 15_000),
    ],
)
def test_time_is_bounded(first: str, second: str) -> None:
    """Hostile answers cost a fraction of a second."""
    begun_s = time.process_time()
    compare(said(first, ("f", first)), said(second, ("f", second)))
    assert time.process_time() - begun_s < 5
