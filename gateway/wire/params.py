"""
Parameter rewrites on top-level fields and one level below.

Every function edits `fields` in place and stores a new value only where it differs, so that a
caller can tell by identity whether anything changed. A field that is null counts as present.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.domain.variant import Clamp, Path
from gateway.wire.body import OPEN_BRACE, Fields

_FIELDS = msgspec.json.Decoder(Fields)
_MAX_INT_CHARS = 400
"""Integers with more digits lie beyond every bound a float can express."""

_TRUE = msgspec.Raw(b"true")
_NULL = msgspec.Raw(b"null")

Edit = Callable[[Fields, str], None]
"""Changes one name of an object in place."""


def put(fields: Fields, name: str, value: msgspec.Raw) -> None:
    """Write a value unless the very same bytes stand there."""
    if fields.get(name) != value:
        fields[name] = value


def rename_field(fields: Fields, old: str, new: str) -> None:
    """Move a value to a new name at the same place; a new name already present wins."""
    if old not in fields or old == new:
        return
    if new in fields:
        del fields[old]
        return
    renamed = {new if name == old else name: value for name, value in fields.items()}
    fields.clear()
    fields.update(renamed)


def unset_path(fields: Fields, path: Path) -> None:
    """Take a field out."""
    _edit_existing(fields, path, _unset)


def default_path(fields: Fields, path: Path, value: bytes) -> None:
    """Put a value in where none is; an outer value that is no object is left alone."""
    if len(path) == 2 and path[0] not in fields:
        fields[path[0]] = _object({path[1]: msgspec.Raw(value)})
        return
    _edit_existing(fields, path, lambda inner, name: put(inner, name, inner.get(name, msgspec.Raw(value))))


def set_path(fields: Fields, path: Path, value: bytes) -> None:
    """Put a value in whatever was there; an outer value that is no object becomes one."""
    raw = msgspec.Raw(value)
    if len(path) == 1:
        put(fields, path[0], raw)
    elif _is_object(fields.get(path[0])):
        _edit_existing(fields, path, lambda inner, name: put(inner, name, raw))
    else:
        fields[path[0]] = _object({path[1]: raw})


def clamp_path(fields: Fields, clamp: Clamp) -> None:
    """Bring a number within bounds; what is absent or no number is left alone."""
    _edit_existing(fields, clamp.path, lambda inner, name: _clamp(inner, name, clamp))


def include_usage(fields: Fields) -> None:
    """Ask for the usage of a stream, beside whatever other stream options the client sent."""
    options = fields.get("stream_options")
    if options is None or options == _NULL:
        fields["stream_options"] = _object({"include_usage": _TRUE})
    elif _is_object(options):
        _edit_existing(fields, ("stream_options", "include_usage"), lambda inner, name: put(inner, name, _TRUE))


def _edit_existing(fields: Fields, path: Path, edit: Edit) -> None:
    """Apply `edit` to the object that holds the path's last name, if there is such an object."""
    if len(path) == 1:
        edit(fields, path[0])
        return
    outer = fields.get(path[0])
    if outer is None or not _is_object(outer):
        return
    inner = _FIELDS.decode(outer)
    before = dict(inner)
    edit(inner, path[1])
    if list(inner.items()) != list(before.items()):
        fields[path[0]] = _object(inner)


def _unset(fields: Fields, name: str) -> None:
    fields.pop(name, None)


def _clamp(fields: Fields, name: str, clamp: Clamp) -> None:
    raw = fields.get(name)
    if raw is None:
        return
    literal = bytes(raw)
    if literal[:1] not in b"-0123456789":
        return
    number = _number_of(literal)
    # Python compares int with float exactly, so 2**53 + 1 is not taken for 2**53.
    if clamp.max is not None and number > clamp.max:
        fields[name] = _bound(clamp.max)
    elif clamp.min is not None and number < clamp.min:
        fields[name] = _bound(clamp.min)


def _number_of(literal: bytes) -> int | float:
    if literal.lstrip(b"-").isdigit():
        if len(literal) <= _MAX_INT_CHARS:
            return int(literal)
        return float("-inf") if literal[:1] == b"-" else float("inf")
    return float(literal)


def _bound(bound: float) -> msgspec.Raw:
    """Give a bound as JSON; a whole one as an integer, because many fields take nothing else."""
    is_whole = float(bound).is_integer()
    return msgspec.Raw(msgspec.json.encode(int(bound) if is_whole else bound))


def _is_object(raw: msgspec.Raw | None) -> bool:
    return raw is not None and memoryview(raw)[0] == OPEN_BRACE


def _object(fields: Fields) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))
