"""Times, lengths, numbers and evidence as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_MOST_ITEMS = 8


def moment(unix_ms: int) -> str:
    """
    Give a time in UTC, to the second.

    >>> moment(1_763_800_000_000)
    '2025-11-22 08:26:40 UTC'
    """
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "an unknown time"


def duration(seconds: float) -> str:
    """
    Give a length of time in the two largest units that matter.

    >>> duration(40), duration(7_260), duration(180_000), duration(3_600)
    ('40 s', '2 h 1 min', '2 d 2 h', '1 h')
    """
    left, parts = max(0, round(seconds)), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        n, left = divmod(left, size)
        if n:
            parts.append(f"{n} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def share(pct: float) -> str:
    """
    Give a percentage.

    >>> share(2.5), share(50.0)
    ('2.5 %', '50 %')
    """
    return f"{pct:g} %"


def percent(ratio: float, digits: int = 1) -> str:
    """
    Give a share of 1 as a percentage.

    >>> percent(0.831), percent(1.0, 0)
    ('83.1 %', '100 %')
    """
    return f"{100 * ratio:.{digits}f} %"


def number(value: float) -> str:
    """
    Give a number with four digits that matter; whole ones whole.

    >>> number(12_345), number(0.031234), number(311.0)
    ('12,345', '0.03123', '311')
    """
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def evidence_words(evidence: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """
    Give evidence as pairs of words, nested names joined.

    >>> evidence_words({"e_value": 311.2, "candidate": {"n_units": 25}, "is_sure": True})
    (('e value', '311.2'), ('candidate n units', '25'), ('is sure', 'yes'))
    """
    return tuple(_pairs_of(evidence, ""))


def one_line(text: str) -> str:
    """
    Give text on one line, without anything that would move a terminal's cursor.

    >>> one_line("a\\n b\\x1b[2J")
    'a b [2J'
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _pairs_of(evidence: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in evidence.items():
        label = one_line(f"{prefix}{name}".replace("_", " "))
        if isinstance(value, Mapping):
            yield from _pairs_of(value, f"{label} ")
        else:
            yield label, _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        shown = ", ".join(_plain(item) for item in value[:_MOST_ITEMS])
        return shown if len(value) <= _MOST_ITEMS else f"{shown} and {len(value) - _MOST_ITEMS} more"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text}" for name, text in evidence_words(value))
    return one_line(str(value))
