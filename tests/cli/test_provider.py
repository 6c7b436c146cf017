"""`sluice provider` says where it is, answers, and ends when told."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import provider

ROOT = Path(provider.__file__).parents[2]
COMMAND = """
import argparse, sys
from gateway.cli import provider
parser = argparse.ArgumentParser()
provider.add_arguments(parser)
sys.exit(provider.run(parser.parse_args()))
"""


def parsed(*words: str) -> argparse.Namespace:
    """Give the flags as parsed."""
    parser = argparse.ArgumentParser()
    provider.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def running() -> Iterator[subprocess.Popen[str]]:
    """Give a provider on a free port."""
    command = [sys.executable, "-c", COMMAND, "--port", "0", "--key", "sk-1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process
        process.kill()


def test_it_serves_and_ends(running: subprocess.Popen[str]) -> None:
    """One line with the base URL; then it answers; SIGTERM ends it with 0."""
    assert running.stdout is not None
    base_url = running.stdout.readline().strip()
    stats_url = base_url.removesuffix("/v1") + "/sim/stats"
    with urllib.request.urlopen(stats_url, timeout=5) as answer:
        assert answer.status == 200
    running.send_signal(signal.SIGTERM)
    assert running.wait(5) == 0


def test_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every fault with its sentence."""
    assert provider.run(parsed("--faults")) == 0
    assert "reset" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"), [("default: {nope: 1}", "nope"), (None, "cannot be read"), ("models: [", "describe.yaml:1")]
)
def test_wrong_description_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    """Exit 2, and the place of what is wrong."""
    file = tmp_path / "describe.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert provider.run(parsed("--describe", str(file))) == 2
    assert says in capsys.readouterr().err
