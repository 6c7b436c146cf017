"""Report pages in a real browser: the port's policy is kept whatever people wrote, and they read well on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from gateway.gates.experiment import ExperimentState
from gateway.report.experiment_html import render_experiment_html
from tests.browser.open_port import Gateway, visited
from tests.browser.payloads import PAYLOADS
from tests.fakes.experiments import factorial, hostile
from tests.fakes.report_facts import ReportFacts
from tests.report.test_shadow_html import rendered as shadow_file


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[Gateway]:
    """Give a gateway whose reports can be set."""
    gateway = Gateway()
    gateway.open()
    yield gateway
    gateway.close()


def test_attacks_run_nothing(browser: Browser, gateway: Gateway) -> None:
    """Two hundred payloads in names and sentences: nothing runs, nobody else is asked, no policy is broken."""
    page, said = visited(browser)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    for begin in range(0, len(PAYLOADS), 40):
        attack = " ".join(PAYLOADS[begin : begin + 40])
        file = render_experiment_html(hostile(attack, ExperimentState.WORSE))
        gateway.operations.reports = ReportFacts(experiment=file)
        page.goto(f"{gateway.url}/routes/sales/experiment")
        assert page.evaluate("window.hacked") is None
        assert page.locator("nav[aria-label=Pages]").is_visible()
    assert said == [] and all(url.startswith(gateway.url) or url.startswith("data:") for url in asked)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_280, 390])
def test_reads_well(browser: Browser, gateway: Gateway, width: int, scheme: str) -> None:
    """An experiment and a shadow fit their window in both themes, within the page's own style."""
    gateway.operations.reports = ReportFacts(experiment=render_experiment_html(factorial()), shadow=shadow_file())
    page, said = visited(browser, width, scheme)
    for path in ("/routes/sales/experiment", "/routes/support/shadow", "/reports"):
        page.goto(gateway.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    assert said == []
    page.close()


def test_filters_without_a_script(browser: Browser, gateway: Gateway) -> None:
    """Pairs of a shadow are filtered by the sheet alone, as in the file."""
    gateway.operations.reports = ReportFacts(shadow=shadow_file())
    page, _ = visited(browser)
    page.goto(f"{gateway.url}/routes/support/shadow")
    pairs = page.locator(".pair")
    assert pairs.first.is_visible()
    page.locator(".filters input").nth(1).check()
    n_shown = page.locator(".pair:visible").count()
    assert 0 < n_shown < pairs.count()
    page.close()
