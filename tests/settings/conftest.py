"""Compiling small files, as most tests here do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text
from gateway.settings.document.document import Document
from gateway.settings.files import NamedFiles
from gateway.settings.findings import Findings
from gateway.settings.scope import Scope
from gateway.settings.shape import parse_document
from gateway.settings.yaml_tree import parse_yaml

Compile = Callable[..., Compiled]
MakeScope = Callable[..., Scope]

_DOCUMENT = """\
version: 1
providers:
  p: {provider}
routes:
  r:
    variants:
      a: {a}
      b: {b}
    release: {release}
    {route}
{top}
"""


def document_text(**parts: str) -> str:
    """Give a file that is right, but for what is given."""
    defaults = {
        "provider": "{base_url: 'https://h/v1'}",
        "a": "{model: m}",
        "b": "{like: a}",
        "release": "{split: {arms: {a: 50%, b: 50%}}}",
        "route": "",
        "top": "",
    }
    return _DOCUMENT.format(**{**defaults, **parts})


@pytest.fixture
def compile_parts(tmp_path: Path) -> Compile:
    """Give a function that compiles a file made of parts."""

    def compile_it(previous: Allocations | None = None, **parts: str) -> Compiled:
        return compile_text(
            document_text(**parts),
            name="sluice.yaml",
            folder=tmp_path,
            environ={"KEY": "sk-secret-value"},
            version=3,
            seal_key=bytes(range(32)),
            previous=previous or Allocations(),
        )

    return compile_it


@pytest.fixture
def make_scope(tmp_path: Path) -> MakeScope:
    """Give a function that makes the scope of a file made of parts."""

    def make(**parts: str) -> Scope:
        tree = parse_yaml(document_text(**parts).encode(), name="sluice.yaml")
        findings = Findings("sluice.yaml", tree)
        document = parse_document(tree, findings)
        assert isinstance(document, Document)
        return Scope(document, findings, NamedFiles(tmp_path), {"KEY": "sk-secret-value"})

    return make
