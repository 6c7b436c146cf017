"""The fault programme's table: what was measured, and whether it was as it must be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.faults.__main__ import DOCUMENT, PARTS, main, parse_flags
from bench.faults.latches import calm_row, latch_rows, trip_rows
from bench.rows import Row, render_rows, write_between_markers
from tests.flows.rig.latches import Closed, LatchStorm
from tests.flows.rig.rollouts import Calm, Trip


def test_rows_are_a_table() -> None:
    """Each row says whether it was met; one that must be nothing says nothing, and bars do not break the table."""
    rows = [Row("a|b", "0", "0"), Row("c", "7", "0", is_met=False), Row("d", "9")]
    lines = render_rows(rows).splitlines()[2:]
    assert lines == [r"| a\|b | 0 | 0 | yes |", "| c | 7 | 0 | **no** |", "| d | 9 |  |  |"]


def test_table_goes_between_markers(tmp_path: Path) -> None:
    """What stood between a part's markers is replaced, and nothing else."""
    path = tmp_path / "faults.md"
    other = "<!-- faults:kills:begin -->\nkept\n<!-- faults:kills:end -->\n"
    path.write_text(f"# Head\n<!-- faults:latch:begin -->\nold\n<!-- faults:latch:end -->\n{other}")
    write_between_markers(path, "faults:latch", "new")
    assert path.read_text() == f"# Head\n<!-- faults:latch:begin -->\nnew\n<!-- faults:latch:end -->\n{other}"


def test_document_without_markers(tmp_path: Path) -> None:
    """A document without markers is left alone."""
    path = tmp_path / "faults.md"
    path.write_text("# Head\n")
    with pytest.raises(BenchError, match="has no"):
        write_between_markers(path, "faults:latch", "new")
    assert path.read_text() == "# Head\n"


@pytest.mark.parametrize("name", PARTS)
def test_parts_have_their_place(name: str) -> None:
    """Every part's table has its place in the document."""
    text = DOCUMENT.read_text()
    assert f"## {name}\n" in text and f"<!-- faults:{name}:begin -->" in text


def test_smoke_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of small sizes is never written down."""
    assert main(["--smoke", "--write"]) == 2
    assert "proves nothing" in capsys.readouterr().err


def test_parts_are_named() -> None:
    """Any part can be run alone."""
    assert parse_flags(["--only", *PARTS]).only == list(PARTS)


def storm(**changes: Any) -> LatchStorm:
    """Give a storm of one rollback that stood, as it must be but for `changes`."""
    fields = {"n_loops": 1, "ways": Counter(api=1), "closed": [Closed(0.0, 2.0, "api")], "seen_s": [0.2], **changes}
    return LatchStorm(**fields)


def test_calm_storm_is_met() -> None:
    """A latch that held meets every row."""
    assert all(row.is_met for row in latch_rows(storm(), 60))


@pytest.mark.parametrize(
    "changes",
    [
        {"late": ["nonce-7"]},
        {"reached": 1},
        {"seen_s": [1.2]},
        {"miscounted": ["twice"]},
        {"unreadable": ["latches.json"]},
        {"odd": ["open"]},
        {"closed": []},
    ],
)
def test_open_latch_is_not_met(changes: dict[str, Any]) -> None:
    """Each way in which a latch may fail fails one row."""
    assert [row.is_met for row in latch_rows(storm(**changes), 60)].count(False) == 1


@pytest.mark.parametrize(
    ("n_requests", "gone_s", "met"), [(30, 30.0, [True] * 2), (0, 1.0, [False, True]), (31, 31.0, [False] * 2)]
)
def test_trips_have_bounds(n_requests: int, gone_s: float, met: list[bool]) -> None:
    """A candidate has to be gone within 30 requests and 30 s, and has to have been there."""
    assert [row.is_met for row in trip_rows("broken", [Trip("e_process", "errors", n_requests, gone_s)])] == met


@pytest.mark.parametrize(
    ("calm", "is_met"),
    [(Calm(9, [], 10), True), (Calm(0, [], 10), False), (Calm(9, ["paused"], 10), False), (Calm(9, [], 5), False)],
)
def test_calm_has_to_be_calm(calm: Calm, is_met: bool) -> None:
    """Where requests failed, nothing may have been decided and the candidate keeps its share."""
    assert calm_row("outage", calm).is_met is is_met
