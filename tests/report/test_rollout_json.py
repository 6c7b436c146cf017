"""A report as JSON."""

from __future__ import annotations

import orjson

from gateway.report.rollout_json import render_json
from gateway.report.rollout_summary import summarize
from tests.report import story


def test_json_is_the_summary() -> None:
    """Every field of the summary is in it, as JSON values."""
    summary = summarize(story.rollout(), story.entries(), now_unix_ms=story.NOW)
    told = orjson.loads(orjson.dumps(render_json(summary)))
    assert told["headline"] == summary.headline
    assert [one["id"] for one in told["decisions"]] == [one.id for one in summary.decisions]
    assert told["timeline"]["steps"][1]["weight_pct"] == 50.0
