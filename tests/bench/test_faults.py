"""The fault programme's table: what was measured, and whether it was as it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.faults import BEGIN, END, PARTS, Row, main, parse_flags, render_rows, write_between_markers


def test_rows_are_a_table() -> None:
    """Each row says whether it was met; one that must be nothing says nothing, and bars do not break the table."""
    rows = [Row("a|b", "0", "0"), Row("c", "7", "0", is_met=False), Row("d", "9")]
    lines = render_rows(rows).splitlines()[2:]
    assert lines == [r"| a\|b | 0 | 0 | yes |", "| c | 7 | 0 | **no** |", "| d | 9 |  |  |"]


def test_table_goes_between_markers(tmp_path: Path) -> None:
    """What stood between the markers is replaced, and nothing else."""
    path = tmp_path / "faults.md"
    path.write_text(f"# Head\n{BEGIN}\nold\n{END}\ntail\n")
    write_between_markers(path, "new")
    assert path.read_text() == f"# Head\n{BEGIN}\nnew\n{END}\ntail\n"


def test_document_without_markers(tmp_path: Path) -> None:
    """A document without markers is left alone."""
    path = tmp_path / "faults.md"
    path.write_text("# Head\n")
    with pytest.raises(BenchError, match="has no"):
        write_between_markers(path, "new")
    assert path.read_text() == "# Head\n"


def test_smoke_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of small sizes is never written down."""
    assert main(["--smoke", "--write"]) == 2
    assert "proves nothing" in capsys.readouterr().err


def test_parts_are_named() -> None:
    """Any part can be run alone."""
    assert parse_flags(["--only", *PARTS]).only == list(PARTS)
