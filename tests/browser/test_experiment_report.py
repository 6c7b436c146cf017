"""The experiment report in a real browser: nothing runs, nobody is asked, and it reads well on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from gateway.gates.experiment import DayLook, ExperimentState, SegmentEffect
from gateway.report.experiment_html import render_experiment_html
from gateway.report.experiment_summary import ExperimentSummary
from tests.browser.payloads import PAYLOADS
from tests.fakes.experiments import EVERY, clear_win, effect, hostile, mismatched, three_arms

DESKTOP, PHONE = (1_100, 900), (360, 780)


@dataclass
class Visit:
    """
    An opened page, and what it did.

    Attributes:
        page: The page.
        asked: Every address it asked for; its own is the first.
        said: What it wrote to the console, policy violations among it.
        dialogs: What it popped up.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def note_dialog(self, dialog: Dialog) -> None:
        """Note what it said, and close it."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, folder: Path, summary: ExperimentSummary) -> Page:
        """Write a report and open it."""
        file = folder / "report.html"
        file.write_text(render_experiment_html(summary), encoding="utf-8")
        self.page.goto(file.as_uri())
        return self.page


@pytest.fixture(name="visit")
def _visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Give a page of a size, that notes what it does."""
    size = getattr(request, "param", DESKTOP)
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    visit = Visit(context.new_page())
    visit.page.on("request", lambda one: visit.asked.append(one.url))
    visit.page.on("console", lambda one: visit.said.append(one.text))
    visit.page.on("pageerror", lambda one: visit.said.append(str(one)))
    visit.page.on("dialog", visit.note_dialog)
    yield visit
    context.close()


def attacked(attacks: tuple[str, ...], state: ExperimentState) -> ExperimentSummary:
    """Give a report in which the first attack is every name, and each is a metric, a sentence, a segment and a day."""
    effects = tuple(effect(0.05, 0.02, metric=each, sentence=each) for each in attacks)
    return replace(
        hostile(attacks[0], state),
        effects=effects,
        segments=tuple(SegmentEffect(each, one) for each, one in zip(attacks, effects, strict=True)),
        looks=tuple(DayLook("concise", each, 9, 0.1, 0.0, 0.2) for each in attacks),
        notes=attacks,
    )


@pytest.mark.parametrize("part", range(4))
def test_attacks_run_nothing(visit: Visit, tmp_path: Path, part: int) -> None:
    """Two hundred attacks as metrics, arms, segments, days, factors and sentences are shown, and do nothing."""
    attacks = PAYLOADS[part * 50 : (part + 1) * 50]
    assert len(PAYLOADS) == 200
    page = visit.open(tmp_path, attacked(attacks, list(ExperimentState)[part % 6]))
    for summary in page.locator("summary:visible").all():
        summary.click()
    page.wait_for_timeout(50)
    assert (visit.dialogs, visit.asked, visit.said) == ([], [page.url], [])
    assert page.evaluate("window.hacked === undefined && document.scripts.length === 0")


@pytest.mark.parametrize("visit", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_reads_well(visit: Visit, tmp_path: Path) -> None:
    """The verdict is seen without scrolling, nothing is wider than the screen, and nobody else is asked."""
    for make in EVERY:
        page = visit.open(tmp_path, make())
        assert page.evaluate("document.querySelector('.headline').getBoundingClientRect().bottom < innerHeight")
        assert is_held(page), make.__name__
    assert (set(visit.asked), visit.said) == ({visit.page.url}, [])


@pytest.mark.parametrize("visit", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_long_names(visit: Visit, tmp_path: Path) -> None:
    """Names of hundreds of letters, in any script, make nothing wider than the screen."""
    for name in ("a" * 400, "計画" * 100, "שלום" * 60, "x " * 200, "Z" + "\u0301" * 300):
        assert is_held(visit.open(tmp_path, hostile(name))), name


def is_held(page: Page) -> bool:
    """Tell whether all of a report, what is folded with it, is no wider than the screen."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_charts_on_a_phone(visit: Visit, tmp_path: Path) -> None:
    """Without scrolling sideways: letters in charts are as large as elsewhere, points are round, days fit."""
    page = visit.open(tmp_path, three_arms())
    wide = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)")
    letters = page.evaluate("[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)")
    points = page.evaluate(
        "[...document.querySelectorAll('circle')].map(c => c.getBoundingClientRect()).map(r => r.width / r.height)"
    )
    assert max(wide) <= PHONE[0] and min(letters) > 10 and {round(each, 2) for each in points} == {1.0}


@pytest.mark.parametrize("visit", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_alarm_shows_no_lift(visit: Visit, tmp_path: Path) -> None:
    """While units do not come as planned no lift is seen until somebody unfolds what is called no result."""
    page = visit.open(tmp_path, mismatched())
    assert "+6.7" not in page.inner_text("body") and page.locator("circle:visible").count() == 0
    page.locator("details.withheld > summary").click()
    assert "+6.7" in page.inner_text("body").replace("\u00a0", " ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes(visit: Visit, tmp_path: Path, scheme: str) -> None:
    """Words and intervals stand out from the ground in light and in dark."""
    visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page = visit.open(tmp_path, clear_win())
    ground, ink = page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    drawn = page.evaluate("getComputedStyle(document.querySelector('.whisker')).stroke")
    back, words, line = (sum(int(part) for part in colour[4:-1].split(",")) for colour in (ground, ink, drawn))
    assert (back < words) is (scheme == "dark") and abs(back - words) > 400 and abs(back - line) > 200


@pytest.mark.parametrize("make", [clear_win, mismatched])
def test_prints_well(visit: Visit, tmp_path: Path, make: Callable[[], ExperimentSummary]) -> None:
    """On paper it is dark on white whatever the theme, what is folded is there, and what is no result is not."""
    page = visit.open(tmp_path, make())
    page.emulate_media(media="print", color_scheme="dark")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    day = page.locator("details.more td").first
    tall = 0.0 if make is mismatched else (day.bounding_box() or {"height": 0.0})["height"]
    assert ground == "rgb(255, 255, 255)" and (tall > 0) is (make is clear_win)
    assert page.locator("circle:visible").count() == 0 or make is clear_win
