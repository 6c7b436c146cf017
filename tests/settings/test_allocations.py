"""Allocations on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.settings.allocations import (
    MAX_ALLOCATIONS,
    Allocation,
    Allocations,
    read_allocations,
    write_allocations,
)

_ONE = Allocation(3, (("a", 5_000), ("b", 5_000)), ((0, 5_000, "b"), (5_000, 10_000, "a")))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Nothing is lost on the way, and nothing is left beside."""
    path = tmp_path / "allocations.json"
    write_allocations(path, Allocations({"r": _ONE}))
    assert read_allocations(path) == Allocations({"r": _ONE})
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_empty(tmp_path: Path) -> None:
    """A first start has no allocations."""
    assert read_allocations(tmp_path / "none") == Allocations()


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"format": 2, "releases": []}',
        b'{"format": 1, "releases": [["r", [0, [], [[0, 5, "a"]]]]]}',
        b'{"format": 1, "releases": [["r", [70000, [], [[0, 10000, "a"]]]]]}',
    ],
)
def test_corruption_is_not_guessed_at(tmp_path: Path, contents: bytes) -> None:
    """What cannot be trusted is refused, with the way out."""
    path = tmp_path / "allocations.json"
    path.write_bytes(contents)
    with pytest.raises(StateError, match="move it away"):
        read_allocations(path)


def test_unwritable_folder_is_said(tmp_path: Path) -> None:
    """A folder that is gone is a StateError."""
    with pytest.raises(StateError, match="cannot write"):
        write_allocations(tmp_path / "gone" / "allocations.json", Allocations())


def test_vanished_releases_are_kept() -> None:
    """A revert finds them; the longest unused are forgotten first."""
    old = Allocations({str(n): _ONE for n in range(MAX_ALLOCATIONS)})
    kept = old.updated({"new": _ONE, "5": _ONE}).by_release
    assert ("0" in kept, "1" in kept, len(kept), list(kept)[-2:]) == (False, True, MAX_ALLOCATIONS, ["new", "5"])
