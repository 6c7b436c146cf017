"""`sluice check`."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson
import pytest

from gateway.cli import check

_FINE = """\
version: 1
providers: {p: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  r:
    variants: {a: {model: m}, b: {like: a}}
    release: {split: {arms: {a: 90%, b: 10%}}}
"""


def _run(path: Path, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args([str(path), *flags]))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a file that is right."""
    path = tmp_path / "sluice.yaml"
    path.write_text(_FINE)
    return path


def test_fine_file_has_a_verdict(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, then a line per arm."""
    assert _run(config) == 0
    out = capsys.readouterr().out
    assert "is fine: 1 route, 1 provider, config" in out
    assert "r      r (split)  b    10%    p         m" in out


def test_wrong_file_says_where(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every finding on stderr, and exit code 2."""
    config.write_text(_FINE.replace("90%", "80%"))
    assert _run(config) == 2
    assert ":6:29 routes.r.release.split.arms: weights add up to 90%; make them 100%" in capsys.readouterr().err


def test_scripts_get_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both answers are JSON when asked."""
    assert _run(config, "--json") == 0
    assert orjson.loads(capsys.readouterr().out)["routes"]["r"]["arms"] == {"a": 90, "b": 10}
    config.write_text("version: 1")
    assert _run(config, "--json") == 2
    assert orjson.loads(capsys.readouterr().out)["findings"][0]["line"] == 1


def test_probe_says_who_refuses(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider that is not there is a negative finding."""
    assert _run(config, "--probe") == 1
    assert "refused  r/a: no answer from 127.0.0.1:9" in capsys.readouterr().out


def test_unmet_gates_speak_against_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At a traffic that cannot carry the plan the exit code is 1, and scripts get the numbers."""
    path = tmp_path / "sluice.yaml"
    rollout = (
        "{rollout: {baseline: a, candidate: b, quality_metrics: [], stages: [{at: 1%, max_duration: 1d}, {at: 100%}]}}"
    )
    path.write_text(_FINE.replace("{split: {arms: {a: 90%, b: 10%}}}", rollout).replace("{like: a}", "{model: n}"))
    assert _run(path, "--users-per-day", "1000", "--json") == 1
    (outlook,) = orjson.loads(capsys.readouterr().out)["outlooks"]
    assert outlook["is_met"] is False and "yaml" in outlook["recommended"]
    assert _run(path, "--users-per-day", "1e6") == 0


@pytest.mark.parametrize("flag", [("--users-per-day", "none"), ("--base-error", "0.01")])
def test_numbers_are_read_strictly(config: Path, flag: tuple[str, str]) -> None:
    """A share without percent is no share."""
    with pytest.raises(SystemExit):
        _run(config, *flag)
