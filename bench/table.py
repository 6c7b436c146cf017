"""The figures as a table, as JSON, and between the markers of docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError
from bench.figures import Figure, Series
from bench.machine import Machine

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_HEADINGS = ("figure", "Sluice", "nginx", "Sluice ÷ nginx", "must", "aim")


def render_table(figures: Sequence[Figure]) -> str:
    """Give a Markdown table whose columns also line up as plain text."""
    rows = [_HEADINGS, *(_row_of(figure) for figure in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def render_noise(figures: Sequence[Figure], before: Machine, after: Machine) -> str:
    """Give what the figures were taken on, and how far they can be trusted."""
    references = [(figure.name, figure.nginx) for figure in figures if figure.nginx is not None and figure.ratio]
    spreads = [f"{series.spread_ratio:.0%} ({name})" for name, series in references if len(series.readings) > 1]
    restless = f"nginx against itself, (highest − lowest) ÷ median: {', '.join(spreads)}." if spreads else ""
    return (
        f"Taken on {before.cores} cores, {before.system}, Python {before.python}, everything on one machine over "
        f"loopback. Load average {before.load:.1f} before and {after.load:.1f} after; an empty Python call took "
        f"{before.call_ns:.0f} and {after.call_ns:.0f} ns. {restless}"
    ).rstrip()


def render_json(figures: Sequence[Figure], before: Machine, after: Machine, today: date) -> bytes:
    """Give everything, every reading included."""
    document = {
        "date": today.isoformat(),
        "machine": {"before": before, "after": after},
        "figures": [_fields_of(figure) for figure in figures],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_between_markers(path: Path, text: str) -> None:
    """
    Put `text` between the markers of a document.

    Raises:
        BenchError: It has no markers.
    """
    document = path.read_text()
    start, found, rest = document.partition(BEGIN)
    _, also_found, rest = rest.partition(END)
    if not found or not also_found:
        message = f"{path.name} has no {BEGIN} … {END}"
        raise BenchError(message)
    path.write_text(f"{start}{BEGIN}\n{text}\n{END}{rest}")


def _row_of(figure: Figure) -> tuple[str, ...]:
    ratio = figure.ratio
    return (
        figure.name,
        _shown(figure.sluice, figure.digits, figure.unit),
        "" if figure.nginx is None else _shown(figure.nginx, figure.digits, figure.unit),
        "" if ratio is None else _shown(ratio, 1, "×"),
        figure.must,
        figure.aim,
    )


def _shown(series: Series, digits: int, unit: str) -> str:
    """Give the median and, of more than one reading, lowest and highest."""
    text = f"{series.median:.{digits}f}"
    if len(series.readings) > 1:
        text += f" ({series.low:.{digits}f}–{series.high:.{digits}f})"
    return f"{text} {unit}"


def _fields_of(figure: Figure) -> dict[str, Any]:
    sides = {"sluice": figure.sluice, "nginx": figure.nginx, "ratio": figure.ratio}
    return {
        "name": figure.name,
        "unit": figure.unit,
        "must": figure.must,
        "aim": figure.aim,
        **{name: None if series is None else _series_fields(series) for name, series in sides.items()},
    }


def _series_fields(series: Series) -> dict[str, Any]:
    return {"median": series.median, "low": series.low, "high": series.high, "readings": series.readings}
