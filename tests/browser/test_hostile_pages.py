"""Two hundred attacks as everything that a page shows: nothing runs, no policy is broken, nobody else is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from gateway.admin.operations import ConfigTexts
from gateway.control.journal import DecisionKind, Entry
from tests.browser.open_port import Gateway, visited
from tests.browser.payloads import PAYLOADS
from tests.fakes.busy_operations import BusyOperations, LiveFacts, arm_of, configured, live_route, numbers_of

LOOKED_AT = 8
"""Attacks whose own pages are looked at as well; all two hundred are on the pages that list."""


class Journal:
    """A journal whose every word is an attack."""

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give an entry per attack."""
        return [
            Entry(f"odd-{number}", number, DecisionKind.STARTED, text, text, text, text, text, text, why=text)
            for number, text in enumerate(PAYLOADS)
        ][:limit]


class Attacked(BusyOperations):
    """A gateway whose routes, arms, models, journal, findings and files are attacks."""

    def __init__(self) -> None:
        super().__init__(journal=Journal())
        self.routes = {text: configured(text, "fixed", (text, "baseline", 100)) for text in PAYLOADS}
        for route in self.routes.values():
            for variant in route["variants"].values():
                variant |= {"provider": PAYLOADS[0], "model": PAYLOADS[1]}
        arms = {text: arm_of(text, "baseline", 100.0, **numbers_of(90, 1.0)) for text in PAYLOADS}
        self.live = LiveFacts(*(live_route(text, arms[text], warnings=[text]) for text in PAYLOADS))
        self.texts = ConfigTexts("\n".join(PAYLOADS), "\n".join(reversed(PAYLOADS)))
        place = {"file": PAYLOADS[2], "line": 1, "column": 1}
        self.findings = [
            {**place, "key_path": text, "problem": text, "remedy": text, "text": text} for text in PAYLOADS
        ]


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[Gateway]:
    """Give it, listening."""
    gateway = Gateway(Attacked())
    gateway.open()
    yield gateway
    gateway.close()


def paths() -> list[str]:
    """Give every page that shows words from outside, and words in the address itself."""
    own = [quote(text, safe="") for text in PAYLOADS[::25][:LOOKED_AT]]
    listing = ["/", "/rollouts", "/journal", "/config", "/reports", "/requests", "/sessions"]
    each = [f"{page}{text}" for text in own for page in ("/routes/", "/rollouts/", "/nothing/")]
    return [*listing, "/journal/odd-3", *each, *(f"/journal?release={text}&who={text}&kind={text}" for text in own)]


def test_two_hundred_attacks(browser: Browser, gateway: Gateway) -> None:
    """Of all the pages none runs one, and every word is there to be read."""
    page, said = visited(browser)
    asked: list[Any] = []
    page.on("request", lambda one: asked.append(one.url))
    for path in paths():
        page.goto(gateway.url + path)
        assert page.evaluate("window.hacked") is None, path
        assert page.locator("nav[aria-label=Pages]").is_visible(), path
    # Answers of 404 are told in the console; nothing else may be.
    assert [text for text in said if "404" not in text] == []
    assert [url for url in asked if not url.startswith(gateway.url)] == []
    page.goto(gateway.url + "/journal")
    assert PAYLOADS[7] in page.locator("main").inner_text()
    page.close()
