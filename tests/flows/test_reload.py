"""Saving the file under load: no request fails, none sees two tables, and a broken file changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.flows.rig.gateway import GatewayProcess, aside, gateway
from tests.flows.rig.generations import BROKEN, generation, served
from tests.flows.rig.load import Load, Plan
from tests.flows.rig.provider import ProviderProcess
from tests.flows.rig.storm import reload_storm

APPLIED_WITHIN_S = 2.0


@pytest.fixture(name="running", scope="module")
def _running(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give one gateway for all the ways of saving: each test leaves it with a good file."""
    with gateway(tmp_path_factory.mktemp("reload"), generation(sim.base_url, 0)) as running:
        yield running


def test_reloads_under_load(sim: ProviderProcess, home: Path) -> None:
    """Thirty saves, half of them broken, under load: nothing fails, nothing is mixed, every good one serves."""
    with gateway(home, generation(sim.base_url, 0)) as running:
        storm = asyncio.run(reload_storm(running, sim, n_good=15, load=Plan(rate=150, n_held=40)))
        storm.tally.check(at_least=1_000)
        assert storm.tally.n_streams >= 80
        assert storm.served.mixed == []
        assert storm.served.generations == set(range(16))
        assert max(storm.applied_s) < APPLIED_WITHIN_S
        assert running.stop() == 0


def _in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _rename_over(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}~")
    draft.write_text(text)
    draft.replace(path)


def _swap_link(path: Path, text: str) -> None:
    version = path.with_name(f"version-{time.monotonic_ns()}.yaml")
    version.write_text(text)
    draft = path.with_name("link")
    draft.symlink_to(version.name)
    draft.replace(path)


def _swap_config_map(path: Path, text: str) -> None:
    """Do as Kubernetes: `sluice.yaml → ..data/sluice.yaml`, `..data → ..VERSION`, and swap `..data`."""
    folder = path.with_name(f"..{time.monotonic_ns()}")
    folder.mkdir()
    (folder / path.name).write_text(text)
    draft = path.with_name("..data_tmp")
    draft.symlink_to(folder.name)
    draft.replace(path.with_name("..data"))
    if not path.is_symlink():
        path.unlink()
        path.symlink_to(f"..data/{path.name}")


def _recreate(path: Path, text: str) -> None:
    path.unlink()
    time.sleep(0.3)
    path.write_text(text)


def _in_halves(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(0.3)
        file.write(text[len(text) // 2 :])


def _made_readable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0)
    time.sleep(0.2)
    path.chmod(0o600)


def is_taken(before: str, status: dict[str, Any]) -> bool:
    """Say whether another file than that of this hash is in use, and nothing is wrong with it."""
    return status["config_hash"] != before and not status["findings"]


WAYS = [_in_place, _rename_over, _recreate, _in_halves, _made_readable, _swap_link, _swap_config_map]


@pytest.mark.parametrize("save", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_way_of_saving(running: GatewayProcess, sim: ProviderProcess, save: Callable[[Path, str], None]) -> None:
    """Every way of saving is noticed, three times in a row and of equal size."""
    running.apply(generation(sim.base_url, 0))
    for prompt in ("prompt-a", "prompt-b", "prompt-c"):
        before = running.status()["config_hash"]
        save(running.config, generation(sim.base_url, 0).replace('replace: "prompt-0"', f'replace: "{prompt}"'))
        running.until(partial(is_taken, before))


def test_named_file_is_watched(running: GatewayProcess, sim: ProviderProcess) -> None:
    """A prompt's own file counts as the configuration: changing it is a reload."""
    prompt = running.home / "prompt.md"
    prompt.write_text("one")
    text = generation(sim.base_url, 0).replace('{replace: "prompt-0"}', "{replace: {file: prompt.md}}")
    before = running.apply(text)
    prompt.write_text("two")
    running.until(lambda now: now["config_hash"] != before["config_hash"])


def test_missing_file_appears(running: GatewayProcess, sim: ProviderProcess) -> None:
    """A file that names another before it is there is refused, and taken once it is."""
    good = running.apply(generation(sim.base_url, 0))
    running.write(generation(sim.base_url, 0).replace('{replace: "prompt-0"}', "{replace: {file: later.md}}"))
    refused = running.until(lambda now: now["findings"])
    assert refused["config_hash"] == good["config_hash"]
    (running.home / "later.md").write_text("here I am")
    taken = running.until(lambda now: not now["findings"])
    assert taken["config_hash"] != good["config_hash"]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file(running: GatewayProcess, sim: ProviderProcess, name: str) -> None:
    """The old table goes on; status and check say where the file is wrong, and a good one is taken again."""
    text = generation(sim.base_url, 0)
    before = running.apply(text)
    running.config.write_bytes(BROKEN[name](text))
    refused = running.until(lambda now: now["findings"])
    assert (refused["config_hash"], refused["is_ready"]) == (before["config_hash"], True)
    check = running.sluice("check", str(running.config))
    assert (check.returncode, len(refused["findings"])) == (2, len(check.stderr.split("sluice.yaml:")) - 1), check
    assert all(finding["line"] >= 1 and finding["column"] >= 1 for finding in refused["findings"])
    running.write(text)
    running.until(lambda now: not now["findings"])


def test_file_goes_away(running: GatewayProcess, sim: ProviderProcess) -> None:
    """Without a file the old table goes on, the status says so, and the file may come back."""
    before = running.apply(generation(sim.base_url, 0))
    running.config.unlink()
    gone = running.until(lambda now: now["findings"])
    assert (gone["config_hash"], gone["is_ready"]) == (before["config_hash"], True)
    running.write(generation(sim.base_url, 0))
    running.until(lambda now: not now["findings"])


def test_thousand_routes(sim: ProviderProcess, home: Path) -> None:
    """A file of a thousand routes is taken under load, and every one of them serves."""

    async def grow(running: GatewayProcess) -> Any:
        async with Load(running.port, Plan(rate=50, n_held=20)) as load:
            for number in (1, 2):
                await aside(partial(running.apply, generation(sim.base_url, number, n_routes=1_000)))
        return load.tally

    before = sim.stats().n_requests
    with gateway(home, generation(sim.base_url, 0)) as running:
        tally = asyncio.run(grow(running))
        tally.check(at_least=50)
        assert running.status()["routes"] == 1_002
        assert served(tally.asked, sim.received(after=before)).mixed == []
