"""`like`."""

from __future__ import annotations

from typing import Any

from gateway.settings.document.variant import VariantSection
from gateway.settings.findings import Findings
from gateway.settings.inherit import Inherited, inherit
from gateway.settings.yaml_tree import parse_yaml


def _inherit(**variants: dict[str, Any]) -> dict[str, Inherited]:
    sections = {name: VariantSection.model_validate(value) for name, value in variants.items()}
    return inherit(sections, ("v",), Findings("f", parse_yaml(b"a: 1", name="f")))


def test_child_overrides_by_key() -> None:
    """Maps merge by name, what is whole is replaced, and both remember where they were written."""
    child = _inherit(
        b={"like": "a", "model": "n", "params": {"set": {"y": 3}}},
        a={"model": "m", "provider": "p", "params": {"set": {"x": 1, "y": 2}}},
    )["b"]
    assert {name: part.value for name, part in child.maps["set"].items()} == {"x": 1, "y": 3}
    assert child.whole["model"].value == "n"
    assert child.whole["provider"].path == ("v", "a", "provider")


def test_unset_takes_inherited_away() -> None:
    """What a child unsets is not set by its parent any more; and the other way round."""
    made = _inherit(
        a={"params": {"set": {"temperature": 1}, "unset": ["seed"]}},
        b={"like": "a", "params": {"unset": ["temperature"], "set": {"seed": 1}}},
    )["b"]
    assert (list(made.maps["set"]), list(made.maps["unset"])) == (["seed"], ["temperature"])


def test_empty_value_takes_inherited_away() -> None:
    """An explicit null is an answer."""
    assert "tools" not in _inherit(a={"tools": []}, b={"like": "a", "tools": None})["b"].whole


def test_long_chains_are_fine() -> None:
    """A chain of a thousand is followed without recursion."""
    variants: dict[str, dict[str, Any]] = {f"v{n}": {"like": f"v{n + 1}"} for n in range(1_000)}
    assert _inherit(**variants, v1000={"model": "m"})["v0"].whole["model"].value == "m"
