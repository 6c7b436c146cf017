"""Over requests of every kind, `/metrics` says what clients and provider counted, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.rig.counts import BEHAVIOUR, CONFIG, ask_everything, differences, settled
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.provider import ProviderProcess, provider

N_REQUESTS = 600


@pytest.fixture(name="sim", scope="module")
def _sim() -> Iterator[ProviderProcess]:
    """Give a provider with a slow model."""
    with provider(BEHAVIOUR) as running:
        yield running


@pytest.fixture(name="running")
def _running(sim: ProviderProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    """Give a gateway before it."""
    with gateway(tmp_path / "gateway", CONFIG.format(base_url=sim.base_url)) as running:
        yield running


def test_numbers_are_exact(running: GatewayProcess, sim: ProviderProcess) -> None:
    """Requests by how they ended, attempts, attempts by arm, tokens and leavers are the same on all three sides."""
    counted = asyncio.run(ask_everything(running.port, N_REQUESTS))
    assert counted.n_requests == N_REQUESTS and min(counted.classes[kind] for kind in ("2xx", "4xx", "5xx", "gone")) > 0
    assert differences(settled(running, N_REQUESTS), counted, sim) == {}
    counted.tokens["output"] += 1
    assert set(differences(settled(running, N_REQUESTS), counted, sim)) == {"tokens"}
