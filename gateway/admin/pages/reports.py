"""
What is read slowly: experiments, shadows and rollouts, each the report of `sluice report` within the pages' frame.

A report comes as one HTML file from a child process. Its renderers escape whatever anybody else wrote, so what is
between `<main>` and `</main>` goes onto the page as it is, and the policy of the pages holds for it as for all else:
no script, no style and no picture of its own runs or loads, should something slip through.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint
from gateway.admin.operations import Json, Operations
from gateway.admin.pages.shell import page, path_part
from gateway.admin.pages.standing import route_of, routes_now

RELOADS_AFTER_S = 3

_EXPERIMENTS = frozenset({"split", "bandit", "factorial", "ladder"})


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of report.

    Attributes:
        name: As `sluice report` and the API call it.
        title: As people do.
        says: What it answers.
        path: The last part of its page's address.
        first_steps: What to do where there is none.
        yaml: The lines that start one; empty where words do.
    """

    name: str
    title: str
    says: str
    path: str
    first_steps: str
    yaml: str


EXPERIMENT = Kind(
    "experiment",
    "Experiment report",
    "Which arm is better, how sure that is, and what to do next.",
    "experiment",
    "Divide the route's users among variants, and name the metric that decides:",
    "release: {split: {arms: {current: 50%, concise: 50%}, baseline: current, primary_metric: thumbs}}",
)
SHADOW = Kind(
    "shadow",
    "Shadow comparison",
    "How another variant would have answered the same prompts, with nobody seeing its answers.",
    "shadow",
    "Name a variant as the route's shadow; copies of a share of its requests are sent there:",
    "shadows: [{variant: concise}]",
)
ROLLOUT = Kind(
    "rollout",
    "Rollout report",
    "What was decided from stage to stage, when, and on what evidence.",
    "rollout-report",
    "Give the route's users a candidate, stage by stage:",
    "release: {rollout: {baseline: current, candidate: concise, change_type: prompt_wording}}",
)
KINDS = (EXPERIMENT, SHADOW, ROLLOUT)


def body_of(file: str) -> str:
    """
    Give what a report says, without the frame of its file.

    >>> body_of("<html><main>\\n<h1>42</h1>\\n</main></html>")
    '<h1>42</h1>'

    Raises:
        ValueError: This is no report of ours.
    """
    _, opened, rest = file.partition("<main>")
    body, closed, _ = rest.rpartition("</main>")
    if not (opened and closed):
        problem = "a report without <main>"
        raise ValueError(problem)
    return body.strip("\n")


async def _experiment(operations: Operations, request: web.Request) -> web.Response:
    return await _report(operations, request, EXPERIMENT)


async def _shadow(operations: Operations, request: web.Request) -> web.Response:
    return await _report(operations, request, SHADOW)


async def _rollout(operations: Operations, request: web.Request) -> web.Response:
    return await _report(operations, request, ROLLOUT)


async def _report(operations: Operations, request: web.Request, kind: Kind) -> web.Response:
    route = request.match_info["route"]
    if route_of(operations, route) is None:
        raise ApiError(404, "no_such_route", f"there is no route {route!r} in the configuration in use")
    if operations.reports is None:
        return _told(request, route, kind, 503, "Reports cannot be made yet: there is no store to read.")
    found = await operations.reports.report(kind.name, route, "html")
    if found.status == 200:
        return page(
            request,
            "report.html",
            kind=kind,
            route=route,
            others=_links(operations, route),
            as_of_unix_ms=found.as_of_unix_ms,
            body=body_of(found.body.decode()),
        )
    if found.status == 202:
        said = f"This report is being made: {found.elapsed_s:.0f} s so far."
        return _told(request, route, kind, 202, said)
    return _told(request, route, kind, found.status, f"{found.message[:1].upper()}{found.message[1:]}.")


def _told(request: web.Request, route: str, kind: Kind, status: int, said: str) -> web.Response:
    """Give a page without a report: it is on its way, there is nothing to report on, or it could not be made."""
    response = page(request, "report_missing.html", status=status, kind=kind, route=route, said=said, state=status)
    if status == 202:
        response.headers["Refresh"] = str(RELOADS_AFTER_S)  # works without scripts too
    return response


async def _listed(operations: Operations, request: web.Request) -> web.Response:
    routes = [one | {"reports": _links(operations, one["route"])} for one in routes_now(operations)]
    return page(request, "reports.html", routes=routes, kinds=KINDS, can_report=operations.reports is not None)


def _links(operations: Operations, route: str) -> list[Json]:
    facts = route_of(operations, route) or {}
    kinds = [SHADOW]
    if facts.get("kind") in _EXPERIMENTS:
        kinds.insert(0, EXPERIMENT)
    if facts.get("kind") == "rollout":
        kinds.insert(0, ROLLOUT)
    return [{"title": kind.title, "address": f"/routes/{path_part(route)}/{kind.path}", "kind": kind} for kind in kinds]


REPORT_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/reports", "What can be read about each route.", _listed, needs=Role.VIEWER, is_page=True),
    Endpoint(
        "GET", "/routes/{route}/experiment", "An experiment's report.", _experiment, needs=Role.VIEWER, is_page=True
    ),
    Endpoint("GET", "/routes/{route}/shadow", "A shadow's report.", _shadow, needs=Role.VIEWER, is_page=True),
    Endpoint("GET", "/routes/{route}/rollout-report", "A rollout's report.", _rollout, needs=Role.VIEWER, is_page=True),
)
