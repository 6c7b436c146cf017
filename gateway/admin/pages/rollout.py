"""One release that is steered: its stages, what its gates and signals say, what is stopped, and the buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import VISITOR, Endpoint
from gateway.admin.operations import Json, Operations
from gateway.admin.pages.actions import SAID_COOKIE, offered, rollout_of, said, steering_of
from gateway.admin.pages.charts import BAR_WIDTH, weight_bar
from gateway.admin.pages.evidence import sections_of
from gateway.admin.pages.shell import page
from gateway.admin.pages.standing import lines_by_release

N_ENTRIES = 6
_OVER = frozenset({"complete", "finished"})


async def _rollouts(operations: Operations, request: web.Request) -> web.Response:
    steering_of(operations)
    return page(request, "rollouts.html", lines=list(lines_by_release(operations).values()))


async def _rollout(operations: Operations, request: web.Request) -> web.Response:
    view = await rollout_of(operations, request.match_info["release"])
    journal = await steering_of(operations).journal(f"release:{view['release']}", limit=N_ENTRIES, before=None)
    may_operate = request[VISITOR].role >= Role.OPERATOR
    told = said(request, view)
    response = page(
        request,
        "rollout.html" if "stage" in view else "experiment_standing.html",
        one=view,
        headline=headline_of(view),
        stages=stages_of(view),
        gates=[{**gate, "sections": sections_of(gate.get("evidence") or {})} for gate in view.get("gates", ())],
        latches=[{**latch, "sections": sections_of(latch.get("evidence") or {})} for latch in view["latches"]],
        bar_=weight_bar(bar_arms(view)),
        actions=offered(view) if may_operate else (),
        entries=journal.body.get("entries", []),
        said=told,
        is_live=operations.live is not None,
    )
    if told:
        response.del_cookie(SAID_COOKIE, path="/rollouts/")
    return response


def headline_of(view: Mapping[str, Any]) -> str:
    """Give how it stands, in a sentence."""
    if view.get("sentence"):
        return str(view["sentence"])
    stopped = [arm["arm"] for arm in view["arms"] if arm["is_stopped"]]
    shares = ", ".join(f"{arm['arm']} {arm['weight_pct']:g} %" for arm in view["arms"] if not arm["is_stopped"])
    if stopped:
        return f"{', '.join(stopped)} on {view['route']} is stopped: its users get {view['baseline']}."
    return f"{view['route']} divides its users: {shares}."


def bar_arms(view: Mapping[str, Any]) -> list[Json]:
    """Give a release's arms as a bar of all users wants them."""
    if "stage" not in view:
        roles = {view["baseline"]: "control"}
        return [{**arm, "role": roles.get(arm["arm"], "treatment")} for arm in view["arms"]]
    weight = view["weight_pct"]
    return [
        {"arm": view["baseline"], "role": "baseline", "weight_pct": 100 - weight},
        {"arm": view["candidate"], "role": "candidate", "weight_pct": weight},
    ]


def stages_of(view: Mapping[str, Any]) -> list[Json]:
    """Give the stages with where the rollout is among them, and how much of its time the present one has had."""
    if "stage" not in view:
        return []
    at, stages = view["stage"]["index"], []
    for index, stage in enumerate(view["plan"]["stages"]):
        state = "done" if index < at else "next" if index > at else "now"
        if index == at and view["phase"] == "rolled_back":
            state = "stopped"
        elif index == at and view["phase"] in _OVER:
            state = "done"
        least_s, share = stage["min_duration_s"], 0.0
        if state in ("now", "stopped") and least_s:
            share = min(view["dwelt_s"] / least_s, 1.0)
        left_s = max(least_s - view["dwelt_s"], 0.0) if state == "now" else None
        stages.append(
            {**stage, "state": state, "left_s": left_s, "width": BAR_WIDTH if state == "done" else share * BAR_WIDTH}
        )
    return stages


ROLLOUT_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/rollouts", "Every release that is steered.", _rollouts, needs=Role.VIEWER, is_page=True),
    Endpoint("GET", "/rollouts/{release}", "How a release stands.", _rollout, needs=Role.VIEWER, is_page=True),
)
