"""Requests as they finish, without what was asked or answered, and without who asked."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import Endpoint
from gateway.admin.operations import Operations
from gateway.admin.pages.shell import page


async def _requests(operations: Operations, request: web.Request) -> web.Response:
    routes, wanted = sorted(operations.config().get("routes", {})), request.query.get("route", "")
    is_known = not wanted or wanted in routes
    address = "/api/tail" + (f"?{urlencode({'route': wanted})}" if wanted else "")
    return page(
        request,
        "requests.html",
        routes=routes,
        wanted=wanted,
        is_known=is_known,
        address=address if operations.live is not None and is_known else "",
        is_live=operations.live is not None,
    )


REQUEST_PAGES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/requests", "Requests as they finish.", _requests, needs=Role.VIEWER, is_page=True),
)
