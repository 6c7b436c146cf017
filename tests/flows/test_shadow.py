"""Shadows through the real gateway: pairs are kept, nothing a shadow does reaches a client, every copy is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.flows.rig.facts import kept_feedback, store_file
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT, Load, Plan
from tests.flows.rig.provider import ProviderProcess, provider
from tests.flows.rig.shadows import (
    BEHAVIOUR,
    config,
    kept_pairs,
    memory_of,
    results_of,
    until_settled,
    without_shadows,
)

PLAN = Plan(rate=60.0, n_held=4)


@pytest.fixture(name="lively", scope="module")
def _lively() -> Iterator[ProviderProcess]:
    """Give a provider some of whose models misbehave."""
    with provider(BEHAVIOUR) as running:
        yield running


async def ask(running: GatewayProcess, n_users: int, said: str = "hi", **more: Any) -> list[str]:
    """Ask `support` once for each of so many users; give the request ids."""
    async with asyncio.timeout(60):
        client = HttpClient(running.port)
        body = {"model": "support", "messages": [{"role": "user", "content": said}]} | more
        replies = [await client.post(CHAT, body, {"x-user-id": f"u{number}"}) for number in range(n_users)]
        client.close()
    assert {reply.status for reply in replies} == {200}
    return [reply.headers["x-sluice-request-id"] for reply in replies]


def test_pairs_are_kept(lively: ProviderProcess, home: Path) -> None:
    """Every request has its pair, with both answers, redacted; the shadow's got its own prompt and no side effect."""
    with gateway(home, config(lively.base_url, "wordy")) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        ids = asyncio.run(ask(running, 10, "I am ann@example.org", store=True))
        streamed = asyncio.run(ask(running, 5, stream=True))
        until_settled(running, "support", answered=15)
        pairs = kept_pairs(running)
    assert {pair.request_id for pair in pairs} == {*ids, *streamed}
    for pair in pairs:
        assert (pair.primary.variant, pair.shadow.variant, pair.shadow.status) == ("current", "next", 200)
        assert pair.likeness is not None and pair.texts is not None and "ann@" not in pair.texts.prompt
        assert pair.shadow.output_tokens and pair.shadow.duration_ms > 0 and pair.has_unit
    sent = [one.json for one in lively.received() if one.json.get("model") == "wordy"]
    assert {one["messages"][0]["content"] for one in sent} == {"Be kind."}
    assert not any(one.get("store") for one in sent)


@pytest.mark.parametrize("model", ["hanging", "resetting", "flooding", "bombing", "broken", "nobody"])
def test_shadow_provider_misbehaves(lively: ProviderProcess, home: Path, model: str) -> None:
    """However the shadow's provider fails, with everything mirrored: clients notice nothing, every copy is counted."""
    shadow_url = "http://127.0.0.1:1/v1" if model == "nobody" else lively.base_url
    with gateway(home, config(lively.base_url, model, shadow_url=shadow_url)) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        load = asyncio.run(_load(running, 3.0))
        load.tally.check(at_least=100)
        counted = until_settled(running, "support", total=_asked_of(load, "support"))
        assert memory_of(running.status()["shadow"]["pid"]) < 300 * 1024 * 1024
        assert running.status()["facts"]["dropped"] == {} and sum(counted.values()) > 0
        assert running.stop() == 0


def _asked_of(load: Load, route: str) -> int:
    return len(load.tally.asked) - (load.tally.n_streams if route == "support" else 0)


async def _load(running: GatewayProcess, seconds: float) -> Load:
    async with Load(running.port, PLAN) as load:
        await asyncio.sleep(seconds)
    return load


def test_killed_shadow_process(lively: ProviderProcess, home: Path) -> None:
    """Killed again and again, it comes back, and no client hears of it."""
    with gateway(home, config(lively.base_url, "wordy")) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        load = asyncio.run(_load_and_kill(running, 3))
        load.tally.check(at_least=100)
        assert running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])["shadow"]["restarts"] >= 3
        before = len(kept_pairs(running))
        asyncio.run(ask(running, 5))
        deadline_s = time.monotonic() + 10
        while len(kept_pairs(running)) < before + 5 and time.monotonic() < deadline_s:
            time.sleep(0.1)
        assert len(kept_pairs(running)) >= before + 5


async def _load_and_kill(running: GatewayProcess, n_kills: int) -> Load:
    async with Load(running.port, PLAN) as load:
        for _ in range(n_kills):
            status = await asyncio.to_thread(running.until, lambda now: now["shadow"] and now["shadow"]["is_ready"])
            os.kill(status["shadow"]["pid"], signal.SIGKILL)
            await asyncio.sleep(1.0)
    return load


