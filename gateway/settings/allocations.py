"""
Which buckets each arm had when the table was last compiled: kept on disk, so that a restart moves nobody.

A file of its own rather than the store: it must be there when the store is not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import orjson

from gateway.domain.release import BUCKETS
from gateway.errors import StateError

MAX_ALLOCATIONS = 10_000
"""Releases remembered; the longest unused are forgotten first."""

FORMAT = 1


class Allocation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    How one release was last divided.

    Attributes:
        epoch: Counts up with every change of weights, 0 to 65,535.
        weights: (arm name, buckets) in file order.
        ranges: (first bucket, one past the last, arm name), sorted and touching.
    """

    epoch: int
    weights: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Allocations:
    """
    How every release was last divided.

    Attributes:
        by_release: By release name; those in use last.
    """

    by_release: Mapping[str, Allocation] = field(default_factory=dict)

    def updated(self, in_use: Mapping[str, Allocation]) -> Allocations:
        """Give these with `in_use` in their places; what the file no longer names is kept for a revert."""
        kept = {name: old for name, old in self.by_release.items() if name not in in_use}
        merged = {**kept, **in_use}
        return Allocations(dict(list(merged.items())[-MAX_ALLOCATIONS:]))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    releases: list[tuple[str, Allocation]]


def read_allocations(path: Path) -> Allocations:
    """
    Give what was written last; empty when nothing was.

    Raises:
        StateError: It is there and cannot be read.
    """
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return Allocations()
    except OSError as error:
        raise StateError(_unreadable(path, error.strerror or "unreadable")) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(_unreadable(path, str(error))) from None
    by_release = dict(stored.releases)
    if stored.format != FORMAT or not all(_is_sound(allocation) for allocation in by_release.values()):
        raise StateError(_unreadable(path, "its contents contradict themselves"))
    return Allocations(by_release)


def write_allocations(path: Path, allocations: Allocations) -> None:
    """
    Write them whole or not at all, and to the disk itself.

    Raises:
        StateError: The directory cannot be written.
    """
    encoded = orjson.dumps({"format": FORMAT, "releases": _rows_of(allocations)})
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error.strerror}; make room or give the state directory back its permissions"
        raise StateError(msg) from None


def _rows_of(allocations: Allocations) -> list[tuple[str, tuple[object, ...]]]:
    return [(name, (one.epoch, one.weights, one.ranges)) for name, one in allocations.by_release.items()]


def _unreadable(path: Path, reason: str) -> str:
    remedy = "restore it from a backup; or move it away, and users of running splits may change arm once"
    return f"cannot read {path}: {reason}; {remedy}"


def _is_sound(allocation: Allocation) -> bool:
    """Tell whether the ranges tile the buckets and the numbers are in range."""
    at = 0
    for start, end, _arm in allocation.ranges:
        if start != at or end <= start:
            return False
        at = end
    return at == BUCKETS and 0 <= allocation.epoch <= 0xFFFF and all(0 <= w <= BUCKETS for _, w in allocation.weights)
