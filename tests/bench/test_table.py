"""The table, the JSON, and the place in the document."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import orjson
import pytest

from bench.errors import BenchError
from bench.figures import Figure, Series
from bench.machine import Machine
from bench.table import BEGIN, END, render_json, render_noise, render_table, write_between_markers

CPU = Figure("CPU", "µs", Series((90.0, 80.0, 100.0)), Series((40.0, 40.0, 50.0)), must="≤ 6 ×", aim="≤ 2.5 ×")
START = Figure("start", "s", Series((0.75,)), must="≤ 2 s", digits=2)
QUIET = Machine(cores=2, python="3.11.7", system="Linux x86_64", load=0.25, call_ns=50.0)


def test_row_says_all() -> None:
    """A row has median, range, ratio and budget; a single reading has no range."""
    lines = render_table([CPU, START]).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "CPU",
        "90.0 (80.0–100.0) µs",
        "40.0 (40.0–50.0) µs",
        "2.0 (2.0–2.2) ×",
        "≤ 6 ×",
        "≤ 2.5 ×",
    ]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["start", "0.75 s", "", "", "≤ 2 s", ""]


def test_columns_line_up() -> None:
    """All lines of the table are equally long, so that it reads as plain text too."""
    assert len({len(line) for line in render_table([CPU, START]).splitlines()}) == 1


def test_noise_is_owned_up_to() -> None:
    """The reader learns how much the reference differed from itself."""
    assert "nginx against itself, (highest − lowest) ÷ median: 25% (CPU)" in render_noise([CPU, START], QUIET, QUIET)
    added = Figure("added", "ms", Series((1.0, 2.0)), Series((0.0, 9.0)), is_difference=True)
    assert "against itself" not in render_noise([START, added], QUIET, QUIET)


def test_json_has_every_reading() -> None:
    """The JSON leaves nothing out."""
    document = orjson.loads(render_json([CPU, START], QUIET, QUIET, date(2026, 1, 2)))
    assert document["figures"][0]["sluice"]["readings"] == [90.0, 80.0, 100.0]
    assert document["figures"][1]["nginx"] is None
    assert document["machine"]["before"]["cores"] == 2 and document["date"] == "2026-01-02"


def test_written_between_markers(tmp_path: Path) -> None:
    """Only what stands between the markers is replaced, as often as one likes."""
    path = tmp_path / "page.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for text in ("new", "newer"):
        write_between_markers(path, text)
    assert path.read_text() == f"before\n{BEGIN}\nnewer\n{END}\nafter\n"


def test_no_markers(tmp_path: Path) -> None:
    """A document without markers is left alone."""
    path = tmp_path / "page.md"
    path.write_text("nothing here")
    with pytest.raises(BenchError, match="has no"):
        write_between_markers(path, "new")
    assert path.read_text() == "nothing here"