def test_share_of_users(lively: ProviderProcess, home: Path) -> None:
    """A sample is of users: all of a user's requests are copied, or none."""
    with gateway(home, config(lively.base_url, "fast", sample="20%")) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        for _ in range(2):
            asyncio.run(ask(running, 200))
        running.until(lambda now: now["facts"]["store"] == "ok")
        _until(lambda: (n := len(kept_pairs(running))) >= 40 and n % 2 == 0)
        pairs = kept_pairs(running)
        by_user = [sum(pair.unit_hash == unit for pair in pairs) for unit in {pair.unit_hash for pair in pairs}]
    assert set(by_user) == {2} and 20 <= len(by_user) <= 65


def test_budget_holds(lively: ProviderProcess, home: Path) -> None:
    """Never more copies than the day's budget allows, also over a kill."""
    with gateway(home, config(lively.base_url, "wordy", more="noise: 0%, budget: {requests_per_day: 30}")) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        asyncio.run(ask(running, 20))
        os.kill(running.status()["shadow"]["pid"], signal.SIGKILL)
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"] and now["shadow"]["restarts"])
        asyncio.run(ask(running, 40))
        counted = until_settled(running, "support", over_budget=1)
    received = [one for one in lively.received() if one.json.get("model") == "wordy"]
    assert counted["over_budget"] > 0 and results_of(counted) <= 30 and received


def test_live_reload(lively: ProviderProcess, home: Path) -> None:
    """Shadows come and go with the file, without a restart, and their process with them."""
    with gateway(home, without_shadows(config(lively.base_url, "wordy"))) as running:
        assert running.status()["shadow"] is None
        running.apply(config(lively.base_url, "wordy"))
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        asyncio.run(ask(running, 3))
        until_settled(running, "support", answered=3)
        running.apply(without_shadows(config(lively.base_url, "wordy")))
        running.until(lambda now: now["shadow"] is None)


JUDGE = """  judge:
    variants: {only: {provider: local, model: sim-judge}}
    release: {fixed: {variant: only}}
"""


def test_judged_and_reported(lively: ProviderProcess, home: Path) -> None:
    """A judge of the same gateway compares pairs and rates live answers; report and plan read it all from the store."""
    text = config(lively.base_url, "wordy", more="noise: 0%, judge: {route: judge}") + JUDGE
    text = text.replace("thumbs: {kind: binary}", "kind: {kind: binary, source: {judge: judge, sample: 100%}}")
    with gateway(home, text) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        ids = asyncio.run(ask(running, 60))
        until_settled(running, "support", answered=60)
        _until(lambda: sum(pair.judgement is not None for pair in kept_pairs(running)) == 60)
        _until(lambda: len(kept_feedback(store_file(running))) == 60)
        assert all(name.startswith("judge-") for name in kept_feedback(store_file(running)))
        where = ("--state", str(running.state))
        done = running.sluice("report", "shadow", "support", "--json", *where)
        (shadow,) = orjson.loads(done.stdout)["shadows"]
        # Plans are reckoned from rollups, which follow some seconds behind.
        plan = ("plan", "shadow", "support", "--config", str(running.config), *where)
        _until(lambda: "60 requests of the last" in running.sluice(*plan).stdout)
    assert (shadow["n_pairs"], shadow["judge"]["n_judged"], shadow["state"]) == (60, 60, "insufficient"), done.stderr
    assert len({pair["request_id"] for group in shadow["telling"] for pair in group["pairs"]} - set(ids)) == 0


def _until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def test_stage_of_a_rollout(lively: ProviderProcess, home: Path) -> None:
    """At its shadow stage a candidate gets copies of the stage's share, no user, and waits for enough of them."""
    stages = "stages: [{at: shadow, min_duration: 12s, sample: 100%}, {at: 10%}, {at: 100%}]"
    rollout = f"release: {{rollout: {{baseline: current, candidate: next, change_type: prompt_wording, {stages}}}}}"
    text = config(lively.base_url, "wordy", sample="1%").replace("release: {fixed: {variant: current}}", rollout, 1)
    with gateway(home, text) as running:
        running.until(lambda now: now["shadow"] and now["shadow"]["is_ready"])
        asyncio.run(ask(running, 30))
        until_settled(running, "support", answered=30)
        _until(lambda: "30 pairs of 30 users" in str(running.ask_operators("/api/rollouts/support")[1]))
        told = running.ask_operators("/api/rollouts/support")[1]
    assert (told["weight_pct"], told["stage"]["label"]) == (0, "shadow"), told
