"""The simulations' tables: that they run, what they say of themselves, and where they go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.machine import Machine
from bench.proofs.__main__ import DOCUMENT, DOCUMENTS, NAMES, main, parse_flags, render_part
from bench.proofs.outages import first_run
from bench.proofs.peeking import prove_peeking
from bench.proofs.requests import prove_requests
from bench.proofs.rows import is_within, render_bounded, render_share
from bench.rows import Row, render_rows, write_between_markers

MACHINE = Machine(cores=1, python="3.11", system="Linux", load=0.0, call_ns=1.0)


def test_rows_are_a_table() -> None:
    """Each row says whether it was as it must be; one that is only told says nothing."""
    rows = [Row("a", "1", "1"), Row("b", "2", "1", is_met=False), Row("c", "3")]
    assert render_rows(rows).splitlines()[2:] == ["| a | 1 | 1 | yes |", "| b | 2 | 1 | **no** |", "| c | 3 |  |  |"]


def test_a_share_says_of_how_many() -> None:
    """A share comes with its standard error and the number of runs."""
    assert render_share(20, 2_000) == "1.00 % ± 0.22 (20 of 2,000)"


def test_a_share_has_an_upper_bound() -> None:
    """Clopper and Pearson's bounds: 1 of 29 is below 15.3 % (Newcombe 1998 has 17.8 % two-sided), all are below 1."""
    assert render_bounded(1, 29) == "1 of 29 (95 % sure: below 15.34 %)"
    assert render_bounded(5, 5) == "5 of 5 (95 % sure: below 100.00 %)"


def test_few_runs_are_forgiven_little() -> None:
    """Two standard errors above what must be are chance, more are not."""
    assert is_within(16, 2_000, 0.008)
    assert is_within(23, 2_000, 0.008)
    assert not is_within(25, 2_000, 0.008)


def test_requests_of_failing_users_are_no_dice() -> None:
    """With persistent users a 1 % test of requests is wrong many times as often as with users alike."""
    alike, _, _, _, day, _, week, by_user = (float(row.came.split()[0]) for row in prove_requests(0.05))
    assert alike < 4 < day < week
    assert by_user < 4


def test_a_table_says_when_and_how_large() -> None:
    """A table that was not run at full size says so."""
    text = render_part([Row("a", "1")], machine=MACHINE, scale=0.2, took_s=3.0, today="2026-11-22")
    assert text.startswith("Simulated 2026-11-22 at 0.2 of full size in 3 s on one core")


def test_goes_between_its_own_markers(tmp_path: Path) -> None:
    """One part's table is replaced, the others' stay; a document without its markers is left alone."""
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- proofs:a:begin -->\nold\n<!-- proofs:a:end -->\n<!-- proofs:b:begin -->\n<!-- proofs:b:end -->\n"
    )
    write_between_markers(page, "proofs:b", "new")
    assert page.read_text().endswith(
        "old\n<!-- proofs:a:end -->\n<!-- proofs:b:begin -->\nnew\n<!-- proofs:b:end -->\n"
    )
    with pytest.raises(BenchError, match="no <!-- proofs:c"):
        write_between_markers(page, "proofs:c", "new")


def test_every_part_has_a_place_in_the_document() -> None:
    """docs/statistics.md, or a document of its own, has markers for every part."""
    for name in NAMES:
        text = DOCUMENTS.get(name, DOCUMENT).read_text()
        assert text.count(f"<!-- proofs:{name}:begin -->") == text.count(f"<!-- proofs:{name}:end -->") == 1


def test_smoke_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of small sizes is never written down."""
    assert main(["--smoke", "--write"]) == 2
    assert "proves nothing" in capsys.readouterr().err


def test_parts_are_named() -> None:
    """Any part can be run alone."""
    assert parse_flags(["--only", *NAMES]).only == list(NAMES)


def test_a_part_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """A smoke run prints its table and ends with 0 when all is as it must be."""
    assert main(["--smoke", "--only", "shares"]) == 0
    assert "planned share 50 % kept" in capsys.readouterr().out


def test_peeking_is_armitages() -> None:
    """Ten thousand runs give Armitage, McPherson and Rowe's table within their noise."""
    assert all(row.is_met for row in prove_peeking(0.05))


def test_bad_hours_need_a_wary_rule() -> None:
    """With 30 % of both arms failing, m from the usual rate alone is false at once, and the wary m is not; seed 1."""
    said = [
        first_run(
            np.random.default_rng(1), requests=20_000, share=0.25, rate=0.3, usual_rate=0.01,
            requests_expected=1_800_000, alpha=0.0024, is_wary=is_wary,
        )
        for is_wary in (False, True)
    ]  # fmt: skip
    assert said == [True, False]
