"""
The pages of a real gateway in a real browser: they can be read by everybody, move by themselves, and roll back.

With SLUICE_SCREENSHOTS set to a folder, what is seen is written there; docs/screenshots comes from it.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.parts import node_folder
from tests.flows.rig.provider import provider

AXE = "axe-core@4.11.0"
CONFIG = """version: 1
providers: {{local: {{base_url: "{base_url}", auth: none, retries: {{max: 0}}}}}}
identity: {{user: ["header:x-user-id"]}}
routes:
  support:
    variants:
      current: {{provider: local, model: fast, system_prompt: {{replace: "Be kind."}}}}
      concise: {{like: current, system_prompt: {{replace: "Be brief."}}}}
    release:
      rollout:
        baseline: current
        candidate: concise
        change_type: prompt_wording
        signals: {{thumbs_down: off, task_completion: off}}
        stages: [{{at: 50%, min_duration: 1d}}, {{at: 100%}}]
  search:
    variants: {{a: {{provider: local, model: fast}}, b: {{like: a, system_prompt: {{replace: "b"}}}}}}
    release: {{split: {{arms: {{a: 50%, b: 50%}}}}}}
  chat:
    variants: {{only: {{provider: local, model: fast}}}}
    release: {{fixed: {{variant: only}}}}
"""
PAGES = {
    "overview": "/",
    "route": "/routes/support",
    "rollouts": "/rollouts",
    "rollout": "/rollouts/support",
    "action": "/rollouts/support/rollback",
    "split": "/rollouts/search",
    "journal": "/journal",
    "requests": "/requests",
    "reports": "/reports",
    "config": "/config",
    "sessions": "/sessions",
    "nothing": "/nothing",
}
PATIENCE_MS = 30_000.0


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give a gateway that eighty users of each route have asked."""
    with (
        provider() as sim,
        gateway(tmp_path_factory.mktemp("pages"), CONFIG.format(base_url=sim.base_url)) as running,
    ):
        running.until(lambda now: now["facts"] and now["facts"]["store"] == "ok")
        ask(running, 80)
        yield running


def ask(running: GatewayProcess, n_users: int) -> None:
    """Let so many users ask every route once."""
    for number in range(n_users):
        for route in ("support", "search", "chat"):
            body = orjson.dumps({"model": route, "messages": [{"role": "user", "content": "Hello"}]})
            headers = {"content-type": "application/json", "x-user-id": f"user-{number}"}
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
                answer.read()


def operators(running: GatewayProcess) -> str:
    """Give the address of the pages."""
    return str(orjson.loads((running.state / "endpoints.json").read_bytes())["operators"])


@pytest.fixture(name="opened", params=["light", "dark"])
def _opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Give a browser in each theme; the tool that checks pages may be put into them."""
    theme: Any = request.param
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce", bypass_csp=True)
    yield context
    context.close()


def kept(page: Page, name: str) -> None:
    """Keep what is seen where somebody wants it."""
    if folder := os.environ.get("SLUICE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.timeout(240)
def test_everybody_can_read_them(running: GatewayProcess, opened: BrowserContext) -> None:
    """axe finds nothing serious on any page, in either theme, and no page is wider than a phone."""
    axe = node_folder(AXE) / "node_modules" / "axe-core" / "axe.min.js"
    page = opened.new_page()
    theme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    found: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(operators(running) + path)
        kept(page, f"{name}-{theme}")
        page.add_script_tag(path=axe)
        report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found[name] = [
            f"{one['id']}: {one['nodes'][0]['html'][:120]}"
            for one in report["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        page.set_viewport_size({"width": 390, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found[name].append("wider than a phone")
    assert {name: texts for name, texts in found.items() if texts} == {}
    page.evaluate("document.querySelector('main').append(new Image())")
    page.add_script_tag(path=axe)
    assert "image-alt" in page.evaluate("axe.run(document).then(found => found.violations.map(one => one.id))")


def test_numbers_move(running: GatewayProcess, browser: Browser) -> None:
    """What users ask meanwhile is on the open page without loading it again; nothing breaks the policy."""
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(operators(running) + "/")
    page.evaluate("window.isSamePage = true")
    before = page.locator("main").inner_text()
    ask(running, 20)
    page.wait_for_function("text => document.querySelector('main').innerText !== text", arg=before, timeout=PATIENCE_MS)
    assert page.evaluate("window.isSamePage") is True and said == []
    page.close()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus; it has to be reachable so."""
    for _ in range(60):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(wanted)


def test_keyboard_rolls_back(running: GatewayProcess, browser: Browser) -> None:
    """With the keyboard alone: to the button, a name, a reason, and every worker gives the baseline to everybody."""
    page = browser.new_page()
    page.goto(operators(running) + "/rollouts/support")
    tab_to(page, page.get_by_role("link", name="Roll back").or_(page.get_by_role("button", name="Roll back")).first)
    page.keyboard.press("Enter")
    page.locator("[name=why]:visible").wait_for(timeout=PATIENCE_MS)
    tab_to(page, page.locator("[name=who]:visible"))
    page.keyboard.type("ana")
    tab_to(page, page.locator("[name=why]:visible"))
    page.keyboard.type("users complain")
    page.keyboard.press("Enter")
    page.get_by_text("Rolled back: at 0 % in 2 of 2 workers.").wait_for(timeout=PATIENCE_MS)
    kept(page, "rollout-rolled-back")
    told = running.ask_operators("/api/rollouts/support")[1]
    assert (told["phase"], told["weight_pct"], told["by"]) == ("rolled_back", 0.0, "ana")
    page.goto(operators(running) + "/journal")
    assert "users complain" in page.locator("main").inner_text()
    page.close()
