"""Restarts and deaths under load: a rolling restart costs nobody a request, a killed worker only what it held."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.generations import ROUTE, generation
from tests.flows.rig.http import HttpClient, Reply
from tests.flows.rig.load import CHAT, Load, Plan, problem_of
from tests.flows.rig.provider import ProviderProcess
from tests.flows.rig.storm import restart_storm

N_HELD = 24


@pytest.fixture(name="running", scope="module")
def _running(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give one gateway for the whole file: each test leaves it serving."""
    config = generation(sim.base_url, 0) + ROUTE.format(name="long", model="long", n=0)
    with gateway(tmp_path_factory.mktemp("restart"), config) as running:
        yield running


async def hold(port: int, number: int, model: str = "held") -> Reply:
    """Ask for a stream of two seconds, or six of `long`, on a connection of its own."""
    client = HttpClient(port, keeps=False)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": f"held-{number}"}]}
    return await client.post(CHAT, body, {"x-user-id": f"user-{number}"})


async def holding(port: int, model: str = "held") -> asyncio.Future[list[Reply]]:
    """Begin to hold streams, and return once all of them have begun."""
    streams = asyncio.gather(*(hold(port, number, model) for number in range(N_HELD)))
    await asyncio.sleep(0.7)
    return streams


def test_rolling_restarts_under_load(running: GatewayProcess) -> None:
    """Six rolling restarts lose no request of kept and new connections, and no stream."""
    storm = asyncio.run(restart_storm(running, n_restarts=6, load=Plan(rate=120, n_held=30)))
    storm.tally.check(at_least=500)
    assert storm.tally.n_streams >= 30
    assert storm.n_workers == 12


def test_restart_by_signal(running: GatewayProcess) -> None:
    """SIGUSR2 does the same."""

    async def restart() -> None:
        async with Load(running.port, Plan(rate=60, n_held=8)) as load:
            before = set(await aside(running.worker_pids))
            running.send_signal(signal.SIGUSR2)
            await aside(lambda: running.until(lambda _: len(set(running.worker_pids()) - before) == 2))
        load.tally.check(at_least=30)

    asyncio.run(restart())


def test_killed_worker_costs_its_own(running: GatewayProcess) -> None:
    """Kill -9 of a worker breaks the streams it held, visibly, and no other; what is asked next is answered."""

    async def kill() -> tuple[int, list[Reply], list[Reply]]:
        streams = await holding(running.port, "long")
        # A status is a second old, and later on a busy machine; these streams last six.
        status = await aside(
            lambda: running.until(lambda now: sum(each["in_flight"] for each in now["workers"]) == N_HELD)
        )
        victim = max(status["workers"], key=lambda each: each["in_flight"])
        os.kill(victim["pid"], signal.SIGKILL)
        next_ones = await asyncio.gather(*(hold(running.port, number) for number in range(8)))
        return victim["in_flight"], await streams, next_ones

    n_lost, streams, next_ones = asyncio.run(kill())
    broken = [reply for reply in streams if problem_of(reply, is_stream=True)]
    assert 0 < n_lost < N_HELD
    assert len(broken) == n_lost
    assert all(reply.problem and b"[DONE]" not in reply.body for reply in broken)
    assert [problem_of(reply, is_stream=True) for reply in next_ones] == [""] * 8
    assert running.until(lambda now: len(now["workers"]) == 2 and now["is_ready"])


def test_killed_control_costs_nothing(running: GatewayProcess, sim: ProviderProcess) -> None:
    """Kill -9 of the control process under load costs no request, and the file is watched again afterwards."""

    async def kill() -> None:
        async with Load(running.port, Plan(rate=60, n_held=8)) as load:
            (pid,) = running.child_pids() - set(await aside(running.worker_pids))
            os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            await aside(running.until_back)
            await aside(partial(running.apply, generation(sim.base_url, 1)))
        load.tally.check(at_least=60)

    asyncio.run(kill())


def test_sigterm_finishes_streams(running: GatewayProcess) -> None:
    """SIGTERM: held streams come to their own end, exit 0; started on the same state it is what it was."""
    before = running.status()["config_hash"]

    async def end() -> tuple[list[Reply], int]:
        streams = await holding(running.port)
        running.send_signal(signal.SIGTERM)
        return await streams, await aside(running.wait)

    streams, code = asyncio.run(end())
    assert [problem_of(reply, is_stream=True) for reply in streams] == [""] * N_HELD
    assert code == 0
    running.kill()
    running.start()
    assert running.status()["config_hash"] == before
    assert problem_of(asyncio.run(hold(running.port, 1)), is_stream=True) == ""


def test_drain_has_an_end(sim: ProviderProcess, home: Path) -> None:
    """What is not done when the drain's time is over ends with an error event, never as if it were complete."""

    async def end() -> tuple[list[Reply], int]:
        streams = await holding(running.port)
        running.send_signal(signal.SIGTERM)
        return await streams, await aside(running.wait)

    with gateway(home, generation(sim.base_url, 0), flags=("--drain-timeout", "0.2")) as running:
        streams, code = asyncio.run(end())
        assert code == 0
    for reply in streams:
        assert (reply.status, reply.problem) == (200, "")
        assert b'"code":"draining"' in reply.body and b'"finish_reason":"stop"' not in reply.body
