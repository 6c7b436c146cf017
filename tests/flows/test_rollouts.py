"""Rollouts end to end: real processes, a real provider that breaks, and a candidate that is taken away in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.latches import latch_storm
from tests.flows.rig.load import Plan
from tests.flows.rig.population import arms_of, users
from tests.flows.rig.rollouts import (
    CONFIG,
    HALF,
    Providers,
    abuse,
    entry_of,
    outage,
    rollout_of,
    trip,
    two_providers,
)

RATE = 20.0
LOAD = Plan(rate=RATE, n_held=0)
GONE_WITHIN_S = 30.0
MAX_HARMED = 30

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


@pytest.fixture(name="providers")
def _providers() -> Iterator[Providers]:
    with two_providers() as providers:
        yield providers


async def test_outage_rolls_back(tmp_path: Path, providers: Providers) -> None:
    """A 10 % canary turned to nothing but errors is at 0 % in every worker within 30 s and 30 candidate requests."""
    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        assert rollout_of(running)["weight_pct"] == 10
        tripped = await trip(running, lambda: providers.take_away(providers.other), LOAD)
        assert 0 < tripped.n_requests <= MAX_HARMED and tripped.gone_s <= GONE_WITHIN_S
        assert set((await aside(lambda: arms_of(running.port, users(200)))).values()) == {"current"}
        entry = await aside(lambda: entry_of(running, "rolled_back"))
        assert (entry["from_weight"], entry["to_weight"], entry["who"]) == (1_000, 0, "controller")
        assert "concise" in entry["sentence"]


@pytest.mark.parametrize("harm", ["content_filter_rate", "refusal_rate"])
async def test_harm_rolls_back(tmp_path: Path, providers: Providers, harm: str) -> None:
    """Answers that the provider filters or refuses roll a 10 % canary back as quickly, and are called what they are."""
    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        tripped = await trip(running, lambda: providers.behave(providers.other, **{harm: 1.0}), LOAD)
    assert 0 < tripped.n_requests <= MAX_HARMED and tripped.gone_s <= GONE_WITHIN_S
    assert tripped.signal == "safety"


async def test_outage_of_both_is_nobodys(tmp_path: Path, providers: Providers) -> None:
    """Where both arms fail together, nothing is decided."""

    def spoil() -> None:
        for each in (providers.good, providers.other):
            providers.behave(each, error_rate=1.0)

    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        calm = await outage(running, spoil, LOAD, lasts_s=8.0)
    assert calm.n_failed > 100
    assert (calm.decided, calm.weight_pct) == ([], 10)


async def test_one_user_is_no_crowd(tmp_path: Path, providers: Providers) -> None:
    """However often one user fails, nobody else loses the candidate."""
    with gateway(tmp_path / "g", providers.config(CONFIG)) as running:
        calm = await abuse(running, 500, LOAD)
    assert calm.n_failed == 500
    assert (calm.decided, calm.weight_pct) == ([], 10)


async def test_kills_open_no_latch(tmp_path: Path, providers: Providers) -> None:
    """Killed at the moment of a rollback, whoever asked for it, no process lets anybody have the candidate again."""
    with gateway(tmp_path / "g", providers.config(HALF)) as running:
        storm = await latch_storm(running, providers, n_loops=3, load=Plan(rate=60, n_held=0))
    assert (storm.late, storm.reached, storm.miscounted, storm.unreadable, storm.odd) == ([], 0, [], [], [])
    assert 0 < storm.resumed == 3 - storm.unacknowledged["open"]


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
        assert "becomes a rollout" in running.log()
        running.apply(before)
        assert len(set(arms_of(running.port, users(100)).values())) == 1
