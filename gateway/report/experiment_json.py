"""
An experiment's report as JSON: the summary's own names, numbers as they are.

While the comparison cannot be believed, what compares arms stands under `withheld` and nowhere else: a script that
reads `effects` then reads none.
"""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from gateway.report.experiment_summary import ExperimentSummary

LISTS, SECTIONS = ("effects", "looks", "segments"), ("bandit", "factorial", "ladder")
COMPARING = (*LISTS, "detectable", *SECTIONS)


def render_experiment_json(summary: ExperimentSummary) -> dict[str, Any]:
    """Give the report; a number that is none (not known, without bound) is null."""
    rendered: dict[str, Any] = _plain(asdict(summary))
    rendered["verdict"] = _plain(asdict(summary.answer))
    rendered["is_withheld"] = summary.is_withheld
    if summary.ratio_check is not None:
        rendered["ratio_check"]["is_alarm"] = summary.ratio_check.is_alarm
    if summary.is_withheld:
        rendered["withheld"] = {name: rendered[name] for name in COMPARING}
        rendered |= {name: [] for name in LISTS} | {"detectable": {}} | dict.fromkeys(SECTIONS)
    return rendered


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    # Halves of characters, which no JSON can hold, are spelt.
    return str(value).encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
