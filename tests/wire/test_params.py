"""Parameter rewrites touch what they name and nothing else."""

from __future__ import annotations

import pytest

from gateway.domain.variant import Clamp, Path
from gateway.wire.body import encode_fields, parse_fields
from gateway.wire.params import clamp_path, default_path, include_usage, rename_field, set_path, unset_path


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'{"a":1,"max_tokens":5,"b":2}', b'{"a":1,"new":5,"b":2}'),
        (b'{"new":7,"max_tokens":5}', b'{"new":7}'),
        (b'{"a":1}', b'{"a":1}'),
    ],
)
def test_rename(body: bytes, after: bytes) -> None:
    """A field keeps its place; a new name already there wins."""
    fields = parse_fields(body)
    rename_field(fields, "max_tokens", "new")
    assert encode_fields(fields) == after


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (("a",), b'{"t":{"x": 1.0,"y":2}}'),
        (("t", "x"), b'{"a":1,"t":{"y":2}}'),
        (("t", "none"), b'{"a":1,"t":{"x": 1.0, "y":2}}'),
        (("a", "x"), b'{"a":1,"t":{"x": 1.0, "y":2}}'),
        (("none", "x"), b'{"a":1,"t":{"x": 1.0, "y":2}}'),
    ],
)
def test_unset(path: Path, after: bytes) -> None:
    """Only the named field goes; values around it stay byte for byte."""
    fields = parse_fields(b'{"a":1,"t":{"x": 1.0, "y":2}}')
    unset_path(fields, path)
    assert encode_fields(fields) == after.replace(b'{"x": 1.0,"y":2}', b'{"x": 1.0, "y":2}')


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (("a",), b'{"a":1,"t":{"x":1.0},"z":null}'),
        (("z",), b'{"a":1,"t":{"x":1.0},"z":null}'),
        (("new",), b'{"a":1,"t":{"x":1.0},"z":null,"new":9}'),
        (("t", "x"), b'{"a":1,"t":{"x":1.0},"z":null}'),
        (("t", "y"), b'{"a":1,"t":{"x":1.0,"y":9},"z":null}'),
        (("new", "y"), b'{"a":1,"t":{"x":1.0},"z":null,"new":{"y":9}}'),
        (("a", "y"), b'{"a":1,"t":{"x":1.0},"z":null}'),
    ],
)
def test_default(path: Path, after: bytes) -> None:
    """Fills gaps only; null is no gap, and a scalar is not turned into an object."""
    fields = parse_fields(b'{"a":1,"t":{"x":1.0},"z":null}')
    default_path(fields, path, b"9")
    assert encode_fields(fields) == after


@pytest.mark.parametrize(
    ("path", "after"),
    [
        (("a",), b'{"a":9,"t":{"x":1.0}}'),
        (("new",), b'{"a":1,"t":{"x":1.0},"new":9}'),
        (("t", "x"), b'{"a":1,"t":{"x":9}}'),
        (("t", "y"), b'{"a":1,"t":{"x":1.0,"y":9}}'),
        (("a", "y"), b'{"a":{"y":9},"t":{"x":1.0}}'),
        (("new", "y"), b'{"a":1,"t":{"x":1.0},"new":{"y":9}}'),
    ],
)
def test_set(path: Path, after: bytes) -> None:
    """Overwrites whatever was there, also a scalar where an object is wanted."""
    fields = parse_fields(b'{"a":1,"t":{"x":1.0}}')
    set_path(fields, path, b"9")
    assert encode_fields(fields) == after


BIG = b"9" * 5_000


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (b"0.5", b"0.5"),
        (b"1.50", b"1.50"),
        (b"2", b"2"),
        (b"3", b"2"),
        (b"2.0000001", b"2"),
        (b"-1", b"0"),
        (b"1e400", b"2"),
        (BIG, b"2"),
        (b"-" + BIG, b"0"),
        (b'"3"', b'"3"'),
        (b"null", b"null"),
        (b"[3]", b"[3]"),
    ],
)
def test_clamp(value: bytes, after: bytes) -> None:
    """Numbers out of bounds move to the bound; everything else keeps its bytes."""
    fields = parse_fields(b'{"a":' + value + b"}")
    clamp_path(fields, Clamp(("a",), min=0, max=2))
    assert bytes(fields["a"]) == after


def test_clamp_is_exact() -> None:
    """Large integers are compared without becoming floats."""
    fields = parse_fields(b'{"a":9007199254740993,"b":9007199254740992}')
    clamp_path(fields, Clamp(("a",), max=9007199254740992.0))
    clamp_path(fields, Clamp(("b",), max=9007199254740992.0))
    assert encode_fields(fields) == b'{"a":9007199254740992,"b":9007199254740992}'


def test_clamp_inside_and_absent() -> None:
    """Works one level down, writes fractions as they are, and adds nothing."""
    fields = parse_fields(b'{"t":{"x":7,"y": 1}}')
    clamp_path(fields, Clamp(("t", "x"), max=1.5))
    clamp_path(fields, Clamp(("none",), min=1))
    assert encode_fields(fields) == b'{"t":{"x":1.5,"y":1}}'


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"{}", b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":null}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":{"x":1,"include_usage":false}}', b'{"stream_options":{"x":1,"include_usage":true}}'),
        (b'{"stream_options":{ "include_usage":true }}', b'{"stream_options":{ "include_usage":true }}'),
        (b'{"stream_options":7}', b'{"stream_options":7}'),
    ],
)
def test_include_usage(body: bytes, after: bytes) -> None:
    """The client's other stream options stay; nonsense is the provider's to refuse."""
    fields = parse_fields(body)
    include_usage(fields)
    assert encode_fields(fields) == after
