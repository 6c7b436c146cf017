"""A disk that is full: no request notices, nothing that was accepted is lost, and room is all it takes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.rig.facts import integrity
from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.provider import ProviderProcess

PLAN = Plan(rate=60, n_held=0)
DISK_BYTES = 48 * 1024 * 1024


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> Iterator[Path]:
    """Give a small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here; that takes root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room, and give the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        piece = bytes(64 * 1024)
        while True:
            try:
                file.write(piece)
            except OSError:
                if len(piece) == 1:
                    return filler
                piece = piece[: len(piece) // 2]


def ids_of(load: Load) -> set[str]:
    """Give the request id of every answer."""
    return {one.reply.headers["x-sluice-request-id"] for one in load.tally.asked}


def test_full_disk(sim: ProviderProcess, home: Path, disk: Path) -> None:
    """The store's disk is full for seconds under load: facts wait in the spool, and all of them are stored once."""
    home.mkdir(parents=True)
    file = disk / "facts.sqlite"
    with gateway(home, generation(sim.base_url, 0), flags=("--store", f"sqlite:///{file}")) as running:
        running.until(lambda now: now["facts"]["store"] == "ok")
        load, facts = asyncio.run(_load_while_full(running, disk))
        load.tally.check(at_least=150)
        assert facts["store"] == "degraded" and facts["spooled"] > 50 and "full" in str(facts["store_error"])
        # The last ones asked may still be on their way from a worker when the spool is empty.
        n_asked = len(load.tally.asked)
        after = running.until(lambda now: now["facts"]["stored"] >= n_asked and not now["facts"]["spooled"])["facts"]
        assert after["store"] == "ok" and after["accepted"] == after["stored"] == n_asked and after["dropped"] == {}
        assert running.stop() == 0
    assert integrity(file) == "ok"


async def _load_while_full(running: GatewayProcess, disk: Path) -> tuple[Load, dict[str, Any]]:
    async with Load(running.port, PLAN) as load:
        filler = await aside(lambda: fill(disk))
        await asyncio.sleep(3.0)
        facts = (await aside(running.status))["facts"]
        os.unlink(filler)
        await asyncio.sleep(0.5)
    return load, facts
