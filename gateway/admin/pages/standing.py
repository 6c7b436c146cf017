"""
How every route stands: what the file says, how its release stands, and what traffic did, in one value each.

Whatever is not known is None: without a controller there is no stage, without live numbers there are no rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.admin.operations import Json, Operations
from gateway.admin.pages.charts import BASELINES

MIN_REQUESTS = 20
"""Of an arm, before a ratio of its rates is worth a colour."""

BAD_RATIO = 2.0
"""Times the baseline from which a rate is shown in red: what trips act on unless the file says otherwise."""

FAILING_PCT = 5.0
"""Of an arm's requests, from which it is said to fail whatever its baseline does: then both may."""

_WAITING = frozenset({"awaiting_approval", "holding", "paused"})
_NUMBERS = (
    *("n_requests", "requests_per_s", "error_pct", "safety_pct", "ttft_p50_ms", "ttft_p95_ms", "latency_p50_ms"),
    *("latency_p95_ms", "cost_usd_per_1k", "tokens_in", "tokens_out", "against_baseline"),
)


def routes_now(operations: Operations) -> list[Json]:
    """Give every route, the worst first, then what is on its way."""
    found = [route_of(operations, name) for name in operations.config().get("routes", {})]
    return sorted((one for one in found if one is not None), key=lambda one: (-one["rank"], one["route"]))


def route_of(operations: Operations, name: str) -> Json | None:
    """Give one route; None where there is none of this name."""
    configured = operations.config().get("routes", {}).get(name)
    if configured is None:
        return None
    release = configured["release"]
    line = lines_by_release(operations).get(release["name"], {})
    live = (operations.live.route(name) if operations.live is not None else None) or {}
    facts: Json = {
        "route": name,
        "release": release["name"],
        "kind": release["kind"],
        "unit": release["unit"],
        "epoch": release["epoch"],
        "phase": line.get("phase"),
        "stage_label": (line.get("stage") or {}).get("label"),
        "sentence": line.get("sentence"),
        "waits_for": line.get("waits_for"),
        "is_latched": bool(line.get("is_latched")) or any(arm["is_stopped"] for arm in line.get("arms", ())),
        "is_steered": bool(line),
        "warnings": [],
        "without_user_pct": None,
        "series": [],
        "is_live": bool(live),
        "variants": configured["variants"],
        "fallback": configured["fallback"],
    }
    is_latched = facts["is_latched"] or bool(live.get("is_latched"))
    facts |= {key: live[key] for key in facts if live.get(key) is not None} | {"is_latched": is_latched}
    facts["arms"] = _arms(release["arms"], line, live, is_latched=facts["is_latched"])
    facts["n_requests"] = sum(arm["n_requests"] or 0 for arm in facts["arms"]) if live else None
    facts["tone"] = tone_of(facts)
    facts["rank"] = {"bad": 3, "warn": 2}.get(facts["tone"], int(facts["phase"] == "progressing"))
    return facts


def lines_by_release(operations: Operations) -> dict[str, Json]:
    """Give how releases stand in short, by name; nothing while nobody steers."""
    if operations.steering is None:
        return {}
    told = operations.steering.rollouts()
    return {line["release"]: line for line in (*told.get("rollouts", ()), *told.get("splits", ()))}


def _arms(configured: Sequence[Json], line: Json, live: Json, *, is_latched: bool) -> list[Json]:
    numbers = {arm["arm"]: arm for arm in live.get("arms", ())}
    stopped = {arm["arm"] for arm in line.get("arms", ()) if arm["is_stopped"]}
    arms = []
    for arm in sorted(configured, key=lambda one: one["role"] not in BASELINES):
        name, own = arm["variant"], numbers.get(arm["variant"], {})
        is_candidate_of_rollout = is_latched and "stage" in line and arm["role"] == "candidate"
        facts = {"arm": name, "role": arm["role"], "weight_pct": arm["weight_pct"]}
        facts |= {key: own.get(key) for key in _NUMBERS} | {"feedback": own.get("feedback") or {}}
        facts["is_stopped"] = bool(own.get("is_stopped")) or name in stopped or is_candidate_of_rollout
        facts["worse"] = ("error",) if is_failing(facts) else worse_of(facts)
        arms.append(facts)
    return arms


