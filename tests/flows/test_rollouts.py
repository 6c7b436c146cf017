"""Rollouts end to end: real processes, a real provider that breaks, and a candidate that is taken away in time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.describe import Behaviour
from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.population import arms_of, users
from tests.flows.rig.provider import ProviderProcess

RATE = 20.0
GONE_WITHIN_S = 30.0
MAX_HARMED = 30
NOTICED_WITHIN_S = 10.0

CONFIG = """
version: 1
providers:
  good: {base_url: "GOOD", auth: none, timeouts: {connect: 1s, first_byte: 5s}}
  other: {base_url: "OTHER", auth: none, timeouts: {connect: 1s, first_byte: 5s}}
routes:
  support:
    variants:
      current: {provider: good, model: a}
      concise: {provider: other, model: b}
    release:
      name: support-v8
      rollout: {baseline: current, candidate: concise, change_type: prompt_wording}
"""

FIXED = """
version: 1
providers:
  good: {base_url: "GOOD", auth: none}
routes:
  support:
    variants:
      current: {provider: good, model: a, system_prompt: {replace: "Explain every step."}}
    release: {name: support-v8, fixed: {variant: current}}
"""


class Providers:
    """
    Two accounts: one stays well, the other can be taken away.

    Attributes:
        good: The one that stays.
        other: The one the candidate uses.
    """

    def __init__(self) -> None:
        self.good, self.other = ProviderProcess(Behaviour()), ProviderProcess(Behaviour())
        self._running = [self.good, self.other]
        for each in self._running:
            each.start()

    def break_other(self) -> None:
        """Take it away: every connection to it is refused from now on."""
        self.other.close()
        self._running.remove(self.other)

    def close(self) -> None:
        """End what runs."""
        for each in self._running:
            each.close()

    def config(self, text: str) -> str:
        """Give a configuration that names them."""
        return text.replace("GOOD", self.good.base_url).replace("OTHER", self.other.base_url)


@pytest.fixture(name="providers")
def _providers() -> Iterator[Providers]:
    providers = Providers()
    yield providers
    providers.close()


def rollout_of(running: GatewayProcess) -> dict[str, Any]:
    """Give how the rollout stands."""
    status, body = running.ask_operators("/api/rollouts/support-v8")
    assert status == 200, body
    return dict(body)


async def until_rolled_back(running: GatewayProcess) -> dict[str, Any]:
    """Wait for the rollback, and give how the rollout stands then."""
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while True:
        rollout: dict[str, Any] = await aside(lambda: rollout_of(running))
        if rollout["phase"] == "rolled_back":
            return rollout
        assert time.monotonic() < deadline_s, rollout["sentence"]
        await asyncio.sleep(0.05)


def entry_of(running: GatewayProcess, kind: str) -> dict[str, Any]:
    """Give the newest journal entry of a kind."""
    _, body = running.ask_operators("/api/journal?release=support-v8")
    return next(dict(entry) for entry in body["entries"] if entry["kind"] == kind)


async def test_outage_rolls_back(tmp_path: Path, providers: Providers) -> None:
    """A 10 % canary turned to nothing but errors is at 0 % in every worker within 30 s and 30 candidate requests."""
    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        assert rollout_of(running)["weight_pct"] == 10
        async with Load(running.port, Plan(rate=RATE, n_held=0)) as load:
            await asyncio.sleep(2.0)
            await aside(providers.break_other)
            await until_rolled_back(running)
            await aside(lambda: running.until(lambda status: _serves_one_table(status), NOTICED_WITHIN_S))
            await asyncio.sleep(0.5)  # For what was under way.
            before = len(load.tally.failed)
            await asyncio.sleep(1.5)
            assert len(load.tally.failed) == before
        assert 0 < len(load.tally.failed) <= MAX_HARMED
        assert set((await aside(lambda: arms_of(running.port, users(200)))).values()) == {"current"}
        entry = entry_of(running, "rolled_back")
        assert (entry["from_weight"], entry["to_weight"], entry["who"]) == (1_000, 0, "controller")
        assert "concise" in entry["sentence"]


def _serves_one_table(status: dict[str, Any]) -> bool:
    return {worker["version"] for worker in status["workers"]} == {status["version"]}


def test_latch_outlives_everything(tmp_path: Path, providers: Providers) -> None:
    """However its processes are killed after a rollback, nobody gets the candidate again, until a person says so."""
    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        done = running.sluice(
            "rollback", "support", "--state", str(running.state), "--who", "ana", "--why", "odd answers"
        )
        assert done.returncode == 0, done.stderr
        for victim in ("control", "worker", "parent", "control"):
            _kill(running, victim)
            assert set(arms_of(running.port, users(100)).values()) == {"current"}, victim
        running.until_back()
        assert rollout_of(running)["phase"] == "rolled_back"
        done = running.sluice("resume", "support", "--state", str(running.state), "--who", "ana")
        assert done.returncode == 0, done.stderr
        running.until(lambda _: "concise" in arms_of(running.port, users(100)).values())


def _kill(running: GatewayProcess, victim: str) -> None:
    if victim == "parent":
        running.kill_parent()
        running.start()
        return
    running.until_back()
    os.kill(running.control_pid() if victim == "control" else running.worker_pids()[0], signal.SIGKILL)
    time.sleep(0.3)


def test_edit_reaches_a_tenth(tmp_path: Path, providers: Providers) -> None:
    """Saving an edited prompt under `fixed` reaches 10 % of users and not all, and the log says so."""
    before = providers.config(FIXED)
    with gateway(tmp_path / "g", before) as running:
        assert set(arms_of(running.port, users(100)).values()) == {"current"}
        running.apply(before.replace("Explain every step.", "Explain each step."))
        some = users(1_000)
        arms = list(arms_of(running.port, some).values())
        assert 0.06 < arms.count("current") / len(arms) < 0.14
        assert "on_edit" in running.log() or "rollout" in running.log()
        running.apply(before)
        assert len(set(arms_of(running.port, users(100)).values())) == 1
