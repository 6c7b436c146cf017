"""`sluice explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson
import pytest

from gateway.cli import explain

_CONFIG = """\
version: 1
providers: {p: {base_url: "http://127.0.0.1:9/v1"}}
identity: {segments: {plan: header:x-plan}, internal_users: [ana]}
routes:
  r:
    variants: {a: {model: m}, b: {like: a}}
    release: {audience: {plan: free}, split: {arms: {a: 90%, b: 10%}}}
"""


def _run(folder: Path, *flags: str) -> int:
    (folder / "sluice.yaml").write_text(_CONFIG)
    parser = argparse.ArgumentParser()
    explain.add_arguments(parser)
    common = ["--config", str(folder / "sluice.yaml"), "--state", str(folder)]
    return explain.run(parser.parse_args([*common, *flags]))


def test_bucket_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict, the bucket, and who owns what."""
    assert _run(tmp_path, "--route", "r", "--user", "u1", "--segment", "plan=free") == 0
    out = capsys.readouterr().out
    assert "on r: the user's bucket belongs to it." in out
    assert "b (10%) owns 0–999" in out


def test_audience_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who is outside gets the baseline, and the reason."""
    assert _run(tmp_path, "--route", "r", "--user", "u1", "--segment", "plan=paid", "--json") == 0
    answer = orjson.loads(capsys.readouterr().out)
    assert (answer["arm"], answer["reason"], answer["is_analysed"]) == ("a", "not_in_audience", False)


@pytest.mark.parametrize(
    "flags", [["--route", "x", "--user", "u"], ["--route", "r", "--user", "u", "--segment", "colour=red"]]
)
def test_unknown_names_are_refused(tmp_path: Path, flags: list[str]) -> None:
    """A route or segment that is not there is wrong input."""
    assert _run(tmp_path, *flags) == 2
