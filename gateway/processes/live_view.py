"""A route's traffic of right now as pages and machines see it: one line of JSON from a table, sums and a rollout."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gateway.domain.release import BUCKETS, Arm, Role
from gateway.domain.route import Route
from gateway.telemetry.instruments import OPERATION_DURATION, TIME_TO_FIRST_CHUNK
from gateway.telemetry.recent import Place, Point, Recent, Traffic, quantile_of

Json = dict[str, Any]

MOST_WITHOUT_USER_PCT = 5.0
LEAST_REQUESTS = 20
"""Fewer say nothing about how many name no user."""


def route_view(route: Route, recent: Recent, line: Json | None) -> Json:
    """
    Give a route as `admin.live_operations` describes it.

    Args:
        route: As the table in use has it.
        recent: What the window brought.
        line: How its rollout or split stands, as `rollout_views` tells it; None where there is none.
    """
    line, release = line or {}, route.release
    of_route = [each for place, each in recent.traffic.items() if place.route == route.name]
    n_requests = sum(each.n_requests for each in of_route)
    without_user_pct = _pct(sum(each.n_without_user for each in of_route), n_requests)
    return {
        "route": route.name,
        "release": release.name,
        "kind": str(release.kind),
        "phase": line.get("phase"),
        "stage_label": line["stage"]["label"] if "stage" in line else None,
        "sentence": line.get("sentence") or sentence_of(route),
        "waits_for": line.get("waits_for"),
        "is_latched": bool(line.get("is_latched")) or any(arm["is_stopped"] for arm in line.get("arms", ())),
        "warnings": warnings_of(without_user_pct, n_requests),
        "n_requests": int(n_requests),
        "without_user_pct": without_user_pct,
        "arms": arms_view(route, recent, _stopped(line)),
        "series": [_point_view(point) for point in recent.points.get(route.name, ())],
    }


def sentence_of(route: Route) -> str:
    """Give how traffic is divided, of a release that nobody steers."""
    arms = route.release.arms
    if len(arms) == 1:
        return f"{arms[0].name} answers everybody on {route.name}."
    shares = ", ".join(f"{arm.name} {arm.weight * 100 / BUCKETS:g} %" for arm in arms)
    return f"{route.name} is divided: {shares}."


def warnings_of(without_user_pct: float | None, n_requests: float) -> list[str]:
    """Give what a person should mend, with the line that mends it."""
    if without_user_pct is None or without_user_pct <= MOST_WITHOUT_USER_PCT or n_requests < LEAST_REQUESTS:
        return []
    return [
        f"{without_user_pct:.0f} % of requests carry no user, so the baseline answers them and no experiment counts "
        'them. Say who asks where the app calls: extra_headers={"x-user-id": user_id}'
    ]


def arms_view(route: Route, recent: Recent, stopped: Collection[str]) -> list[Json]:
    """Give every arm of a route's release, the baseline first, with the traffic of this release alone."""
    release = route.release
    arms = sorted(release.arms, key=lambda arm: arm.role is not Role.BASELINE)
    nothing = Traffic()
    traffic = {arm.name: recent.traffic.get(Place(route.name, release.name, arm.name), nothing) for arm in release.arms}
    baseline = _numbers(traffic[release.arms[release.baseline].name], recent.seen_s)
    return [
        _arm_view(arm, _numbers(traffic[arm.name], recent.seen_s), baseline, is_stopped=arm.name in stopped)
        for arm in arms
    ]


def _arm_view(arm: Arm, numbers: Json, baseline: Json, *, is_stopped: bool) -> Json:
    return {
        "arm": arm.name,
        "role": str(arm.role),
        "weight_pct": arm.weight * 100 / BUCKETS,
        "is_stopped": is_stopped,
        **numbers,
        "against_baseline": None if arm.role is Role.BASELINE else _against(numbers, baseline),
    }


def _numbers(traffic: Traffic, seen_s: float) -> Json:
    n = traffic.n_requests
    ttft = [quantile_of(traffic.ttft, TIME_TO_FIRST_CHUNK.bounds, ratio) for ratio in (0.5, 0.95)]
    latency = [quantile_of(traffic.latency, OPERATION_DURATION.bounds, ratio) for ratio in (0.5, 0.95)]
    n_priced = n - traffic.n_unpriced
    is_priced = traffic.cost_usd > 0 and n_priced > 0
    return {
        "n_requests": int(n),
        "requests_per_s": round(n / seen_s, 3) if seen_s > 0 else None,
        "error_pct": _pct(traffic.n_errors, n),
        "safety_pct": _pct(traffic.n_unsafe, n),
        "ttft_p50_ms": _ms(ttft[0]),
        "ttft_p95_ms": _ms(ttft[1]),
        "latency_p50_ms": _ms(latency[0]),
        "latency_p95_ms": _ms(latency[1]),
        "cost_usd_per_1k": round(traffic.cost_usd * 1000 / n_priced, 6) if is_priced else None,
        "tokens_in": int(traffic.tokens_in) if n else None,
        "tokens_out": int(traffic.tokens_out) if n else None,
        "feedback": _feedback_view(traffic.feedback),
    }


def _feedback_view(feedback: Mapping[tuple[str, str], float]) -> Json:
    """Give each metric's ratings; what came too late to count is not among them."""
    seen: dict[str, dict[str, float]] = {}
    for (metric, verdict), n in feedback.items():
        if n and verdict != "late":
            seen.setdefault(metric, {})[verdict] = n
    return {
        metric: {
            "n": int(sum(verdicts.values())),
            "good_pct": _pct(verdicts.get("good", 0), verdicts.get("good", 0) + verdicts.get("bad", 0)),
        }
        for metric, verdicts in seen.items()
    }


def _against(numbers: Json, baseline: Json) -> Json:
    return {
        "error_ratio": _ratio(numbers["error_pct"], baseline["error_pct"]),
        "safety_ratio": _ratio(numbers["safety_pct"], baseline["safety_pct"]),
        "latency_ratio": _ratio(numbers["latency_p95_ms"], baseline["latency_p95_ms"]),
        "cost_ratio": _ratio(numbers["cost_usd_per_1k"], baseline["cost_usd_per_1k"]),
    }


def _stopped(line: Json) -> set[str]:
    """Give the arms that a breaker keeps at nothing."""
    if "candidate" in line:
        return {line["candidate"]} if line.get("is_latched") else set()
    return {arm["arm"] for arm in line.get("arms", ()) if arm["is_stopped"]}


def _point_view(point: Point) -> Json:
    return {"unix_s": point.unix_s, "n_requests": point.n_requests, "n_errors": point.n_errors}


def _pct(n: float, of: float) -> float | None:
    return round(n * 100 / of, 3) if of else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _ratio(value: float | None, baseline: float | None) -> float | None:
    return round(value / baseline, 3) if value is not None and baseline else None


def lines_by_release(rollouts: Json) -> dict[str, Json]:
    """Give how each release stands, by name, from what `RolloutOperations.rollouts` gives."""
    lines: Sequence[Json] = [*rollouts.get("rollouts", ()), *rollouts.get("splits", ())]
    return {line["release"]: line for line in lines}
