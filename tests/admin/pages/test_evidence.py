"""Evidence as rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.pages.evidence import MAX_ROWS, sections_of

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=9), json, max_size=6))
def test_anything_becomes_rows(evidence: dict[str, Any]) -> None:
    """Whatever JSON a rule kept, a page of it can be made, and every row is words."""
    sections = sections_of(evidence)
    assert all(isinstance(word, str) for section in sections for row in section.rows for word in row)


def test_long_evidence_is_cut() -> None:
    """A page of a factorial's evidence has an end."""
    sections = sections_of({"cells": [{"arm": f"a{index}", "n": index} for index in range(1_000)]})
    assert sum(len(section.rows) for section in sections) == MAX_ROWS


def test_gates_are_named() -> None:
    """What belongs to one gate stands under its name, however deep."""
    evidence = {"ratio": 6.5, "gates": [{"gate": "errors", "verdict": "fail", "asked": [{"metric": "5xx", "n": 20}]}]}
    assert [section.title for section in sections_of(evidence)] == ["", "gates: errors", "gates: errors › asked: 5xx"]
