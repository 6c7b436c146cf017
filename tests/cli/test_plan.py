"""`sluice plan`: an experiment unless a shadow is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main


def test_an_experiment_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers alone are about an experiment, and so is its name."""
    assert main(["plan", "--baseline", "80%", "--lift", "5%"]) == 0
    unnamed = capsys.readouterr().out
    assert main(["plan", "experiment", "--baseline", "80%", "--lift", "5%"]) == 0
    assert capsys.readouterr().out == unnamed and "1,447" in unnamed


def test_a_shadow_is_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name says so, before or behind the flags."""
    missing = str(tmp_path / "none.yaml")
    assert main(["plan", "shadow", "support", "--config", missing]) == 2
    before = capsys.readouterr().err
    assert main(["plan", "--config", missing, "shadow", "support"]) == 2
    assert capsys.readouterr().err == before and "none.yaml" in before


def test_help_shows_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Its end are commands to copy."""
    with pytest.raises(SystemExit) as left:
        main(["plan", "--help"])
    said = capsys.readouterr().out
    assert left.value.code == 0 and "sluice plan --baseline 80% --lift 5% --users-per-day 1000" in said
