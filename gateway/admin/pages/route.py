"""One route: its arms side by side, its release in words, and where to read on."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint
from gateway.admin.operations import Operations
from gateway.admin.pages.charts import spark, weight_bar
from gateway.admin.pages.shell import page
from gateway.admin.pages.standing import headline_of, route_of

KINDS = {
    "fixed": "one variant answers everybody",
    "split": "users are divided among the arms, and each keeps theirs",
    "rollout": "the candidate gets more users stage by stage, as long as its gates pass and no signal trips",
    "bandit": "shares follow what does best, looked at again and again",
    "factorial": "every combination of the factors is an arm",
    "ladder": "arms that do worse leave, round by round, until one is left",
}
"""What each kind of release does, in words."""


async def _route(operations: Operations, request: web.Request) -> web.Response:
    name = request.match_info["route"]
    facts = route_of(operations, name)
    if facts is None:
        raise ApiError(404, "no_such_route", f"there is no route {name!r} in the configuration in use")
    overview = operations.live.overview() if operations.live is not None else {}
    used = {variant["provider"] for variant in facts["variants"].values()}
    known = operations.config().get("providers", {})
    return page(
        request,
        "route.html",
        headline=headline_of([facts]) if not facts["sentence"] else facts["sentence"],
        one=facts,
        bar_=weight_bar(facts["arms"]),
        series=spark(facts["series"]),
        providers={each: facts_ for each, facts_ in known.items() if each in used},
        ejected=[one for one in overview.get("providers", []) if one["provider"] in used],
        kind_words=KINDS.get(facts["kind"], ""),
        metrics=sorted({metric for arm in facts["arms"] for metric in arm["feedback"]}),
    )


ROUTE_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/routes/{route}", "One route and its arms.", _route, needs=Role.VIEWER, is_page=True),
)
