"""A rollout's summary as JSON, for scripts: the same words and numbers as the other renderers show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.report.rollout_summary import RolloutSummary


def render_json(summary: RolloutSummary) -> dict[str, Any]:
    """Give the summary as JSON values, field by field; pairs of words become lists of two."""
    return asdict(summary)
