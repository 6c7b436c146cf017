"""`sluice plan shadow`: from a file of prompts or from the store, and what to do where neither says enough."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.cli.main import main

CONFIG = """version: 1
providers:
  local: {base_url: "http://127.0.0.1:1/v1", auth: none}
routes:
  support:
    variants: {current: {model: a}, bigger: {like: current, model: b}}
    price:
      current: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}
      bigger: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}
    release: {fixed: {variant: current}}
    shadows: [{variant: bigger, sample: 20%, noise: 0%}]
  plain:
    variants: {only: {model: a}}
    release: {fixed: {variant: only}}
"""


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    """Give a file with one shadow."""
    file = tmp_path / "sluice.yaml"
    file.write_text(CONFIG)
    return file


def plan(config: Path, *arguments: str) -> int:
    """Run the command."""
    return main(["plan", "shadow", *arguments, "--config", str(config), "--state", str(config.parent / "state")])


def test_from_prompts(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of prompts and how often they come is enough."""
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Where is my order?\n\nHow do I change my address?\n" * 10)
    assert plan(config, "--prompts", str(prompts), "--requests-per-day", "50000", "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["shadows"][0]["copies_per_day"] == 10_000 and told["shadows"][0]["usd_per_day"] > 20
    assert "20 prompts, tokens estimated from their bytes" in told["demand"]["source"]


def test_text_begins_with_the_sum(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, the cost first, then how soon it tells something."""
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("hi\n")
    assert plan(config, "--prompts", str(prompts), "--requests-per-day", "10") == 1
    said = capsys.readouterr().out
    assert "bigger would cost $" in said and "No: at this traffic" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "there is no store"),
        (("nowhere",), "has no route 'nowhere'"),
        (("plain",), "name a route with `shadows`"),
        (("--prompts", "missing.txt"), "--requests-per-day"),
        (("--prompts", "missing.txt", "--requests-per-day", "5"), "cannot read"),
    ],
)
def test_what_is_missing(
    config: Path, arguments: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be reckoned is refused with the way out."""
    assert plan(config, *arguments) == 2
    assert problem in capsys.readouterr().err


def test_broken_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is wrong is told by line and column."""
    config.write_text(CONFIG.replace("sample: 20%", "sample: 200%"))
    assert plan(config) == 2
    assert "sluice.yaml:11:" in capsys.readouterr().err
