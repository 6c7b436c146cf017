"""The operators' endpoint for reports: what `sluice report` prints, without a terminal."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.auth import Role
from gateway.admin.endpoint import ApiError, Endpoint, json_response
from gateway.admin.etag import UNCHANGED, tagged
from gateway.admin.operations import Operations

FORMATS = ("json", "html")
RETRY_AFTER_S = 3

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""A report is one file with its own style and no script; sandboxed, as it shows what models answered."""


async def _report(operations: Operations, request: web.Request) -> web.Response:
    unknown = request.query.keys() - {"format"}
    if unknown:
        raise ApiError(400, "unknown_parameter", f"{min(unknown)!r} is not a parameter: use format")
    format_ = request.query.get("format", "json")
    if format_ not in FORMATS:
        raise ApiError(400, "bad_parameter", f"`format` is one of {', '.join(FORMATS)}")
    if operations.reports is None:
        raise ApiError(503, "no_reports", "reports cannot be made yet; ask again in a second")
    report = await operations.reports.report(request.match_info["kind"], request.match_info["route"], format_)
    if report.status == 202:
        body = {"state": "working", "progress": {"elapsed_s": round(report.elapsed_s, 1)}}
        working = json_response(body | {"retry_after_s": RETRY_AFTER_S}, 202)
        working.headers["Retry-After"] = str(RETRY_AFTER_S)
        return working
    if report.status != 200:
        raise ApiError(report.status, report.code, report.message)
    response = tagged(request, report.body, report.content_type)
    response.headers["X-Sluice-As-Of"] = str(report.as_of_unix_ms)
    if format_ == "html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


REPORT_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/reports/{kind}/{route}",
        "What an experiment, a rollout or a shadow came to; made at most a minute ago (x-sluice-as-of, Unix ms).",
        _report,
        needs=Role.VIEWER,
        parts=(
            ("kind", "experiment, rollout or shadow."),
            ("route", "Route name; of an experiment or a rollout the release's too."),
        ),
        parameters=(("format?", "json, as `sluice report --format json` prints it, or html: one file."),),
        typed={"format": {"enum": list(FORMATS)}},
        statuses=(
            (202, "Being made: ask again after `retry_after_s`."),
            UNCHANGED,
            (400, "A parameter is unknown or wrong."),
            (404, "No such kind, route or release."),
            (409, "There is nothing of this kind to report on; the message says what there is."),
            (503, "Two reports are being made already, or the store is away."),
        ),
    ),
)
