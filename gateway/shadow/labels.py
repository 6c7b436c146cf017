"""
What people preferred, from a CSV file: to tell how far a judge can be believed.

Spreadsheets write these files, so a byte order mark, semicolons, quotes and empty lines are forgiven; a value that is
none of the words is not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import SluiceError
from gateway.record.pair import Vote

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_PROBLEMS = 20
_COLUMNS = ("request_id", "variant", "preferred")
_REQUIRED = ("request_id", "preferred")
_VOTES = {"primary": Vote.PRIMARY, "shadow": Vote.SHADOW, "tie": Vote.TIE}
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Label:
    """
    What a person preferred of a pair.

    Attributes:
        request_id: Of the pair.
        variant: The shadow's; empty where the route has one shadow.
        preferred: Whose answer.
    """

    request_id: str
    variant: str
    preferred: Vote


class LabelError(SluiceError):
    """
    A file of labels that cannot be read.

    Attributes:
        problems: Each with its line, at most 20.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse_labels(raw: bytes) -> list[Label]:
    """
    Read labels: columns `request_id`, `preferred` (primary, shadow or tie), and `variant` where shadows are several.

    The same label twice counts once; rows without one are left out.

    Raises:
        LabelError: The file is not UTF-8, lacks a column, or has lines that cannot be read; names each line.

    >>> parse_labels(b"request_id,preferred\\nsq1_a,shadow\\n")
    [Label(request_id='sq1_a', variant='', preferred=<Vote.SHADOW: 1>)]
    """
    text = _decoded(raw)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter_of(text), strict=True)
    found: dict[tuple[str, str], Label] = {}
    problems: list[str] = []
    try:
        places = _places_of(next(reader, []))
        for row in reader:
            if any(cell.strip() for cell in row):
                _take(row, reader.line_num, places, found, problems)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: not CSV: {error}")
    if problems:
        raise LabelError(problems[:MAX_PROBLEMS])
    return list(found.values())


def escaped(cell: str) -> str:
    """
    Give a cell that no spreadsheet takes for a formula, for files that people label in.

    >>> escaped("=HYPERLINK(1)"), escaped("fine")
    ("'=HYPERLINK(1)", 'fine')
    """
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell


def render_template(rows: Iterator[tuple[str, str, str, str, str]]) -> Iterator[str]:
    """
    Give a file to label in, line by line: request id, variant, prompt and both answers, and an empty `preferred`.

    Every text is escaped: answers are written by models, and spreadsheets run what begins with `=`.
    """
    yield _line(("request_id", "variant", "preferred", "prompt", "primary", "shadow"))
    for request_id, variant, prompt, primary, shadow in rows:
        yield _line((request_id, variant, "", prompt, primary, shadow))


def _line(cells: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([escaped(cell) for cell in cells])
    return written.getvalue()


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_FILE_BYTES:
        raise LabelError([f"the file has {len(raw)} bytes; at most {MAX_FILE_BYTES} are read"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LabelError([f"line {line}: not UTF-8; save the file as CSV UTF-8"]) from None


def _delimiter_of(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _places_of(header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        remedy = f"write {', '.join(_COLUMNS)}"
        raise LabelError([f"line 1: no column {' and no column '.join(missing)}; {remedy}"])
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise LabelError([f"line 1: two columns {twice[0]}"])
    return {name: names.index(name) for name in _COLUMNS if name in names}


def _take(
    row: list[str], line: int, places: dict[str, int], found: dict[tuple[str, str], Label], problems: list[str]
) -> None:
    cells = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
    # An escaped cell comes back as it was written.
    request_id, variant = (cells.get(name, "").removeprefix("'") for name in ("request_id", "variant"))
    preferred = _VOTES.get(cells["preferred"].lower())
    if not cells["preferred"]:
        return
    if not request_id:
        problems.append(f"line {line}: no request_id")
    elif preferred is None:
        problems.append(f"line {line}: {cells['preferred'][:40]!r} is not primary, shadow or tie")
    else:
        label = Label(request_id, variant, preferred)
        if found.setdefault((request_id, variant), label) != label:
            problems.append(f"line {line}: {request_id[:40]!r} has another label before")
