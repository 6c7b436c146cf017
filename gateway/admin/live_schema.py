"""JSON Schemas of live numbers: what `live_operations` says in words, for machines."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_MAYBE: Schema = {"type": ["number", "null"], "minimum": 0}
_YES_OR_NO: Schema = {"type": "boolean"}


def _of(**fields: Schema) -> Schema:
    """Give an object that has all of these fields."""
    return {"type": "object", "required": list(fields), "properties": fields}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


_RATIOS = _of(error_ratio=_MAYBE, safety_ratio=_MAYBE, latency_ratio=_MAYBE, cost_ratio=_MAYBE)

ARM = _of(
    arm=_TEXT,
    role={"enum": ["baseline", "candidate"]},
    weight_pct={"type": "number", "minimum": 0, "maximum": 100},
    is_stopped=_YES_OR_NO,
    n_requests=_COUNT,
    requests_per_s=_MAYBE,
    error_pct=_MAYBE,
    safety_pct=_MAYBE,
    ttft_p50_ms=_MAYBE,
    ttft_p95_ms=_MAYBE,
    latency_p50_ms=_MAYBE,
    latency_p95_ms=_MAYBE,
    cost_usd_per_1k=_MAYBE,
    tokens_in=_MAYBE_COUNT,
    tokens_out=_MAYBE_COUNT,
    feedback={"type": "object", "additionalProperties": _of(n=_COUNT, good_pct=_MAYBE)},
    against_baseline={**_RATIOS, "type": ["object", "null"]},
)
"""One arm of a route."""

ROUTE = _of(
    route=_TEXT,
    release=_TEXT,
    kind={"enum": ["fixed", "split", "rollout", "bandit", "factorial", "ladder"]},
    phase=_MAYBE_TEXT,
    stage_label=_MAYBE_TEXT,
    sentence=_TEXT,
    waits_for=_MAYBE_TEXT,
    is_latched=_YES_OR_NO,
    warnings=_list_of(_TEXT),
    n_requests=_COUNT,
    without_user_pct=_MAYBE,
    arms=_list_of(ARM),
    series=_list_of(_of(unix_s=_COUNT, n_requests=_COUNT, n_errors=_COUNT)),
)
"""One route."""

OVERVIEW = _of(
    at_unix_ms=_COUNT,
    window_s=_COUNT,
    seen_s={"type": "number", "minimum": 0},
    routes=_list_of(ROUTE),
    providers=_list_of(_of(provider=_TEXT, state=_TEXT, until_unix_ms=_MAYBE_COUNT)),
)
"""Every route."""
