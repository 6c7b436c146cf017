"""Two texts side by side, with the words marked that differ. Pure, and bounded: long texts are cut, and say so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz.distance import Indel

MAX_CHARS = 64 * 1024
"""Shown of a text, however few words it has."""

# A word with the white space behind it; characters of scripts without spaces stand alone.
_WORDS = re.compile(
    r"(?:[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]|\w+|[^\w\s])\s*|\s+"
)


class Mark(StrEnum):
    """What a segment is."""

    SAME = "same"
    CHANGED = "changed"
    CUT = "cut"
    """What follows was not compared and is not shown."""


@dataclass(frozen=True, slots=True)
class Segment:
    """
    A run of words, white space with them.

    Attributes:
        mark: What it is.
        text: As in the text it is of; empty for CUT.
    """

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class TextDiff:
    """
    Two texts cut into segments; the texts of a side's segments make that side's text, up to where it is cut.

    Attributes:
        first: Of the first text.
        second: Of the second.
    """

    first: tuple[Segment, ...]
    second: tuple[Segment, ...]


def text_diff(first: str, second: str, *, max_words: int = 2_000) -> TextDiff:
    """
    Mark what differs between two texts, word by word, in at most the first `max_words` of each.

    Words are the same whatever white space follows them. The text itself is hostile: whoever renders it escapes it.

    >>> [(str(segment.mark), segment.text) for segment in text_diff("a cat sat", "a dog sat").first]
    [('same', 'a '), ('changed', 'cat '), ('same', 'sat')]
    """
    ours, is_first_cut = _words(first, max_words)
    theirs, is_second_cut = _words(second, max_words)
    known: dict[str, int] = {}
    one, two = ([known.setdefault(word.strip(), len(known)) for word in side] for side in (ours, theirs))
    marked: tuple[list[Segment], list[Segment]] = ([], [])
    for code in Indel.opcodes(one, two):
        mark = Mark.SAME if code.tag == "equal" else Mark.CHANGED
        _append(marked[0], mark, ours[code.src_start : code.src_end])
        _append(marked[1], mark, theirs[code.dest_start : code.dest_end])
    for side, is_cut in zip(marked, (is_first_cut, is_second_cut), strict=True):
        if is_cut:
            side.append(Segment(Mark.CUT, ""))
    return TextDiff(tuple(marked[0]), tuple(marked[1]))


def _words(text: str, max_words: int) -> tuple[list[str], bool]:
    shown = text[:MAX_CHARS]
    words = [found[0] for found, _ in zip(_WORDS.finditer(shown), range(max_words), strict=False)]
    return words, sum(map(len, words)) < len(text)


def _append(segments: list[Segment], mark: Mark, words: Sequence[str]) -> None:
    if not words:
        return
    text = "".join(words)
    if segments and segments[-1].mark is mark:
        text = segments.pop().text + text
    segments.append(Segment(mark, text))
