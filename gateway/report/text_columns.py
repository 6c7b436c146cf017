"""Text laid out in a terminal's columns, whatever people called things: nothing is wider than it may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from unicodedata import combining, east_asian_width

from gateway.report.axis import Axis
from gateway.report.hostile import printable

WIDTH = 80
_GAP = "  "
_MOST_MARKS = 2
_LEAST = 6
_GLUE = "\x00"


def shown(text: str) -> str:
    r"""
    Give a text on one line in which everything is seen, and nothing reaches into the lines around it.

    >>> print(shown("a\x1b[2J" + "\u0301" * 50) == "a\\x1b[2J" + "\u0301" * 2)
    True
    """
    letters: list[str] = []
    marks = 0
    for letter in printable(text):
        marks = marks + 1 if combining(letter) else 0
        if marks <= _MOST_MARKS:
            letters.append(letter)
    return "".join(letters)


def columns_of(text: str) -> int:
    """
    Give how many columns a text takes.

    >>> columns_of("plan"), columns_of("計画")
    (4, 4)
    """
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def fit(text: str, columns: int, *, is_right: bool = False) -> str:
    """
    Give a text exactly this wide: filled up with spaces, or cut and ended with a sign that it was.

    >>> fit("a long name", 6), fit("12", 4, is_right=True)
    ('a lon…', '  12')
    """
    if columns_of(text) > columns:
        text = f"{_head(text, columns - 1)}…"
    space = " " * (columns - columns_of(text))
    return f"{space}{text}" if is_right else f"{text}{space}"


def wrapped(text: str, first: str = "", width: int = WIDTH) -> list[str]:
    """
    Give a text in lines of this width at most; the later ones are indented as far as `first` is long.

    >>> wrapped("one two three", "- ", 9)
    ['- one two', '  three']
    """
    indent = " " * columns_of(first)
    room = width - len(indent)
    lines, line = [], ""
    for word in _words(shown(text), room):
        if line and columns_of(line) + 1 + columns_of(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return [f"{indent if at else first}{each}".rstrip() for at, each in enumerate(lines)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, n_left: int = 1) -> list[str]:
    """
    Give a table with its head, indented by two; the widest column gives way where the whole is too wide.

    Args:
        head: Column titles.
        rows: Cells as they are; made fit to be shown here.
        n_left: That many columns from the left are words; the others are numbers and end at the right.
    """
    cells = [tuple(shown(cell) for cell in row) for row in (head, *rows)]
    if len(cells) == 1:
        return []
    widths = [max(columns_of(row[at]) for row in cells) for at in range(len(head))]
    while sum(widths) + len(_GAP) * len(widths) > WIDTH:
        # Words can be cut and still be told apart; a number that was cut is another number.
        at = max(range(n_left), key=widths.__getitem__)
        if widths[at] <= _LEAST:
            at = max(range(len(widths)), key=widths.__getitem__)
        widths[at] -= 1
    return [
        "".join(_GAP + fit(cell, widths[at], is_right=at >= n_left) for at, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def plot(axis: Axis, low: float, middle: float, high: float, columns: int) -> str:
    """
    Give an interval as a line: `|` is no effect, `o` the effect, `<` and `>` an end that is further out.

    >>> plot(Axis(-1.0, 1.0), 0.2, 0.5, 0.8, 21)
    '          | [--o--]  '
    """
    line = [" "] * columns
    if isfinite(low) and isfinite(high):
        left, right = _column(axis, low, columns), _column(axis, high, columns)
        line[left : right + 1] = "-" * (right + 1 - left)
        line[left] = "[" if axis.holds(low) else "<"
        line[right] = "]" if axis.holds(high) else ">"
    line[_column(axis, 0.0, columns)] = "|"
    if isfinite(middle):
        line[_column(axis, middle, columns)] = "o"
    return "".join(line)


def _column(axis: Axis, value: float, columns: int) -> int:
    return round(axis.at(value) * (columns - 1))


def _words(text: str, room: int) -> Iterable[str]:
    # A number and its percent sign stay on one line.
    for word in (each.replace(_GLUE, " ") for each in text.replace(" %", f"{_GLUE}%").split(" ") if each):
        while columns_of(word) > room:
            part = _head(word, room)
            yield part
            word = word[len(part) :]
        yield word


def _head(text: str, columns: int) -> str:
    taken = 0
    for at, letter in enumerate(text):
        taken += columns_of(letter)
        if taken > columns:
            return text[:at]
    return text
