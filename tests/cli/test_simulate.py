"""`sluice simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson
import pytest

from gateway.cli import simulate
from gateway.errors import ConfigError

_CONFIG = """\
version: 1
providers: {p: {base_url: "http://127.0.0.1:9/v1"}}
metrics: {thumbs: {kind: binary, role: satisfaction}}
routes:
  support:
    variants: {current: {model: m}, concise: {like: current, model: n}}
    release: {rollout: {baseline: current, candidate: concise, change_type: prompt_wording, primary_metric: thumbs}}
"""
_BROKEN = """\
describes: Half of the candidate's answers fail.
lasts: 12h
population: {rate_per_s: 2, users: 1000}
candidate: {errors: 50%}
expect: {rolled_back: "== 100%", detect_p90: "<= 1h"}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Give a folder with a configuration and a scenario."""
    (tmp_path / "sluice.yaml").write_text(_CONFIG)
    (tmp_path / "broken.yaml").write_text(_BROKEN)
    return tmp_path


def run(files: Path, *flags: str) -> int:
    """Simulate twice, in this process."""
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    given = [str(files / "sluice.yaml"), "--scenario", str(files / "broken.yaml"), "--runs", "2", "--processes", "1"]
    return simulate.run(parser.parse_args([*given, *flags]))


def test_verdict_comes_first(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, as expected, exit code 0."""
    assert run(files) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("In broken, 100 % of 2 runs of support are rolled back")
    assert first.endswith("As expected.")


def test_unexpected_is_a_finding(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the scenario did not expect is exit code 1."""
    (files / "broken.yaml").write_text(_BROKEN.replace("== 100%", "== 0%"))
    assert run(files) == 1
    assert "Not as expected: rolled_back == 0%" in capsys.readouterr().out


def test_scripts_get_json_and_a_picture(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and nothing else on stdout; the picture is written beside."""
    assert run(files, "--json", "--plot", str(files / "out.svg")) == 0
    assert orjson.loads(capsys.readouterr().out)["values"]["rolled_back"] == 1.0
    assert (files / "out.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.yaml", "describes: x\nlast: 1d\n", "2:1 last: unknown key 'last'; did you mean 'lasts'?"),
        ("sluice.yaml", "version: 1\n", "`providers` is missing"),
    ],
)
def test_wrong_files_say_where(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    """A wrong configuration or scenario is exit code 2, with its place."""
    (files / name).write_text(text)
    assert run(files) == 2
    assert said in capsys.readouterr().err


def test_routes_are_chosen() -> None:
    """With nothing to simulate, or nothing on that route, it says so."""
    with pytest.raises(ConfigError, match="there is nothing to simulate; give a route a rollout or an experiment"):
        simulate.choose_plan({}, "f.yaml", None)


def test_other_pictures_are_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only SVG is drawn, and that is said before anything runs."""
    with pytest.raises(SystemExit):
        run(files, "--plot", "out.png")
    assert "is not the name of an .svg file" in capsys.readouterr().err
