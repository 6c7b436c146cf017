"""How pages write values: what is unknown is a dash, never a zero."""

from __future__ import annotations

from datetime import UTC, datetime

UNKNOWN = "–"


def pct(value: float | None, digits: int | None = None) -> str:
    """
    Give a percentage, with the digits that mean something.

    >>> pct(0.0), pct(0.034), pct(2.345), pct(48.6), pct(None)
    ('0 %', '0.03 %', '2.3 %', '49 %', '–')
    """
    if value is None:
        return UNKNOWN
    if digits is None:
        digits = 0 if value == 0 or abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    return f"{value:.{digits}f} %"


def ms(value: float | None) -> str:
    """
    Give a time in milliseconds, or seconds where those read better.

    >>> ms(3.21), ms(412.4), ms(2345.0), ms(None)
    ('3.2 ms', '412 ms', '2.35 s', '–')
    """
    if value is None:
        return UNKNOWN
    if value >= 1_000:
        return f"{value / 1_000:.3g} s"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def usd(value: float | None) -> str:
    """
    Give an amount in US dollars, three digits of it.

    >>> usd(0.0), usd(0.001234), usd(12.345), usd(1234.5), usd(None)
    ('$0', '$0.00123', '$12.35', '$1,234.50', '–')
    """
    if value is None:
        return UNKNOWN
    if value == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    return f"${float(f'{value:.3g}'):.8f}".rstrip("0")


def count(value: float | None) -> str:
    """
    Give a number of things.

    >>> count(1234567), count(0), count(None)
    ('1,234,567', '0', '–')
    """
    return UNKNOWN if value is None else f"{value:,.0f}"


def times(value: float | None) -> str:
    """
    Give a ratio.

    >>> times(2.04), times(0.5), times(13.2), times(None)
    ('2.0 ×', '0.50 ×', '13 ×', '–')
    """
    if value is None:
        return UNKNOWN
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:.{digits}f} ×"


def duration(seconds: float | None) -> str:
    """
    Give a stretch of time by its two largest units.

    >>> duration(42), duration(3_700), duration(200_000), duration(None)
    ('42 s', '1 h 1 min', '2 d 7 h', '–')
    """
    if seconds is None:
        return UNKNOWN
    left, parts = max(0, int(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def iso(unix_ms: float | None) -> str:
    """
    Give a moment as machines read it.

    >>> iso(0), iso(None)
    ('1970-01-01T00:00:00Z', '')
    """
    return "" if unix_ms is None else f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def when(unix_ms: float | None) -> str:
    """
    Give a moment as people read it, in UTC: a script turns it into the reader's own zone.

    >>> when(0), when(None)
    ('1970-01-01 00:00 UTC', '–')
    """
    return UNKNOWN if unix_ms is None else f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
