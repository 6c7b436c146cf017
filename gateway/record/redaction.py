"""
What every route's texts lose before they are stored, as the table in use says.

Prompts are JSON, and answers often are. In JSON an address may be spelt with escapes and a number may stand behind the
`n` of a line break, so the strings in it are looked into one by one, those that are JSON themselves as well; what was
not JSON after all, or was cut in the middle, string by string as far as it goes. The whole is gone over once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.domain.table import RoutingTable
from gateway.record.redact import KINDS, Redactor, redactor_of
from gateway.wire.excerpt import CUT_MARK, MAX_EXCERPT_BYTES

MARGIN_CHARS = 320
"""Let go of at the end of a text that was cut: half of an address is none to a pattern, and still somebody's."""

_DEPTH = 4
"""How deep JSON is looked for in strings of JSON."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)', re.DOTALL)
_WHOLE_SIGNS = re.compile(r'"(?:[^"\\]|\\(?:[^u]|u[0-9a-fA-F]{4}))*', re.DOTALL)
_HALF_A_PAIR = 6
_BRACKETS = ("{", "[")


class RouteRedaction:
    """
    Redacts by route.

    A route that the table does not name any more loses everything that can be looked for.
    """

    def __init__(self, table: Callable[[], RoutingTable | None]) -> None:
        """`table` gives the table in use."""
        self._table = table
        self._made: dict[tuple[str, ...], Redactor] = {}

    def redact(self, route: str, text: str) -> str:
        """Give `text` without what the route's `redact` names; may be called from any thread."""
        kinds = self._kinds_of(route)
        if not kinds or not text:
            return text
        redactor = self._made.get(kinds)
        if redactor is None:
            redactor = self._made[kinds] = redactor_of(kinds)
        return redact_deep(text, redactor)

    def _kinds_of(self, name: str) -> tuple[str, ...]:
        table = self._table()
        route = table.route(name) if table is not None else None
        return tuple(KINDS) if route is None else route.redact


def redact_deep(text: str, redact: Redactor) -> str:
    r"""
    Redact a text that may be JSON, or a piece of it.

    >>> redact_deep('{"say": "ann\\u0040example.org"}', redactor_of(["email"]))
    '{"say":"[email]"}'
    """
    if not text.endswith(CUT_MARK) or len(text) * 4 < MAX_EXCERPT_BYTES:
        return _redact_any(text, redact, _DEPTH)
    kept = text.removesuffix(CUT_MARK)
    if kept.lstrip().startswith(_BRACKETS):
        kept = _redact_strings(kept, redact, _DEPTH)
    return redact(kept)[:-MARGIN_CHARS] + CUT_MARK


def _redact_any(text: str, redact: Redactor, depth: int) -> str:
    if depth and text.lstrip().startswith(_BRACKETS):
        try:
            value = msgspec.json.decode(text)
            shown = _redact_value(value, redact, depth - 1)
            if shown != value:
                text = msgspec.json.encode(shown).decode()
        except (ValueError, RecursionError):
            text = _redact_strings(text, redact, depth - 1)
    return redact(text)


def _redact_value(value: Any, redact: Redactor, depth: int) -> Any:
    if isinstance(value, str):
        return _redact_any(value, redact, depth)
    if isinstance(value, list):
        return [_redact_value(each, redact, depth) for each in value]
    if isinstance(value, dict):
        return {_redact_any(key, redact, depth): _redact_value(each, redact, depth) for key, each in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        written = str(value)
        shown = redact(written)
        return value if shown == written else shown
    return value


def _redact_strings(text: str, redact: Redactor, depth: int) -> str:
    """Redact what stands in quotes, undoing its escapes."""
    return _STRING.sub(lambda match: _redact_string(match.group(), redact, depth), text)


def _redact_string(written: str, redact: Redactor, depth: int) -> str:
    is_whole = len(written) > 1 and written.endswith('"')
    value = _decode_string(written if is_whole else _closed(written))
    if value is None:
        return written
    shown = _redact_any(value, redact, depth)
    if shown == value:
        return written
    encoded = msgspec.json.encode(shown).decode()
    return encoded if is_whole else encoded[:-1]


def _closed(written: str) -> str:
    """End a string that was cut, in front of an escape that is not whole."""
    found = _WHOLE_SIGNS.match(written)
    return (found.group() if found else '"') + '"'


def _decode_string(written: str) -> str | None:
    for candidate in (written, written[: -_HALF_A_PAIR - 1] + '"'):
        try:
            value = msgspec.json.decode(candidate, type=str)
        except ValueError:
            continue
        return value
    return None
