"""The shadow report in a real browser: nothing runs, nobody is asked, and it reads well on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Dialog, Page

from gateway.record.pair import Pair
from gateway.report.shadow_columns import table_of
from gateway.report.shadow_html import render_shadow_html
from gateway.report.shadow_summary import ShadowSummary, summarize_shadow
from gateway.report.shadow_telling import choose_telling, tell
from tests.browser.payloads import PAYLOADS
from tests.fakes.pairs import COUNTS, World, pairs_of, texts_of

DESKTOP, PHONE = (1_100, 900), (390, 844)


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


def opened(visit: Visit, folder: Path, pairs: list[Pair], words: tuple[str, ...], route: str = "support") -> Page:
    """Write a report of these pairs and open it."""
    table = table_of(pairs)
    telling = tell(choose_telling(table.pairs), texts_of(table.pairs, words))
    report = summarize_shadow("bigger", table, COUNTS, telling)
    file = folder / "report.html"
    file.write_text(render_shadow_html(ShadowSummary(route, "2026-11-22", "", (report,))), encoding="utf-8")
    visit.page.goto(file.as_uri())
    return visit.page


def hostile(number: int, pair: Pair) -> Pair:
    """Give a pair whose every name is an attack."""
    attack = PAYLOADS[number % len(PAYLOADS)]
    judgement = pair.judgement and msgspec.structs.replace(pair.judgement, judge=attack)
    return msgspec.structs.replace(
        pair,
        request_id=f"{attack}{number}",
        arm=attack if number % 2 else "current",
        segments={"plan": attack if number % 3 else "free", attack: "x" if number % 2 else "y"},
        primary=msgspec.structs.replace(pair.primary, variant=attack),
        judgement=judgement,
    )


@pytest.mark.parametrize("part", range(4))
def test_attacks_run_nothing(visit: Visit, tmp_path: Path, part: int) -> None:
    """Two hundred attacks as prompts, answers, models, users' segments, arms and reasons are shown, and do nothing."""
    words = PAYLOADS[part * 50 : (part + 1) * 50]
    assert len(PAYLOADS) == 200 and len(words) == 50
    pairs = [hostile(number + part * 50, pair) for number, pair in enumerate(pairs_of(World(n=400, wins=0.3)))]
    page = opened(visit, tmp_path, pairs, words, route=words[0])
    for summary in page.locator("summary").all()[:20]:
        summary.click()
    page.wait_for_timeout(200)
    assert (visit.dialogs, visit.asked, visit.said) == ([], [page.url], [])
    assert page.evaluate("window.hacked === undefined && document.scripts.length === 0")


@pytest.mark.parametrize("visit", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_reads_well(visit: Visit, tmp_path: Path) -> None:
    """The verdict is seen without scrolling, nothing is wider than the screen, and nobody else is asked."""
    page = opened(visit, tmp_path, pairs_of(World(n=1_500, refuses=0.1)), ("a cat sat " * 40, "x" * 3_000))
    assert page.locator(".headline").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("h2").count() >= 6 and (visit.asked, visit.said) == ([page.url], [])


def test_filters_without_a_script(visit: Visit, tmp_path: Path) -> None:
    """Pairs of one kind alone are shown when asked for, by mouse or by keyboard."""
    page = opened(visit, tmp_path, pairs_of(World(n=600, refuses=0.1, wins=0.4)), ("a cat", "a dog"))
    n_all = page.locator(".pair:visible").count()
    page.locator("input.show-safety").check()
    n_safety = page.locator(".pair:visible").count()
    assert 0 < n_safety == page.locator(".pair.of-safety").count() < n_all
    page.locator("input.show-all").focus()
    page.keyboard.press("Space")
    assert page.locator(".pair:visible").count() == n_all


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes(browser: Browser, visit: Visit, tmp_path: Path, scheme: str) -> None:
    """Words stand out from the ground in light and in dark."""
    visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page = opened(visit, tmp_path, pairs_of(World(n=300)), ("a cat", "a dog"))
    ground, ink = page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    lightness = [sum(int(part) for part in colour[4:-1].split(",")) for colour in (ground, ink)]
    assert (lightness[0] < lightness[1]) is (scheme == "dark") and abs(lightness[0] - lightness[1]) > 400
