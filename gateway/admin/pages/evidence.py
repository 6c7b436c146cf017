"""What a decision stood on, as rows a person reads: plain names, numbers with the digits that mean something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.admin.pages.words import UNKNOWN

MAX_ROWS = 400
"""Of one decision: a factorial's is long, and a page of it all is read by nobody."""


@dataclass(frozen=True, slots=True)
class Section:
    """
    Rows that belong together.

    Attributes:
        title: What they are about; empty for the decision as a whole.
        rows: (name, value) in words.
    """

    title: str
    rows: tuple[tuple[str, str], ...]


def sections_of(evidence: Mapping[str, Any]) -> list[Section]:
    """
    Give evidence as sections: plain values first, then whatever holds others.

    >>> sections_of({"failing_users": 7, "gates": [{"gate": "errors", "asked": None}]})
    [Section(title='', rows=(('failing users', '7'),)), Section(title='gates: errors', rows=(('asked', '–'),))]
    """
    found: list[Section] = []
    _collect("", evidence, found)
    left, kept = MAX_ROWS, []
    for section in found:
        if left > 0:
            kept.append(Section(section.title, section.rows[:left]))
            left -= len(section.rows)
    return kept


def _collect(title: str, facts: Mapping[str, Any], found: list[Section]) -> None:
    plain = {name: value for name, value in facts.items() if _is_plain(value)}
    if plain:
        found.append(Section(title, tuple((label_of(name), value_of(value)) for name, value in plain.items())))
    for name, value in facts.items():
        if name in plain:
            continue
        own = f"{title} › {label_of(name)}" if title else label_of(name)
        if isinstance(value, Mapping):
            _collect(own, value, found)
            continue
        for index, one in enumerate(value, 1):
            if isinstance(one, Mapping):
                _collect(f"{own}: {_name_of(one, index)}", one, found)
            else:
                found.append(Section(f"{own}: {index}", (("value", value_of(one)),)))


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return False
    return not isinstance(value, list | tuple) or not any(isinstance(one, Mapping | list | tuple) for one in value)


def _name_of(one: Mapping[str, Any], index: int) -> str:
    for name in ("gate", "signal", "metric", "segment", "arm", "name"):
        if isinstance(one.get(name), str):
            return str(one[name])
    return str(index)


def label_of(name: str) -> str:
    """
    Give a field's name as words.

    >>> label_of("candidate_failing_users"), label_of("window_s"), label_of("mean_usd")
    ('candidate failing users', 'window, s', 'mean, $')
    """
    for suffix, unit in (("_unix_ms", "unix ms"), ("_ms", "ms"), ("_usd", "$"), ("_pct", "%"), ("_s", "s")):
        if name.endswith(suffix) and len(name) > len(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')}, {unit}"
    return name.replace("_", " ")


def value_of(value: object) -> str:
    """
    Give a value in words.

    >>> value_of(0.0312345), value_of(12000), value_of(None), value_of([1, 2]), value_of(True)
    ('0.03123', '12,000', '–', '1, 2', 'yes')
    """
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) < 1e12 and value == int(value) else f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value_of(one) for one in value) or UNKNOWN
    return str(value)
