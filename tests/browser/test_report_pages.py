"""Report pages in a real browser: the port's policy is kept whatever people wrote, and they read well on a phone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page

from gateway.gates.experiment import ExperimentState
from gateway.report.experiment_html import render_experiment_html
from tests.browser.payloads import PAYLOADS
from tests.fakes.busy_operations import BusyOperations
from tests.fakes.experiments import factorial, hostile
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.report_facts import ReportFacts
from tests.report.test_shadow_html import rendered as shadow_file

PATIENCE_S = 30.0


class Gateway:
    """The operators' port on a thread of its own, for the browser has this one."""

    def __init__(self) -> None:
        self.operations = BusyOperations()
        self.url = ""
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def open(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._is_up.wait(PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        async with OperatorsPort(self.operations) as port:
            self.url = port.url
            self._is_up.set()
            await self._end.wait()


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[Gateway]:
    """Give a gateway whose reports can be set."""
    gateway = Gateway()
    gateway.open()
    yield gateway
    gateway.close()


def visited(browser: Browser, width: int = 1_280, scheme: str = "light") -> tuple[Page, list[str]]:
    """Give a page, and what it says that it should not: policy violations, errors and dialogs."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))

    def note_dialog(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note_dialog)
    return page, said


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
