"""`sluice init`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from gateway.cli import init
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    return init.run(parser.parse_args(words))


def test_answers_make_a_file(tmp_path: Path) -> None:
    """Three questions at most, and the result compiles, whatever is typed as a model."""
    answers = iter(["http://127.0.0.1:9000/v1", 'm: "1"', "n"])
    text, needs_key = init.render_config(lambda _question, _default: next(answers))
    compiled = compile_text(
        text, name="f", folder=tmp_path, environ={}, version=1, seal_key=bytes(32), previous=Allocations()
    )
    assert ([v.model for v in compiled.routes[0].variants.values()], needs_key) == (['m: "1"', "n"], False)


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays, unless forced."""
    path = tmp_path / "sluice.yaml"
    assert _run(str(path), "--yes") == 0
    assert _run(str(path), "--yes") == 2
    assert "--force" in capsys.readouterr().err
    assert _run(str(path), "--yes", "--force") == 0


def test_bad_url_is_refused() -> None:
    """It is said at once, not by the next `check`."""
    with pytest.raises(ValueError, match="neither http nor https"):
        init.render_config(lambda _question, _default: "nonsense")
