"""`sluice report rollout`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gateway.cli.main import main
from gateway.control.keep import StateKeeper
from tests.fakes.operators import Operators, operators
from tests.processes.rollout_toys import PLAN, SPLIT, entry, rollout
from tests.report import story


@pytest.fixture
def port() -> Iterator[Operators]:
    """Give an operators' port with the story."""
    with operators() as told:
        told.answers["GET /api/rollouts/support"] = (200, story.rollout())
        told.answers["GET /api/journal"] = (200, {"entries": story.entries()})
        yield told


def report(port: Operators, *flags: str) -> int:
    """Run the command."""
    return main(["report", "rollout", "support", "--admin", port.url, *flags])


@pytest.mark.parametrize(
    ("flags", "opening"),
    [
        ([], "concise on support was rolled back"),
        (["--format", "html"], "<!doctype html>"),
        (["--format", "json"], "{\n"),
        (["--json"], "{\n"),
    ],
)
def test_three_formats(port: Operators, flags: list[str], opening: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, JSON or one HTML file, on stdout."""
    assert report(port, *flags) == 0
    assert capsys.readouterr().out.startswith(opening)


@pytest.mark.parametrize("format_", ["text", "json", "html"])
def test_formats_agree(port: Operators, format_: str, tmp_path: Path) -> None:
    """Written to a file, each says the same headline."""
    file = tmp_path / "report"
    assert report(port, "--format", format_, "--out", str(file)) == 0
    assert "At least 14,120 users have had concise." in file.read_text()


def test_file_cannot_be_written(port: Operators, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A place that cannot be written to is wrong input, and said so."""
    assert report(port, "--out", str(tmp_path / "none" / "report")) == 2
    assert "cannot write" in capsys.readouterr().err


def test_splits_have_other_reports(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """A split is no rollout."""
    port.answers["GET /api/rollouts/support"] = (200, {"release": SPLIT.release})
    assert report(port) == 2
    assert "is a split" in capsys.readouterr().err


def test_unknown_rollout(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is nobody's is wrong input."""
    port.answers["GET /api/journal"] = (200, {"entries": []})
    assert main(["report", "rollout", "other", "--admin", port.url]) == 2
    assert "sluice: nothing at /api/rollouts/other" in capsys.readouterr().err


def test_without_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state directory has what happened, and it is said what is missing."""
    keeper = StateKeeper(tmp_path)
    keeper.load()
    keeper.keep_rollouts({PLAN.release: rollout()})
    keeper.append([entry(1)])
    assert main(["report", "rollout", "support", "--state", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr()
    assert "no gateway answers" in said.err and len(orjson.loads(said.out)["decisions"]) == 1
