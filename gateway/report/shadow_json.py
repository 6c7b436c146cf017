"""A shadow report as JSON: the summary's own names, numbers as they are."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from gateway.report.shadow_summary import ShadowSummary


def render_shadow_json(summary: ShadowSummary) -> dict[str, Any]:
    """Give the report; a number that is none (not known, without bound) is null."""
    rendered: dict[str, Any] = _plain(asdict(summary))
    return rendered


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return str(value) if isinstance(value, str) else value
