"""Templates fill in fields, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.template import render_template, template_fields


def test_fields_are_listed() -> None:
    """Each once, in order of first use; doubled braces are none."""
    assert template_fields("{user}: {original} {{no}} {metadata.plan} {user}") == ("user", "original", "metadata.plan")


@pytest.mark.parametrize("text", ["{", "}", "a {user", "user} b", "{}", "{{}", "{a{b}", "{{{"])
def test_unbalanced_is_refused(text: str) -> None:
    """A lone brace is an error with its place, never a guess."""
    with pytest.raises(ValueError, match=r"character \d+; write {{ or }}"):
        template_fields(text)


def test_values_are_filled_in() -> None:
    """Fields become values, doubled braces single ones, unknown names nothing."""
    assert render_template("{{{user}}} {none}!", {"user": "ana"}) == "{ana} !"


def test_values_are_not_expanded() -> None:
    """Braces that a client sends stay as they are."""
    values = {"original": "{user} }} {{", "user": "secret"}
    assert render_template("<{original}>", values) == "<{user} }} {{>"


@given(st.text())
def test_any_value_survives(value: str) -> None:
    """Whatever a value holds, it comes out unchanged."""
    assert render_template("a{original}b{{", {"original": value}) == f"a{value}b{{"


@given(st.text())
def test_plain_text_round_trips(text: str) -> None:
    """Text with its braces doubled renders to itself."""
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert template_fields(escaped) == ()
    assert render_template(escaped, {}) == text
