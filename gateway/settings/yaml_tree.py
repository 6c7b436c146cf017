"""
YAML to plain values that remember where they stood, without trusting a byte of it.

Built from libyaml's event stream with a stack of our own, so that depth, aliases and size are bounded
before anything is built, and no input can exhaust the interpreter's stack. Scalars follow YAML 1.2's
core schema: only true and false are booleans, `no`, `on` and `1:30` are strings, `1e3` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml

from gateway.errors import ConfigError, Finding

MAX_FILE_BYTES = 1024 * 1024
"""Sixteen times the size whose reload is promised in 200 ms; a generated file of 1,000 routes fits."""

MAX_DEPTH = 64
"""A JSON schema written inline may nest this deep; a document itself needs nine."""

MAX_ALIASES = 100
MAX_NODES = 100_000
"""Counted with aliases expanded: a small file cannot become a large one."""

KeyPath = tuple[str | int, ...]
Mark = tuple[int, int]

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_RESOLVED_START = frozenset("0123456789+-.~nNtTfF")
_MAX_INT = 2**63 - 1
_MAX_INT_CHARS = 20


@dataclass(frozen=True, slots=True)
class YamlTree:
    """
    A document's values, and the place of each.

    Attributes:
        root: Dicts, lists, strings, ints, floats, bools and None; all ints fit in 64 bits.
        start: Where the root stands; None for an empty document.
        places: By id of each dict and list in `root`, libyaml's marks in order: a list's values, a
            dict's keys and values by turns.
    """

    root: Any
    start: Any = field(repr=False)
    places: dict[int, list[Any]] = field(repr=False)

    def place_of(self, path: KeyPath, *, key: bool = False) -> Mark:
        """Give where the value (or the key) at `path` stands; where it is missing, what would hold it."""
        at, mark = self.root, self.start
        for depth, step in enumerate(path):
            marks = self.places.get(id(at))
            if isinstance(at, dict) and marks is not None and step in at:
                turn = 0 if key and depth == len(path) - 1 else 1
                mark = marks[2 * list(at).index(step) + turn]
            elif isinstance(at, list) and marks is not None and isinstance(step, int) and 0 <= step < len(at):
                mark = marks[step]
            else:
                break
            at = at[step]
        return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _RefusedError(Exception):
    """What this reader will not take; becomes a Finding."""

    def __init__(self, mark: Mark, problem: str, remedy: str = "", path: KeyPath = ()) -> None:
        super().__init__(problem)
        self.finding = (mark, problem, remedy, path)


def parse_yaml(raw: bytes, *, name: str) -> YamlTree:
    """
    Give the tree of `raw`.

    Args:
        raw: UTF-8, with or without a byte order mark; at most `MAX_FILE_BYTES`.
        name: What findings call the file.

    Raises:
        ConfigError: For everything this reader does not take; it raises nothing else.
    """
    try:
        return _parse(_text_of(raw))
    except _RefusedError as error:
        (line, column), problem, remedy, path = error.finding
        raise ConfigError([Finding(name, line, column, spell_path(path), problem, remedy)]) from None


def spell_path(path: KeyPath) -> str:
    """
    Give a key path as people write it.

    >>> spell_path(("routes", "support", "shadows", 0, "sample"))
    'routes.support.shadows[0].sample'
    """
    parts = [f"[{step}]" if isinstance(step, int) else f".{_printable(step)}" for step in path]
    return "".join(parts).removeprefix(".")


def _printable(key: str) -> str:
    shown = key if len(key) <= 80 else key[:77] + "..."
    return shown if shown.isprintable() else repr(shown)


def _text_of(raw: bytes) -> str:
    if len(raw) > MAX_FILE_BYTES:
        size = f"{len(raw) / 1024 / 1024:.1f} MiB"
        raise _RefusedError((1, 1), f"the file is {size}, over 1 MiB", "move long prompts into files: {file: …}")
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _RefusedError((1, 1), "the file is UTF-16", "save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        mark = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _RefusedError(mark, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None


def _parse(text: str) -> YamlTree:
    """Give the tree; what libyaml cannot read is refused at its place."""
    try:
        loader = yaml.CSafeLoader(text)
        return _Builder().build(loader.get_event)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = (at.line + 1, at.column + 1) if at else (1, 1)
        context = f" {error.context}" if error.context else ""
        raise _RefusedError(mark, f"not YAML: {error.problem}{context}", _remedy_of(str(error.problem))) from None
    except yaml.reader.ReaderError as error:
        # The C reader counts bytes from the start of what it was given.
        before = text.encode()[: max(error.position, 0)].decode("utf-8", "ignore")
        mark = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _RefusedError(mark, "a control character that YAML does not allow", "take it out") from None
    except yaml.YAMLError as error:
        raise _RefusedError((1, 1), f"not YAML: {error}") from None


def _remedy_of(problem: str) -> str:
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs, and quote values that begin with @, ` or %"
    if "mapping values are not allowed" in problem:
        return "quote a value that holds ': ', and check the indentation"
    if "did not find expected" in problem:
        return "check the indentation and the brackets from here upwards"
    return ""


class _Frame:
    """A mapping or list being built; `key` waits for its value."""

    __slots__ = ("anchor", "container", "is_map", "key", "marks", "n_before")

    def __init__(self, container: Any, marks: list[Any], anchor: str | None, n_before: int) -> None:
        self.container = container
        self.is_map = type(container) is dict
        self.marks = marks
        self.anchor = anchor
        self.key: str | None = None
        self.n_before = n_before


class _Builder:
    """Takes events one by one; the stack is a list, so depth costs no recursion."""

    def __init__(self) -> None:
        self.top = self.frame = _Frame([], [], None, 0)
        self.stack = [self.top]
        self.places: dict[int, list[Any]] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.n_nodes = 0
        self.n_aliases = 0

    def build(self, next_event: Callable[[], Any]) -> YamlTree:
        take_by_kind: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._take_scalar,
            yaml.MappingStartEvent: self._open_map,
            yaml.SequenceStartEvent: self._open_list,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._take_alias,
            yaml.StreamStartEvent: self._skip,
            yaml.DocumentStartEvent: self._open_document,
            yaml.DocumentEndEvent: self._skip,
        }
        end = yaml.StreamEndEvent
        while (kind := type(event := next_event())) is not end:
            take_by_kind[kind](event)
        document = self.top.container
        return YamlTree(document[0] if document else None, self.top.marks[0] if document else None, self.places)

    def _skip(self, event: Any) -> None:
        """Take what says nothing."""

    def _open_document(self, event: Any) -> None:
        if self.top.container:
            raise self._refused(event, "a second document begins here", "keep one document, without ---")

    def _take_scalar(self, event: Any) -> None:
        if event.tag is not None:
            raise self._tag_refused(event)
        frame = self.frame
        if frame.is_map and frame.key is None:
            self._take_key(frame, event)
            return
        value = event.value
        # Most text begins with a letter that starts no number and no word of the core schema.
        if not event.style and (not value or value[0] in _RESOLVED_START):
            value = self._scalar_of(value, event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._place(frame, value, event, 1)
        frame.key = None

    def _take_key(self, frame: _Frame, event: Any) -> None:
        frame.key = key = event.value
        if key == "<<" and not event.style:
            raise self._refused(event, "merge keys (<<) are not read", "a variant inherits with `like`")
        if key in frame.container:
            first = frame.marks[2 * list(frame.container).index(key)]
            problem = f"the key {_printable(key)!r} is here twice, first on line {first.line + 1}"
            raise self._refused(event, problem, "keep one of them")
        frame.marks.append(event.start_mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = (key, 1)

    def _open_map(self, event: Any) -> None:
        self._open(event, {})

    def _open_list(self, event: Any) -> None:
        self._open(event, [])

    def _open(self, event: Any, container: Any) -> None:
        if event.tag is not None:
            raise self._tag_refused(event)
        if len(self.stack) > MAX_DEPTH:
            raise self._refused(event, f"nested deeper than {MAX_DEPTH}")
        parent = self.frame
        if parent.is_map and parent.key is None:
            raise self._key_refused(event)
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        marks = self.places[id(container)] = []
        self.frame = _Frame(container, marks, event.anchor, self.n_nodes)
        self.stack.append(self.frame)
        # An open container's path is read off its parents' keys: the parent's is kept until it closes.
        self._place(parent, container, event, 1)

    def _close(self, _event: Any) -> None:
        frame = self.stack.pop()
        self.frame = self.stack[-1]
        self.frame.key = None
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.container, self.n_nodes - frame.n_before)

    def _take_alias(self, event: Any) -> None:
        frame = self.frame
        if frame.is_map and frame.key is None:
            raise self._key_refused(event)
        self.n_aliases += 1
        if self.n_aliases > MAX_ALIASES:
            raise self._refused(event, f"more than {MAX_ALIASES} aliases", "a variant inherits with `like`")
        if event.anchor not in self.anchors:
            problem = f"the alias *{_printable(event.anchor)} has no finished anchor before it"
            raise self._refused(event, problem, "define it with & above")
        value, n_nodes = self.anchors[event.anchor]
        self._place(frame, value, event, n_nodes)
        frame.key = None

    def _place(self, frame: _Frame, value: Any, event: Any, n_nodes: int) -> None:
        self.n_nodes += n_nodes
        if self.n_nodes > MAX_NODES:
            raise self._refused(event, f"more than {MAX_NODES:,} values, aliases expanded")
        frame.marks.append(event.start_mark)
        if frame.is_map:
            frame.container[frame.key] = value
        else:
            frame.container.append(value)

    def _scalar_of(self, text: str, event: Any) -> str | int | float | bool | None:
        """Give a plain scalar's value; what different readers read differently is refused."""
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text) or _BASED.match(text):
            value = int(text, 0) if len(text) <= _MAX_INT_CHARS else _MAX_INT + 1
            if abs(value) > _MAX_INT:
                raise self._refused(event, "a number too large for 64 bits", "quote it")
            return value
        if _LEADING_ZERO.match(text):
            problem = f"{text[:20]} is octal to some readers and decimal to others"
            raise self._refused(event, problem, "quote it, or drop the leading zero")
        if _FLOAT.match(text):
            number = float(text)
            if isfinite(number):
                return number
            raise self._refused(event, "a number too large for 64 bits", "quote it")
        if _NOT_FINITE.match(text):
            raise self._refused(event, f"{text} has no place in JSON", "write a finite number")
        return text

    def _key_refused(self, event: Any) -> _RefusedError:
        return self._refused(event, "a key must be plain text", "quote it")

    def _tag_refused(self, event: Any) -> _RefusedError:
        return self._refused(event, f"tags such as {_printable(event.tag)!r} are not read", "take it out")

    def _refused(self, event: Any, problem: str, remedy: str = "") -> _RefusedError:
        path: list[str | int] = []
        for frame in self.stack[1:]:
            if not frame.is_map:
                path.append(max(len(frame.container) - (frame is not self.stack[-1]), 0))
            elif frame.key is not None:
                path.append(frame.key)
        return _RefusedError((event.start_mark.line + 1, event.start_mark.column + 1), problem, remedy, tuple(path))
