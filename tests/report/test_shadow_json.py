"""A shadow report for scripts."""

from __future__ import annotations

import orjson

from gateway.report.shadow_json import render_shadow_json
from gateway.report.shadow_summary import ShadowSummary
from tests.fakes.pairs import World
from tests.report.test_shadow_summary import summarized


def test_names_are_stable() -> None:
    """Everything is there under the summary's own names, and what is no number is null."""
    rendered = render_shadow_json(ShadowSummary("support", "now", "", (summarized(World(n=300)),)))
    again = orjson.loads(orjson.dumps(rendered))
    (shadow,) = again["shadows"]
    assert again["route"] == "support" and shadow["variant"] == "bigger" and shadow["n_pairs"] == 300
    assert {"state", "headline", "findings", "judge", "results", "segments", "telling"} <= shadow.keys()
    assert {"name", "effect", "low", "high", "is_worse", "sentence"} <= shadow["findings"][0].keys()
