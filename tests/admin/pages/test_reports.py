"""The pages that are read slowly: reports within the frame, on their way, missing, and what there is to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from gateway.admin.live_operations import Report
from gateway.admin.pages.reports import body_of
from gateway.gates.experiment import ExperimentState
from gateway.report.experiment_html import render_experiment_html
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.page import page
from tests.browser.payloads import PAYLOADS
from tests.fakes.busy_operations import HOSTILE, BusyOperations
from tests.fakes.experiments import bandit, clear_win, factorial, hostile, ladder
from tests.fakes.operators_port import VIEWER, OperatorsPort
from tests.fakes.report_facts import ReportFacts
from tests.report.test_shadow_html import rendered as shadow_file


def reporting(**files: str | Report) -> BusyOperations:
    """Give a gateway with these reports."""
    operations = BusyOperations()
    operations.reports = ReportFacts(**files)
    return operations


@pytest.mark.parametrize("make", [clear_win, bandit, factorial, ladder])
async def test_experiment_within_the_frame(make: Callable[[], ExperimentSummary]) -> None:
    """The verdict comes first, the frame is around it, and what the renderer wrote is not escaped again."""
    file = render_experiment_html(make())
    async with OperatorsPort(reporting(experiment=file)) as port:
        status, text = await port.get("/routes/sales/experiment")
    assert status == 200 and "<p class=headline>" in text and 'aria-label="Pages"' in text
    assert body_of(file) in text and "/assets/report.css?v=" in text
    assert text.count("<main") == 1 and "<style" not in text and " style=" not in text


async def test_side_by_side_answers() -> None:
    """A shadow's page has both answers of a pair and its filters."""
    async with OperatorsPort(reporting(shadow=shadow_file())) as port:
        status, text = await port.get("/routes/support/shadow")
    assert status == 200 and "<div class=sides>" in text and "type=radio" in text and " style=" not in text


async def test_of_a_rollout() -> None:
    """A rollout's report has a page too."""
    operations = reporting(rollout=page("Rollout", "<h1>From stage to stage</h1>"))
    async with OperatorsPort(operations) as port:
        status, text = await port.get("/routes/support/rollout-report")
    assert status == 200 and "<h1>From stage to stage</h1>" in text and "report of-rollout" in text


async def test_taken_along() -> None:
    """Both files are one click away, under names that say what they are, with the time they are of."""
    async with OperatorsPort(reporting(experiment=render_experiment_html(clear_win()))) as port:
        text = (await port.get("/routes/sales/experiment"))[1]
    assert 'href="/api/reports/experiment/sales?format=html" download="experiment-sales.html"' in text
    assert 'href="/api/reports/experiment/sales?format=json" download="experiment-sales.json"' in text
    assert '<time datetime="2026-09-21T14:13:20Z">' in text and "make it anew" in text


async def test_on_its_way() -> None:
    """A report that takes long says how long it has, and the page comes back without a script."""
    async with (
        OperatorsPort(reporting(experiment=Report(202, elapsed_s=12.4))) as port,
        port.http.get(port.url + "/routes/sales/experiment") as response,
    ):
        text = await response.text()
    assert response.status == 202 and response.headers["Refresh"] == "3" and "12 s so far" in text


async def test_nothing_to_report_on() -> None:
    """Where there is nothing, the page says why and which lines start one."""
    async with OperatorsPort(reporting()) as port:
        status, text = await port.get("/routes/search/experiment")
    assert status == 409 and "has no experiment to report on" in text and "primary_metric: thumbs" in text


async def test_failed() -> None:
    """A report that could not be made says so, and can be asked for again."""
    failed = Report(503, code="report_failed", message="the report could not be made; the log has it")
    async with OperatorsPort(reporting(shadow=failed)) as port:
        status, text = await port.get("/routes/support/shadow")
    assert status == 503 and "The report could not be made" in text and "Try again" in text


async def test_no_store() -> None:
    """Without anything that makes reports, pages say so instead of failing."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/routes/sales/experiment")
        listed = await port.get("/reports")
    assert status == 503 and "no store to read" in text
    assert listed[0] == 200 and "no store to read" in listed[1]


async def test_no_such_route() -> None:
    """No child is started for a route that is not there."""
    operations = reporting()
    async with OperatorsPort(operations) as port:
        status, _ = await port.get("/routes/other/shadow")
    assert status == 404 and isinstance(operations.reports, ReportFacts) and not operations.reports.asked


async def test_what_can_be_read() -> None:
    """Each route has the reports its kind of release can have."""
    async with OperatorsPort(reporting()) as port:
        text = (await port.get("/reports"))[1]
    found = re.findall(r'href="/routes/([a-z]+)/([a-z-]+)"', text)
    assert sorted(found) == [
        ("sales", "experiment"),
        ("sales", "shadow"),
        ("search", "shadow"),
        ("support", "rollout-report"),
        ("support", "shadow"),
    ]


async def test_no_routes() -> None:
    """An empty gateway says what to do."""
    operations = reporting()
    operations.routes = {}
    async with OperatorsPort(operations) as port:
        text = (await port.get("/reports"))[1]
    assert "nothing to report on" in text and "configuration file" in text


async def test_viewers_read() -> None:
    """Whoever may look may read reports; nobody else."""
    operations = reporting(shadow=shadow_file())
    async with OperatorsPort(operations, has_tokens=True) as port:
        before = (await port.get("/routes/support/shadow", allow_redirects=False))[0]
        await port.sign_in(VIEWER)
        after = (await port.get("/routes/support/shadow"))[0]
    assert before == 303 and after == 200


async def test_hostile_words_stay_words() -> None:
    """What people wrote neither opens a tag nor leaves the report's own element."""
    for attack in PAYLOADS[::10]:
        file = render_experiment_html(hostile(attack, ExperimentState.WORSE))
        async with OperatorsPort(reporting(experiment=file)) as port:
            text = (await port.get(f"/routes/{quote(HOSTILE, safe='')}/experiment"))[1]
        assert text.count("<script") == 2 and text.count("<main") == 1 and "<img src=x" not in text
        assert body_of(file) in text


def test_not_a_report() -> None:
    """What has no frame of ours is not shown."""
    with pytest.raises(ValueError, match="without <main>"):
        body_of("Traceback")
