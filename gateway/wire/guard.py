"""
Guards at work: an answer's text in, what they object to out.

Every check takes time linear in the text, whatever pattern or text it meets: patterns run on RE2, those
inside a JSON Schema on an engine without backtracking (one that needs it does not compile), nesting and
size are bounded before a schema is asked. Nothing is fetched: a schema that refers elsewhere does not
compile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import msgspec
import re2  # type: ignore[import-untyped]

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.domain.outcome import Safety
from gateway.errors import ContentBlockedError
from gateway.wire.body import is_deeper

MAX_JSON_BYTES = 1024 * 1024
"""A longer answer keeps to no schema: 1 MiB can take a validator 50 ms of everybody's time."""

MAX_JSON_DEPTH = 128
"""A deeper one likewise. Above what anybody asks a model for, far below where a validator's stack ends."""

_MAX_REGEX_BYTES = 4 * 1024 * 1024
_SENSITIVE_TO_END = ("$", "\\b", "\\B", "\\z")
_ANY = msgspec.json.Decoder()
_UNREAD = object()


class GuardFinding(NamedTuple):
    """
    One guard that objects.

    Attributes:
        name: Which.
        kind: What it looks at.
        action: What is to follow.
    """

    name: str
    kind: GuardKind
    action: GuardAction


class GuardReport(NamedTuple):
    """
    What all guards together say of an answer.

    Attributes:
        findings: Those that object, in the order of the guards.
        is_valid_format: Whether it keeps to the JSON Schema; None where none is asked for, or none could be.
    """

    findings: tuple[GuardFinding, ...] = ()
    is_valid_format: bool | None = None

    @property
    def blocked_by(self) -> GuardFinding | None:
        """Give the first guard that keeps the answer from the client."""
        return next((found for found in self.findings if found.action is GuardAction.BLOCK), None)

    @property
    def _telling(self) -> GuardFinding | None:
        flagged = (found for found in self.findings if found.kind is not GuardKind.JSON_SCHEMA)
        return self.blocked_by or next(flagged, None)

    @property
    def safety(self) -> Safety:
        """Give the class of the outcome: a schema that only flags is a matter of format, not of safety."""
        if self.blocked_by is not None:
            return Safety.OUTPUT_BLOCKED
        return Safety.NONE if self._telling is None else Safety.FLAGGED

    @property
    def safety_category(self) -> str | None:
        """Give the name of the guard behind it."""
        telling = self._telling
        return None if telling is None else telling.name


class SchemaValidator(Protocol):
    """A compiled JSON Schema."""

    def is_valid(self, instance: Any) -> bool:
        """Tell whether the value fits."""
        ...


