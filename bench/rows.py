"""Rows of a table that says what was done, what came of it and what it must be; and where they are written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a table.

    Attributes:
        what: What was done.
        came: What came of it.
        must: What it has to be; empty where it is only told.
        is_met: Whether it was.
    """

    what: str
    came: str
    must: str = ""
    is_met: bool = True


def render_rows(rows: Sequence[Row], *, what: str = "what") -> str:
    """Give a Markdown table; `what` heads its first column."""
    lines = [f"| {what} | came of it | must | met |", "|---|---|---|---|"]
    for row in rows:
        met = "" if not row.must else "yes" if row.is_met else "**no**"
        cells = (row.what, row.came, row.must, met)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)


def write_between_markers(path: Path, name: str, text: str) -> None:
    """
    Put `text` between the markers `NAME:begin` and `NAME:end` of a document.

    Raises:
        BenchError: It has no such markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    start, found, rest = path.read_text().partition(begin)
    _, also_found, rest = rest.partition(end)
    if not found or not also_found:
        message = f"{path.name} has no {begin} … {end}"
        raise BenchError(message)
    path.write_text(f"{start}{begin}\n{text}\n{end}{rest}")
