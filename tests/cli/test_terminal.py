"""What is said goes where it belongs."""

from __future__ import annotations

import pytest

from gateway.cli.terminal import say, say_json, warn


def test_streams_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers go to stdout, warnings to stderr."""
    say("yes")
    say()
    warn("but")
    assert capsys.readouterr() == ("yes\n\n", "but\n")


def test_json_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is indented, and takes whatever has a string form."""
    say_json({"a": [1], "path": object})
    assert capsys.readouterr().out.startswith('{\n  "a": [\n    1\n')