class GuardSet:
    """
    The guards of one variant, compiled. Make it once per table and variant.

    Attributes:
        blocks: Any of them may keep an answer from the client.
        is_buffered: Streams are to be held back until they have been checked.
        has_schema: Any of them asks for a format.
    """

    __slots__ = (
        "_first_block",
        "_lengths",
        "_order",
        "_passing",
        "_patterns",
        "_schemas",
        "blocks",
        "has_schema",
        "is_buffered",
    )

    def __init__(self, guards: Iterable[Guard]) -> None:
        """
        Compile the guards.

        Raises:
            ValueError: A pattern or schema does not compile; those of a table always do.
        """
        self._patterns: list[tuple[GuardFinding, Any]] = []
        self._passing: list[tuple[GuardFinding, Any, bool]] = []
        self._schemas: list[tuple[GuardFinding, SchemaValidator]] = []
        self._lengths: list[tuple[GuardFinding, int, int | None]] = []
        self._order: dict[str, int] = {}
        self._first_block: GuardFinding | None = None
        self.blocks = self.is_buffered = False
        for guard in guards:
            finding = GuardFinding(guard.name, guard.kind, guard.action)
            self._order[guard.name] = len(self._order)
            self.blocks = self.blocks or guard.action is GuardAction.BLOCK
            self.is_buffered = self.is_buffered or (guard.is_buffered and guard.action is GuardAction.BLOCK)
            if guard.action is GuardAction.BLOCK and self._first_block is None:
                self._first_block = finding
            self._add(guard, finding)
        self.has_schema = bool(self._schemas)

    def __repr__(self) -> str:
        """Give the names."""
        return f"<GuardSet {', '.join(self._order)}>"

    def _add(self, guard: Guard, finding: GuardFinding) -> None:
        if guard.kind is GuardKind.PATTERN:
            pattern = compile_pattern(guard.pattern)
            self._patterns.append((finding, pattern))
            if guard.action is GuardAction.BLOCK:
                is_sensitive = any(mark in guard.pattern for mark in _SENSITIVE_TO_END)
                self._passing.append((finding, pattern, is_sensitive))
        elif guard.kind is GuardKind.JSON_SCHEMA:
            self._schemas.append((finding, compile_schema(_ANY.decode(guard.schema))))
        else:
            self._lengths.append((finding, guard.min_chars, guard.max_chars))

    def check(self, text: str, *, is_whole: bool = True) -> tuple[GuardFinding, ...]:
        """
        Give the guards that object to one text, in the order they are written.

        Args:
            text: All there is of it.
            is_whole: False for what is left of a stream that broke: only what could not have been mended
                by the rest is objected to.
        """
        raw = text.encode("utf-8", "replace")
        found = [finding for finding, pattern in self._patterns if pattern.search(raw) is not None]
        n_chars = len(text)
        for finding, min_chars, max_chars in self._lengths:
            if (is_whole and n_chars < min_chars) or (max_chars is not None and n_chars > max_chars):
                found.append(finding)
        if is_whole and self._schemas:
            found += self._check_format(raw)
        return self.ordered(found)

    def check_passing(self, recent: bytes, start: int, n_chars: int) -> tuple[GuardFinding | None, bool]:
        """
        Look for what keeps an answer from the client while it is still on its way.

        Args:
            recent: The end of the text, as UTF-8.
            start: Where in it the search begins.
            n_chars: Length of the text so far.

        Returns:
            The guard that objects, if one does; and whether one might, depending on what comes next: `\\b`
            and `$` match at the end of what came, and may not in what follows.
        """
        for finding, _, max_chars in self._lengths:
            if finding.action is GuardAction.BLOCK and max_chars is not None and n_chars > max_chars:
                return finding, False
        may_object = False
        for finding, pattern, is_sensitive in self._passing:
            match = pattern.search(recent, start)
            if match is None:
                continue
            if not is_sensitive or match.end() < len(recent):
                return finding, False
            may_object = True
        return None, may_object

    def judge(self, texts: Iterable[str]) -> GuardReport:
        """Check every text of a whole answer; with one to judge, its format is known as well."""
        found: set[GuardFinding] = set()
        has_text = False
        for text in texts:
            has_text = True
            found.update(self.check(text))
        return self.report(found, has_text=has_text)

    def report(self, found: Iterable[GuardFinding], *, has_text: bool) -> GuardReport:
        """Give the report on an answer; `has_text` says that there was a whole text to judge."""
        findings = self.ordered(found)
        is_invalid = any(finding.kind is GuardKind.JSON_SCHEMA for finding in findings)
        is_known = self.has_schema and (has_text or is_invalid)
        return GuardReport(findings, not is_invalid if is_known else None)

    def ordered(self, found: Iterable[GuardFinding]) -> tuple[GuardFinding, ...]:
        """Give findings in the order of the guards."""
        return tuple(sorted(found, key=lambda finding: self._order[finding.name]))

    def first_block(self) -> GuardFinding:
        """Give the first guard that blocks: it answers for what is too long to be checked."""
        if self._first_block is None:
            raise AssertionError
        return self._first_block

    def _check_format(self, raw: bytes) -> list[GuardFinding]:
        try:
            value = _ANY.decode(raw) if len(raw) <= MAX_JSON_BYTES else _UNREAD
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = _UNREAD
        if value is _UNREAD or _is_deep(raw):
            return [finding for finding, _ in self._schemas]
        return [finding for finding, validator in self._schemas if not validator.is_valid(value)]


def blocked(finding: GuardFinding) -> ContentBlockedError:
    """Give what the client is told instead of the answer."""
    return ContentBlockedError(f"The answer was kept back: the guard {finding.name!r} of this route objects to it.")


def compile_pattern(pattern: str) -> Any:
    """
    Give the pattern ready to search UTF-8.

    Raises:
        ValueError: RE2 does not read it; the message says why.
    """
    options = re2.Options()
    options.log_errors = False
    # Whether it matches is all that is asked, and groups cost as much again.
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if isinstance(error, re2.error) and error.args else "it is no text"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(reason) from None


def compile_schema(schema: Any) -> SchemaValidator:
    """
    Give a JSON Schema ready to judge values.

    Raises:
        ValueError: It is no schema, refers to something outside itself, or holds a pattern that needs
            backtracking; the message's first line says which.
    """
    # A library of 10 MB, which only those load who have such a guard.
    import jsonschema_rs

    bounded = jsonschema_rs.RegexOptions(size_limit=_MAX_REGEX_BYTES, dfa_size_limit=_MAX_REGEX_BYTES)
    try:
        return jsonschema_rs.validator_for(schema, pattern_options=bounded, retriever=_refuse)
    except jsonschema_rs.ReferencingError as error:
        raise ValueError(str(error)) from None


def _refuse(uri: str) -> Any:
    message = f"{uri[:200]} is outside the schema"
    raise ValueError(message)


def _is_deep(raw: bytes) -> bool:
    # Depth cannot exceed the number of openers, and most answers have few.
    return raw.count(b"{") + raw.count(b"[") > MAX_JSON_DEPTH and is_deeper(raw, MAX_JSON_DEPTH)
