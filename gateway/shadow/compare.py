"""
How alike two answers are: byte for byte, evened out, in words, in JSON values and in the tools they call.

Pure, and bounded on hostile answers: so many words, so many JSON values, so many calls are looked at and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import normalize

import msgspec
from rapidfuzz.distance import Indel

from gateway.record.pair import Likeness
from gateway.wire.answer_parts import AnswerParts, ToolCall

MAX_WORDS = 4_000
"""Of a text that `similarity_of` looks at; two of these take 5 ms."""

MAX_CHARS = 64 * 1024
"""Of a text that is looked at beyond its being the same byte for byte: some 16,000 tokens."""

MAX_VALUES = 5_000
"""JSON values looked at in one answer."""

MAX_CHANGED_FIELDS = 64
MAX_PATH_CHARS = 200

# A script without spaces is compared character by character: Thai to Burmese, Khmer, kana, Han, Hangul, and theirs
# beyond the basic plane.
_WORDS = re.compile(r"[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]|\w+|\S")
_PIECES = re.compile(r"\S{1,512}|\s+")
_FENCE = re.compile(r"\s*```(?:json|JSON)?[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_JSON = msgspec.json.Decoder(Any)
_MISSING = object()


def compare(primary: AnswerParts, shadow: AnswerParts) -> Likeness:
    """
    Compare two answers to one request.

    Refusals count as words: an answer that refuses is not like one that answers with nothing.

    >>> compare(AnswerParts("Yes,  of course."), AnswerParts("yes, of course."))
    Likeness(is_exact=False, is_equal=True, similarity=1.0, changed_fields=None, n_fields=0, tool_calls='none')
    """
    ours, theirs = primary.text or primary.refusal, shadow.text or shadow.refusal
    tool_calls = tool_calls_of(primary.tool_calls, shadow.tool_calls)
    is_exact = (
        (primary.text, primary.refusal, primary.tool_calls) == (shadow.text, shadow.refusal, shadow.tool_calls)
        and not primary.is_cut
        and not shadow.is_cut
    )
    first, second = evened(ours), evened(theirs)
    is_alike = first == second and bool(primary.refusal) == bool(shadow.refusal)
    is_equal = is_exact or (is_alike and tool_calls in {"none", "same"} and max(len(ours), len(theirs)) <= MAX_CHARS)
    similarity = None if not ours and not theirs else 1.0 if ours == theirs else similarity_of(first, second)
    changed, n_fields = fields_of(primary.text, shadow.text)
    return Likeness(is_exact, is_equal, similarity, changed, n_fields, tool_calls)


def evened(text: str) -> str:
    """
    Give a text, or its first 65,536 characters, with case, white space and Unicode form evened out.

    >>> evened(" Cafe\\u0301\\n  STRASSE ")
    'café strasse'
    """
    shown = text[:MAX_CHARS]
    if shown.isascii():
        return " ".join(shown.casefold().split())
    # Normalising takes the square of the time in a long run of combining marks, so it is done piece by piece.
    pieces = (normalize("NFC", normalize("NFC", found[0]).casefold()) for found in _PIECES.finditer(shown))
    return "".join(" " if piece.isspace() else piece for piece in pieces).strip()


def similarity_of(first: str, second: str) -> float:
    """
    Give how much of two evened texts is common, in words: 0 for nothing, 1 for all.

    It is the indel ratio over words, 2·LCS/(n₁ + n₂): the share of both texts' words that stand in one longest common
    sequence. Punctuation counts as words; scripts without spaces are taken character by character. Only the first
    4,000 words of each are looked at.

    >>> similarity_of("the cat sat down", "the dog sat down")
    0.75
    """
    known: dict[str, int] = {}
    # Numbers in place of words: nothing depends on how strings are hashed in this process.
    one = [known.setdefault(word, len(known)) for word in words_of(first)]
    two = [known.setdefault(word, len(known)) for word in words_of(second)]
    return float(Indel.normalized_similarity(one, two))


def words_of(text: str, *, at_most: int = MAX_WORDS) -> list[str]:
    """
    Give a text's words and marks.

    >>> words_of("Don't panic: 東京!")
    ['Don', "'", 't', 'panic', ':', '東', '京', '!']
    """
    return [found[0] for found, _ in zip(_WORDS.finditer(text), range(at_most), strict=False)]


def fields_of(first: str, second: str) -> tuple[list[str] | None, int]:
    """
    Give the paths whose values differ where both texts are JSON objects or arrays, and how many values were looked at.

    A text may hold its JSON in a fence. Places in arrays are left out of paths (`$.items[].price`); where arrays
    differ in length their own path differs too, and they are compared as far as both go. 1 and 1.0 are the same.

    Returns:
        At most 64 paths, sorted, with the number of values in both together; or None, 0 where one is no JSON.

    >>> fields_of('{"a": [{"b": 1}, {"b": 2}]}', '{"a": [{"b": 1.0}, {"b": 3}]}')
    (['$.a[].b'], 2)
    """
    ours = _parsed(first)
    theirs = _MISSING if ours is _MISSING else _parsed(second)
    if theirs is _MISSING:
        return None, 0
    changed: set[str] = set()
    n_fields = 0
    for path, is_same in _leaves(ours, theirs):
        n_fields += 1
        if not is_same and len(changed) < MAX_CHANGED_FIELDS:
            changed.add(path)
    return sorted(changed), n_fields


def tool_calls_of(primary: Sequence[ToolCall], shadow: Sequence[ToolCall]) -> str:
    """
    Tell how tool calls differ: "none" where there are none, "same", "arguments" or "tools".

    Parallel calls have no order. Arguments are the same when their JSON is.

    >>> tool_calls_of([ToolCall("f", '{"a":1}')], [ToolCall("f", '{ "a": 1.0 }')])
    'same'
    """
    if not primary and not shadow:
        return "none"
    if sorted(call.name for call in primary) != sorted(call.name for call in shadow):
        return "tools"
    ours = sorted((call.name, _canonical(call.arguments)) for call in primary)
    return "same" if ours == sorted((call.name, _canonical(call.arguments)) for call in shadow) else "arguments"


def _parsed(text: str) -> Any:
    """Give the JSON object or array that a text is, alone or in a fence; scalars are words."""
    bare = text.strip() if len(text) <= 4 * MAX_CHARS else ""
    fenced = _FENCE.fullmatch(bare) if bare.startswith("```") else None
    inner = fenced[1].strip() if fenced else bare
    if inner[:1] not in {"{", "["}:
        return _MISSING
    try:
        return _JSON.decode(inner)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _MISSING


def _leaves(first: Any, second: Any) -> Iterator[tuple[str, bool]]:
    """Give every value of either with its path and whether both have it alike, without recursion."""
    waiting: list[tuple[str, Any, Any]] = [("$", first, second)]
    n_seen = 0
    while waiting and n_seen < MAX_VALUES:
        n_seen += 1
        path, one, two = waiting.pop()
        if isinstance(one, dict) and isinstance(two, dict) and (one or two):
            waiting.extend((_named(path, name), one.get(name, _MISSING), two.get(name, _MISSING)) for name in one | two)
        elif isinstance(one, list) and isinstance(two, list) and (one or two):
            if len(one) != len(two):
                yield path, False
            waiting.extend((f"{path}[]", *pair) for pair in zip(one, two, strict=False))
        else:
            yield path, _is_same(one, two)


def _named(path: str, name: str) -> str:
    plain = name if re.fullmatch(r"\w+", name) else msgspec.json.encode(name[:MAX_PATH_CHARS]).decode()
    return f"{path}.{plain}"[:MAX_PATH_CHARS]


def _is_same(one: Any, two: Any) -> bool:
    """Tell whether two values are: truths are no numbers, and containers reach here only when they cannot be alike."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, dict | list) or isinstance(two, dict | list):
        return type(one) is type(two) and not one and not two
    return bool(one == two)


def _canonical(arguments: str) -> str:
    """Give arguments so that equal ones are equal strings; no arguments are an empty object."""
    try:
        parsed: Any = _evened_numbers(_JSON.decode(arguments or "{}"))
        return msgspec.json.encode(parsed, order="sorted").decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return " ".join(arguments.split())


def _evened_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _evened_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_evened_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
