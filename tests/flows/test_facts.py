"""Facts under fire: whatever dies, and wherever the store is, what a living worker accepted is stored once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.rig.facts import METRICS, await_kept, integrity, kept_feedback, kill_storm, locked, store_file
from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.provider import ProviderProcess

PLAN = Plan(rate=60, n_held=0)


@pytest.fixture(name="running")
def _running(sim: ProviderProcess, home: Path) -> Iterator[GatewayProcess]:
    """Give a gateway whose store is open."""
    with gateway(home, generation(sim.base_url, 0)) as running:
        running.until(lambda now: now["facts"]["store"] == "ok")
        yield running


def ids_of(load: Load) -> set[str]:
    """Give the request id of every answer."""
    return {one.reply.headers["x-sluice-request-id"] for one in load.tally.asked}


def test_killed_processes(running: GatewayProcess) -> None:
    """Kill -9 of control, a worker and the parent, twice round: nothing lost but what died, nothing twice."""
    storm = asyncio.run(kill_storm(running, n_kills=6, load=PLAN, gives_feedback=False))
    kept = await_kept(running, storm.ids, timeout_s=5.0)
    assert len(storm.asked) > 200 and storm.inexcusable == []
    assert storm.lost(kept) == []
    assert max(kept.values()) == 1
    assert running.stop() == 0 and integrity(store_file(running)) == "ok"


def test_feedback_survives(sim: ProviderProcess, home: Path) -> None:
    """Feedback that was acknowledged is in the store, whoever was killed meanwhile."""
    with gateway(home, generation(sim.base_url, 0) + METRICS) as running:
        storm = asyncio.run(kill_storm(running, n_kills=3, load=PLAN, gives_feedback=True))
        assert running.stop() == 0
        assert len(storm.acknowledged) > 50
        assert storm.acknowledged <= kept_feedback(store_file(running)).keys()


def test_locked_store(running: GatewayProcess) -> None:
    """While somebody holds the store's file requests are served and facts spooled; afterwards all of it is there."""

    async def ask() -> tuple[Load, dict[str, object]]:
        async with Load(running.port, PLAN) as load:
            with locked(store_file(running)):
                await asyncio.sleep(3.0)
                facts = (await aside(running.status))["facts"]
            await asyncio.sleep(0.5)
        return load, facts

    load, facts = asyncio.run(ask())
    load.tally.check(at_least=150)
    assert facts["store"] == "degraded" and isinstance(facts["spooled"], int) and facts["spooled"] > 50
    kept = await_kept(running, ids_of(load))
    assert ids_of(load) <= kept.keys() and max(kept.values()) == 1
    n_asked = len(load.tally.asked)
    after = running.until(lambda now: now["facts"]["store"] == "ok" and now["facts"]["stored"] >= n_asked)["facts"]
    assert (after["queued"], after["spooled"], after["dropped"]) == (0, 0, {})
    assert after["accepted"] == after["stored"] == n_asked


def test_missing_store(sim: ProviderProcess, home: Path) -> None:
    """A store that is not there at the start delays nothing, and is used once it is there."""
    place = home / "later"
    home.mkdir(parents=True)
    place.write_text("in the way")
    flags = ("--store", f"sqlite:///{place}/facts.sqlite")
    with gateway(home, generation(sim.base_url, 0), flags=flags) as running:
        asyncio.run(_some(running)).tally.check(at_least=20)
        facts = running.until(lambda now: now["facts"]["spooled"] and now["facts"]["store"] == "degraded")["facts"]
        assert facts["store_error"] and running.status()["is_ready"]
        place.unlink()
        place.mkdir()
        after = running.until(lambda now: now["facts"]["stored"] == now["facts"]["accepted"])["facts"]
        assert after["store"] == "ok" and not after["spooled"] and after["stored"] >= facts["accepted"]


def test_rolling_restart_settles(running: GatewayProcess) -> None:
    """Workers that leave hand everything over first, and control's successor goes on with it."""

    async def restart() -> Load:
        async with Load(running.port, PLAN) as load:
            await aside(running.restart)
            await asyncio.sleep(1.0)
        return load

    load = asyncio.run(restart())
    load.tally.check(at_least=60)
    kept = await_kept(running, ids_of(load))
    assert ids_of(load) <= kept.keys() and max(kept.values()) == 1


def test_stopping_leaves_nothing_behind(running: GatewayProcess) -> None:
    """At SIGTERM everything that was accepted is stored before the last process ends."""
    load = asyncio.run(_some(running))
    begun_s = time.monotonic()
    assert running.stop() == 0 and time.monotonic() - begun_s < 10
    kept = await_kept(running, set())
    assert ids_of(load) == set(kept) and not (running.state / "facts.sock").exists()


async def _some(running: GatewayProcess) -> Load:
    async with Load(running.port, PLAN) as load:
        await asyncio.sleep(0.5)
    return load
