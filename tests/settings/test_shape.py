"""From tree to document."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.settings.findings import Findings
from gateway.settings.shape import parse_document
from gateway.settings.yaml_tree import parse_yaml


def _errors(text: str) -> tuple[bool, str]:
    tree = parse_yaml(text.encode(), name="f")
    findings = Findings("f", tree)
    document = parse_document(tree, findings)
    with pytest.raises(ConfigError) as caught:
        findings.raise_errors()
    return document is not None, str(caught.value)


_FINE = """version: 1
providers: {p: {base_url: 'http://h'}}
routes: {r: {variants: {a: {}}, release: {fixed: {variant: a}}}}"""


def test_unknown_key_is_left_out() -> None:
    """The document is read without it, so that later checks run too."""
    is_read, said = _errors(f"{_FINE}\nrouts: 1")
    assert is_read
    assert said == "f:4:1 routs: unknown key 'routs'; did you mean 'routes'?"


def test_secret_is_not_repeated() -> None:
    """A value under a key that may hold a secret is not quoted."""
    is_read, said = _errors(_FINE.replace("base_url: 'http://h'", "base_url: 'http://h', api_key_env: 123456"))
    assert (is_read, "123456" in said) == (False, False)


def test_union_members_are_not_places() -> None:
    """Pydantic's names for members of a union do not stand in key paths."""
    _, said = _errors(_FINE.replace("a: {}", "a: {system_prompt: {replace: {fil: x}}}"))
    assert "routes.r.variants.a.system_prompt.replace.fil: unknown key 'fil'; did you mean 'file'?" in said
