"""Reading values that stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings.document.section import EnvironmentReference, FileReference
from gateway.settings.scope import Scope

MakeScope = Callable[..., Scope]


def test_values_are_found(make_scope: MakeScope, tmp_path: Path) -> None:
    """Text inline, in a file, in the environment."""
    (tmp_path / "x").write_text("contents\n")
    scope = make_scope()
    assert scope.read_text((), FileReference(file="x")) == "contents\n"
    assert scope.read_reference((), FileReference(file="x")) == "contents"
    assert scope.read_reference((), EnvironmentReference(env="KEY")) == "sk-secret-value"
    assert scope.read_json((), {"a": 1}) == {"a": 1}


def test_bad_json_has_its_place(make_scope: MakeScope, tmp_path: Path) -> None:
    """A JSON file that does not read is named with line and column."""
    (tmp_path / "x.json").write_text('{\n"a" 1}')
    scope = make_scope()
    assert scope.read_json(("version",), FileReference(file="x.json")) is None
    with pytest.raises(ConfigError, match=r"'x\.json' is not JSON: line 2, column"):
        scope.findings.raise_errors()


def test_pasted_key_is_not_repeated(make_scope: MakeScope) -> None:
    """A key where a variable's name belongs does not reach the error, nor the repr."""
    scope = make_scope()
    assert scope.read_environment(("version",), "sk_live_abcdef") is None
    with pytest.raises(ConfigError) as caught:
        scope.findings.raise_errors()
    assert "abcdef" not in str(caught.value) + repr(scope)
