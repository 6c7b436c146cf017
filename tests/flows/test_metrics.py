"""What a real Prometheus reads is what the provider counted, to the request."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.prometheus import Prometheus, prometheus, promtool
from tests.flows.rig.provider import ProviderProcess

N_USERS = 150
TOKEN = "a-token-that-only-operators-know"

CONFIG = """version: 1
default_provider: local
providers: {{local: {{base_url: "{base_url}", auth: none}}}}
identity: {{user: [header:x-user-id]}}
routes:
  support:
    variants: {{current: {{provider: local, model: model-a}}, concise: {{provider: local, model: model-b}}}}
    release: {{name: v8, split: {{arms: {{current: 50%, concise: 50%}}, baseline: current}}}}
"""

MINE = 'sluice_route="support"'


@pytest.fixture(name="running", scope="module")
def _running(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give a gateway that a token opens."""
    home = tmp_path_factory.mktemp("metrics")
    with gateway(home, CONFIG.format(base_url=sim.base_url)) as running:
        yield running


@pytest.fixture(name="scraper", scope="module")
def _scraper(running: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that scrapes it."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), running.operators) as scraper:
        yield scraper


def scrape(running: GatewayProcess, accept: str = "text/plain") -> tuple[str, bytes]:
    """Give content type and page."""
    connection = http.client.HTTPConnection(running.operators, timeout=30)
    try:
        connection.request("GET", "/metrics", headers={"Accept": accept})
        response = connection.getresponse()
        assert response.status == 200
        return response.headers["Content-Type"], response.read()
    finally:
        connection.close()


async def ask(running: GatewayProcess, number: int, client: AsyncOpenAI) -> None:
    """Ask once: every third as a stream, every tenth without saying who."""
    body: dict[str, Any] = {"model": "support", "messages": [{"role": "user", "content": "Where is my parcel?"}]}
    headers = {"x-user-id": f"user-{number}"} if number % 10 else {}
    if number % 3:
        await client.chat.completions.create(**body, extra_headers=headers)
        return
    async for _ in await client.chat.completions.create(**body, extra_headers=headers, stream=True):
        pass


async def test_prometheus_reads_what_happened(
    running: GatewayProcess, sim: ProviderProcess, scraper: Prometheus
) -> None:
    """Requests, attempts, streams and users without a name are counted exactly, by arm as the provider saw them."""
    async with AsyncOpenAI(base_url=running.base_url, api_key="x", max_retries=0) as client:
        for start in range(0, N_USERS, 15):
            await asyncio.gather(*(ask(running, number, client) for number in range(start, start + 15)))
    received = sim.received()
    await asyncio.to_thread(scraper.until, f"sum(sluice_requests_total{{{MINE}}})", N_USERS)
    for arm, model in (("current", "model-a"), ("concise", "model-b")):
        n_seen = sum(model.encode() in each.body for each in received)
        assert scraper.number(f'sum(sluice_attempts_total{{{MINE},sluice_arm="{arm}"}})') == n_seen > 0
    duration = f"gen_ai_client_operation_duration_seconds_count{{{MINE}}}"
    assert scraper.number(f"sum({duration})") == N_USERS
    assert scraper.number(f"sluice_requests_without_user_total{{{MINE}}}") == N_USERS / 10
    assert scraper.number(f"sum(sluice_requests_total{{{MINE},sluice_status_class!='2xx'}})") == 0


def test_scraping_goes_well(scraper: Prometheus) -> None:
    """Prometheus finds nothing wrong with a page, and the gateway up."""
    scraper.until("up", 1)
    assert [target["lastError"] for target in scraper.targets()] == [""]


def test_weights_and_workers_are_shown(scraper: Prometheus) -> None:
    """Arms' shares, workers and the configuration are there without any traffic."""
    scraper.until("sum(sluice_workers)", 2)
    assert scraper.number(f"sum(sluice_arm_weight_ratio{{{MINE}}})") == 1.0
    assert scraper.number("sluice_config_refused") == 0


async def test_promtool_accepts_it(running: GatewayProcess, scraper: Prometheus) -> None:
    """`promtool check metrics` has nothing to say about the page."""
    await asyncio.to_thread(scraper.until, "up", 1)
    content_type, page = scrape(running)
    done = promtool("check", "metrics", stdin=page)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert content_type.startswith("text/plain; version=0.0.4")


def test_openmetrics_is_served(running: GatewayProcess) -> None:
    """Who prefers OpenMetrics gets it."""
    content_type, page = scrape(running, "application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text") and page.endswith(b"# EOF\n")


def test_a_token_is_asked_for(sim: ProviderProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token set, a scraper without it is refused, and one that shows it is not."""
    monkeypatch.setenv("SLUICE_ADMIN_TOKEN", TOKEN)
    extra = f"authorization: {{credentials: {TOKEN}}}"
    with gateway(tmp_path / "home", CONFIG.format(base_url=sim.base_url), workers=1) as running:
        connection = http.client.HTTPConnection(running.operators, timeout=30)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 401
        connection.close()
        with prometheus(tmp_path / "prometheus", running.operators, extra=extra) as scraper:
            scraper.until("up", 1)
