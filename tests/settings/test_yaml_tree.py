"""YAML to values with places, from untrusted bytes."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings.yaml_tree import parse_yaml, spell_path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: 1:30", "1:30"),
        ("a: 1e3", 1000.0),
        ("a: 1_000", "1_000"),
        ("a: 0x10", 16),
        ("a: -3", -3),
        ("a: '010'", "010"),
        ("a: true", True),
        ("a: ~", None),
        ("a:", None),
        ("a: 'true'", "true"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: 2026-11-22", "2026-11-22"),
        ("a: .5", 0.5),
    ],
)
def test_scalars_are_core_schema(text: str, value: Any) -> None:
    """YAML 1.2's core schema decides, so `no` and `1:30` stay text."""
    parsed = parse_yaml(text.encode(), name="f").root["a"]
    assert (parsed, type(parsed)) == (value, type(value))


def test_places_are_kept() -> None:
    """Values and keys know their line and column; what is missing, its nearest holder's."""
    tree = parse_yaml("\ufeffa: 1\nb:\n  - {c: x}\n".encode(), name="f")
    assert tree.place_of(("b", 0, "c")) == (3, 9)
    assert tree.place_of(("b", 0, "c"), key=True) == (3, 6)
    assert tree.place_of(("b", 0, "z", "y")) == (3, 5)
    assert tree.place_of(()) == (1, 1)


def test_aliases_share_values() -> None:
    """An alias is its anchor's value, and anchors may be given anew."""
    assert parse_yaml(b"a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x", name="f").root == {
        "a": {"k": 1},
        "b": {"k": 1},
        "c": 2,
        "d": 2,
    }


def test_laughs_are_counted() -> None:
    """Aliases of aliases are counted expanded, before anything is built from them."""
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    text = "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels])
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        parse_yaml(text.encode(), name="f")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a: \xff", "f:1:4: byte 0xff is not UTF-8"),
        ("a: é\nb: ".encode() + b"\x80", "f:2:4: byte 0x80"),
        ("a: 1".encode("utf-16"), "f:1:1: the file is UTF-16"),
        (b"\xed\xa0\x80", "f:1:1: byte 0xed"),
    ],
)
def test_encoding_is_utf8(raw: bytes, expected: str) -> None:
    """Other encodings are refused at the byte that gives them away."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(raw, name="f")
    assert expected in str(caught.value)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!|>'\"#%@`\n\t ?,<~0.\x85", max_size=80)))
def test_nothing_else_is_raised(source: bytes | str) -> None:
    """Whatever the bytes, there is a tree or a ConfigError."""
    raw = source if isinstance(source, bytes) else source.encode()
    try:
        parse_yaml(raw, name="f")
    except ConfigError as error:
        assert error.findings[0].line >= 1


def test_depth_is_cheap() -> None:
    """Deep nesting is refused before it is read to the end."""
    began = process_time()
    with pytest.raises(ConfigError, match="nested deeper than 64"):
        parse_yaml(b"- " * 100_000, name="f")
    assert process_time() - began < 5


def test_paths_read_well() -> None:
    """Key paths are spelled as people write them."""
    assert spell_path(("routes", "a", "shadows", 0, "x\n")) == "routes.a.shadows[0].'x\\n'"
