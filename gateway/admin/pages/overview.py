"""The first page: every route, the worst first."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import Endpoint
from gateway.admin.operations import Operations
from gateway.admin.pages.charts import spark, weight_bar
from gateway.admin.pages.shell import page
from gateway.admin.pages.standing import headline_of, routes_now


async def _overview(operations: Operations, request: web.Request) -> web.Response:
    routes, status = routes_now(operations), operations.status()
    overview = operations.live.overview() if operations.live is not None else {}
    return page(
        request,
        "overview.html",
        headline=headline_of(routes),
        routes=routes,
        bars={one["route"]: weight_bar(one["arms"]) for one in routes},
        sparks={one["route"]: spark(one["series"]) for one in routes},
        providers=overview.get("providers", []),
        is_live=operations.live is not None,
        is_idle=bool(routes) and all(one["n_requests"] == 0 for one in routes),
        findings=status.get("findings", []),
        n_warnings=len(status.get("warnings", [])),
        is_ready=operations.is_ready,
        config_file=status.get("config_file", "sluice.yaml"),
        table_version=status.get("version"),
    )


OVERVIEW_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/", "Every route, the worst first.", _overview, needs=Role.VIEWER, is_page=True),
)
