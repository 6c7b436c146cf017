"""`sluice demo` from outside: it ends by itself, says what it saw, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demo import BEHAVIOUR, BROKEN_SHARE, CONFIG, next_steps, prompts_of, rollout_of, sentence_for
from gateway.simulator.describe import parse_behaviour

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gateway", "demo", "--seconds", "3"]


def environment(folder: Path) -> dict[str, str]:
    """Give one without a home, with temporary files in `folder` and somebody's own settings in the way."""
    mine = {
        "HOME": "/nonexistent",
        "TMPDIR": str(folder),
        "SLUICE_ADMIN_TOKEN": "x" * 32,
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    return {**os.environ, **mine}


def test_config_is_the_file() -> None:
    """What the demo runs is what configs/demo.yaml says."""
    assert (ROOT / "configs" / "demo.yaml").read_text() == CONFIG


def test_rollout_is_a_right_file() -> None:
    """What the fourth act saves compiles, and has a candidate that the provider breaks."""
    rolled = rollout_of(CONFIG)
    assert "rollout:" in rolled and "split:" not in rolled and "cheaper: {like: current" in rolled
    assert parse_behaviour(BEHAVIOUR).models["sim-shaky"].error_rate == BROKEN_SHARE


def test_demo_holds_and_cleans_up(tmp_path: Path) -> None:
    """It ends with 0, every claim ticked, the way on named, and no file left."""
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=115)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == 12 and "✗" not in done.stdout and "\x1b" not in done.stdout
    assert "sluice.yaml:19:15 routes.support.variants.concise.like" in done.stdout
    assert "serve --config configs/openai.yaml" in done.stdout
    report = tmp_path / "sluice-shadow-report.html"
    assert str(report) in done.stdout and "<html" in report.read_text()
    assert list(tmp_path.iterdir()) == [report]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with 130, its processes and its files too."""
    demo = subprocess.Popen(COMMAND, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    first = next(line for line in demo.stdout if "gateway " in line and "http" in line)
    demo.send_signal(number)
    demo.communicate(timeout=20)
    assert first and demo.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_prompts_are_counted() -> None:
    """What a provider received is summed up as prompts, most common first; other calls do not count."""

    def entry(prompt: str, temperature: float) -> dict[str, Any]:
        messages = [{"role": "system", "content": prompt}]
        return {"json": {"model": "sim-small", "temperature": temperature, "messages": messages}}

    copied = {"json": entry("a", 0.7)["json"] | {"model": "sim-bigger"}}
    received: list[dict[str, Any]] = [entry("b", 0.3), entry("a", 0.7), {"json": None}, {}, entry("a", 0.7), copied]
    assert prompts_of(received) == [(0.7, "a"), (0.3, "b")]


def test_sentence_has_the_time() -> None:
    """The one sentence says how long it took."""
    assert "within 120 ms" in (said := sentence_for(119.7, 14.2)) and "after 14 s" in said


def test_next_steps_fit_the_place() -> None:
    """Commands are spelled as this one was called, and name only files that are there."""
    assert ".venv/bin/sluice serve --config configs/openai.yaml" in next_steps(".venv/bin/sluice", has_checkout=True)
    assert "sluice init" in next_steps("/x/gateway/__main__.py", has_checkout=False)
