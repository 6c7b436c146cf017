"""A route's live numbers: what is told, what is unknown, and what is warned of."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.variant import Variant
from gateway.processes.live_view import lines_by_release, route_view, warnings_of
from gateway.telemetry.recent import Place, Point, Recent, Traffic

ARMS = (Arm("current", Role.BASELINE, 9_000), Arm("concise", Role.CANDIDATE, 1_000))
RELEASE = Release("v8", ReleaseKind.ROLLOUT, Unit.USER, ARMS, (SlotRange(0, 9_000, 0), SlotRange(9_000, 10_000, 1)))
ROUTE = Route("support", {arm.name: Variant(arm.name, "p", "m", {}) for arm in ARMS}, RELEASE)
LINE: dict[str, Any] = {
    "release": "v8", "candidate": "concise", "phase": "progressing", "stage": {"label": "10%"},
    "is_latched": False, "sentence": "It goes.", "waits_for": "more users",
}  # fmt: skip


def traffic(n: int, n_errors: int, *, bucket: int = 5, usd: float = 1.0) -> Traffic:
    """Give requests that all took as long."""
    made = Traffic(n_requests=n, n_errors=n_errors, n_unsafe=n_errors, cost_usd=usd, tokens_in=9, tokens_out=3)
    made.latency[bucket] = n
    made.feedback = {("thumbs", "good"): 3, ("thumbs", "bad"): 1, ("thumbs", "late"): 9, ("stars", "neutral"): 2}
    return made


def recent(**arms: Traffic) -> Recent:
    """Give a window of 100 s with this traffic by arm."""
    places = {Place("support", "v8", arm): each for arm, each in arms.items()}
    return Recent(5_000, 100.0, places, {"support": [Point(0, 4, 1)]})


def test_against_baseline() -> None:
    """A candidate's numbers stand beside the baseline's as ratios; the baseline has none to itself."""
    told = route_view(ROUTE, recent(current=traffic(100, 2), concise=traffic(50, 4, bucket=6, usd=1.0)), LINE)
    current, concise = told["arms"]
    assert (current["against_baseline"], current["error_pct"], current["requests_per_s"]) == (None, 2.0, 1.0)
    assert (current["cost_usd_per_1k"], concise["cost_usd_per_1k"]) == (10.0, 20.0)
    assert concise["against_baseline"] == {
        "error_ratio": 4.0,
        "safety_ratio": 4.0,
        "latency_ratio": 2.0,
        "cost_ratio": 2.0,
    }
    assert concise["feedback"] == {"thumbs": {"n": 4, "good_pct": 75.0}, "stars": {"n": 2, "good_pct": None}}


def test_unknown_is_null() -> None:
    """Without a request there is no rate, no time and no cost; a baseline without errors gives no ratio."""
    told = route_view(ROUTE, recent(concise=traffic(50, 4)), LINE)
    current, concise = told["arms"]
    unknown = ("error_pct", "safety_pct", "latency_p50_ms", "ttft_p95_ms", "cost_usd_per_1k", "tokens_in")
    assert [current[name] for name in unknown] == [None] * len(unknown)
    assert set(concise["against_baseline"].values()) == {None}


def test_says_how_the_rollout_stands() -> None:
    """Phase, stage and sentence are the rollout's own; a latch stops the candidate."""
    told = route_view(ROUTE, recent(), LINE | {"is_latched": True})
    assert (told["phase"], told["stage_label"], told["sentence"]) == ("progressing", "10%", "It goes.")
    assert (told["is_latched"], [arm["is_stopped"] for arm in told["arms"]]) == (True, [False, True])
    assert (told["series"], told["kind"]) == ([{"unix_s": 0, "n_requests": 4, "n_errors": 1}], "rollout")


def test_split_says_which_arm_is_stopped() -> None:
    """Of a split the arm that is stopped is told, and that there is one."""
    arms = [{"arm": "current", "is_stopped": False}, {"arm": "concise", "is_stopped": True}]
    told = route_view(ROUTE, recent(), {"release": "v8", "arms": arms})
    assert (told["is_latched"], told["phase"], [arm["is_stopped"] for arm in told["arms"]]) == (
        True,
        None,
        [False, True],
    )


def test_nobody_steers() -> None:
    """A release that nobody steers has a sentence too, and waits for nothing."""
    told = route_view(ROUTE, recent(), None)
    assert (told["sentence"], told["waits_for"]) == ("support is divided: current 90 %, concise 10 %.", None)


@pytest.mark.parametrize(("pct", "n", "is_warned"), [(5.0, 1_000, False), (5.1, 20, True), (90.0, 19, False)])
def test_warns_of_missing_users(pct: float, n: int, is_warned: bool) -> None:
    """Over 5 % of at least 20 requests without a user are warned of, with the code that mends it."""
    warnings = warnings_of(pct, n)
    assert bool(warnings) is is_warned
    assert all("% of requests carry no user" in each and 'extra_headers={"x-user-id"' in each for each in warnings)


def test_lines_by_release() -> None:
    """Rollouts and splits are found by their release."""
    lines = lines_by_release({"rollouts": [{"release": "a"}], "splits": [{"release": "b"}]})
    assert sorted(lines) == ["a", "b"]
