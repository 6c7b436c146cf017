"""The endpoint for reports: formats, waiting, refusals, and what need not be sent twice."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.admin.live_operations import Report
from tests.fakes.live_numbers import SetReports
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations

PATH = "/api/reports/experiment/support"


async def ask(report: Report | None, path: str = PATH, **headers: str) -> tuple[int, Any, Any, SetReports | None]:
    """Give status, headers, body and what was asked."""
    operations = QuietOperations()
    reports = operations.reports = SetReports(report) if report is not None else None
    async with OperatorsPort(operations) as port, port.http.get(port.url + path, headers=headers) as response:
        return response.status, response.headers, await response.read(), reports


async def test_json_unless_asked() -> None:
    """A report is JSON, as it was made, with the time it is of."""
    status, headers, body, reports = await ask(Report(200, b'{"a":1}', "application/json", 77))
    assert (status, body, headers["X-Sluice-As-Of"]) == (200, b'{"a":1}', "77")
    assert reports is not None and reports.asked == [("experiment", "support", "json")]


async def test_html_runs_nothing() -> None:
    """The page may have its own style; no script of it runs, and it reaches nobody."""
    _, headers, _, reports = await ask(Report(200, b"<p>", "text/html", 77), PATH + "?format=html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    assert reports is not None and reports.asked[0][2] == "html"


async def test_known_is_not_sent() -> None:
    """Whoever has this report already gets 304."""
    report = Report(200, b"{}", "application/json", 77)
    etag = (await ask(report))[1]["ETag"]
    status, _, body, _ = await ask(report, **{"If-None-Match": etag})
    assert (status, body) == (304, b"")


async def test_working_says_when() -> None:
    """One that takes longer is 202 with when to come back."""
    status, headers, body, _ = await ask(Report(202, elapsed_s=10.04))
    told = orjson.loads(body)
    assert (status, headers["Retry-After"]) == (202, "3")
    assert told == {"state": "working", "progress": {"elapsed_s": 10.0}, "retry_after_s": 3}


@pytest.mark.parametrize("status", [404, 409, 503])
async def test_refusals_have_reasons(status: int) -> None:
    """Why there is none is told in the usual shape."""
    answered, _, body, _ = await ask(Report(status, code="why", message="because"))
    assert (answered, orjson.loads(body)) == (status, {"error": {"code": "why", "message": "because"}})


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("?format=pdf", 400, "bad_parameter"), ("?fromat=json", 400, "unknown_parameter"), ("", 503, "no_reports")],
)
async def test_wrong_questions(path: str, status: int, code: str) -> None:
    """A format or a parameter nobody knows is 400; where no reports are made, 503."""
    answered, _, body, _ = await ask(None, PATH + path)
    assert (answered, orjson.loads(body)["error"]["code"]) == (status, code)