def worse_of(arm: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Give which of an arm's rates are far above the baseline's.

    >>> worse_of({"n_requests": 40, "against_baseline": {"error_ratio": 3.1, "latency_ratio": 1.2}})
    ('error',)
    >>> worse_of({"n_requests": 4, "against_baseline": {"error_ratio": 9.0}})
    ()
    """
    ratios = arm.get("against_baseline") or {}
    if (arm.get("n_requests") or 0) < MIN_REQUESTS:
        return ()
    return tuple(
        name for name in ("error", "safety", "latency", "cost") if (ratios.get(f"{name}_ratio") or 0) > BAD_RATIO
    )


def is_failing(arm: Mapping[str, Any]) -> bool:
    """
    Say whether an arm that gets users fails too many of their requests.

    >>> is_failing({"is_stopped": False, "n_requests": 77, "error_pct": 100.0})
    True
    """
    is_enough = (arm["n_requests"] or 0) >= MIN_REQUESTS
    return is_enough and not arm["is_stopped"] and (arm["error_pct"] or 0) >= FAILING_PCT


def tone_of(facts: Mapping[str, Any]) -> str:
    """Give `bad` where something is stopped or fails, `warn` where a person is wanted or a rate is far off."""
    if facts["is_latched"] or facts["phase"] == "rolled_back" or any(is_failing(arm) for arm in facts["arms"]):
        return "bad"
    if facts["phase"] in _WAITING or any(arm["worse"] for arm in facts["arms"]):
        return "warn"
    return ""


def headline_of(routes: Sequence[Mapping[str, Any]]) -> str:
    """Give what is true of all routes now, in a sentence or two."""
    if not routes:
        return "No route is configured yet."
    n_all = f"All {len(routes)} routes" if len(routes) > 1 else f"The one route, {routes[0]['route']},"
    failing = [(one, arm) for one in routes for arm in one["arms"] if is_failing(arm)]
    if failing:
        one, arm = failing[0]
        more = f" {len(failing) - 1} more arms fail." if len(failing) > 1 else ""
        return f"{arm['arm']} on {one['route']} fails {arm['error_pct']:.0f} % of its requests.{more}"
    bad = [one for one in routes if one["tone"] == "bad"]
    if bad:
        rest = f" {len(bad)} of {len(routes)} routes have something stopped." if len(bad) > 1 else ""
        return f"{_sentence(bad[0], 'has a stopped arm')}{rest}"
    waiting = [one for one in routes if one["phase"] in _WAITING]
    if waiting:
        waits = f" It waits for {waiting[0]['waits_for']}." if waiting[0]["waits_for"] else ""
        return f"{_sentence(waiting[0], 'waits for a person')}{waits}"
    worse = [(one, arm) for one in routes for arm in one["arms"] if arm["worse"]]
    if worse:
        one, arm = worse[0]
        what = " and ".join(arm["worse"])
        return f"{arm['arm']} on {one['route']} does worse than its baseline ({what}); nothing was stopped yet."
    well = "are well" if len(routes) > 1 else "is well"
    if not all(one["is_live"] for one in routes):
        well = "are served as the file says" if len(routes) > 1 else "is served as the file says"
    moving = next((one for one in routes if one["phase"] == "progressing"), None)
    if moving is None:
        return f"{n_all} {well}."
    waits = f" and waits for {moving['waits_for']}" if moving["waits_for"] else ""
    return f"{n_all} {well}; {moving['route']} is at {moving['stage_label']}{waits}."


def _sentence(one: Mapping[str, Any], otherwise: str) -> str:
    text = str(one["sentence"] or f"{one['route']} {otherwise}").strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
