"""Findings, gathered."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.settings.findings import Findings, nearest_of
from gateway.settings.yaml_tree import parse_yaml


def _findings() -> Findings:
    return Findings("f", parse_yaml(b"a: 1\nb: {c: 2}\n", name="f"))


def test_errors_come_in_file_order() -> None:
    """They are sorted by place, and the same one is said once."""
    findings = _findings()
    findings.refuse(("b", "c"), "late")
    findings.refuse(("b", "c"), "late")
    findings.refuse(("a",), "early", "mend it")
    with pytest.raises(ConfigError) as caught:
        findings.raise_errors()
    assert str(caught.value) == "f:1:4 a: early; mend it\nf:2:8 b.c: late"


def test_warnings_do_not_raise() -> None:
    """A warning stops nothing."""
    findings = _findings()
    findings.warn(("a",), "odd", key=True)
    findings.raise_errors()
    assert [str(warning) for warning in findings.warnings] == ["f:1:1 a: odd"]


def test_nearest_name_is_offered() -> None:
    """The nearest known name is the remedy; else the known ones are listed."""
    assert nearest_of("curent", ["current"], "variant") == "did you mean 'current'?"
    assert nearest_of("zzz", ["a", "b"], "variant") == "known: a, b"
    assert nearest_of("zzz", [], "variant") == "no variant is defined"
