"""`sluice forget` removes a user where no gateway writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.clock import SettableClock
from gateway.processes.state import open_state
from gateway.record.copied import salt_of
from gateway.record.store.engine import location_of
from gateway.record.store.forget import hashes_of
from gateway.record.store.store import Store
from tests.record.store.making import batch, outcome, pair


def fill(state: Path) -> None:
    """Keep a request of Ann's, and its pair."""

    async def keep() -> None:
        store = Store(location_of(None, state), clock=SettableClock())
        await store.keep([batch(outcome(hashes_of("ann", ["support-concise"])["support-concise"]))], [])
        await store.keep_pairs([pair(unit_hash=hashes_of("ann", [salt_of("support")])[salt_of("support")])])
        await store.close()

    asyncio.run(keep())


def test_forgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how much is gone, and finds nothing the second time."""
    fill(tmp_path)
    arguments = ["forget", "--user", "ann", "--state", str(tmp_path)]
    assert main(arguments) == 0 and "4 rows" in capsys.readouterr().out
    assert main(arguments) == 0 and "0 rows" in capsys.readouterr().out


def test_not_beside_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While a gateway runs on the state directory, that is said and nothing is removed."""
    fill(tmp_path)
    running = open_state(tmp_path)
    assert main(["forget", "--user", "ann", "--state", str(tmp_path)]) == 2
    running.close()
    assert "another gateway" in capsys.readouterr().err


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no store, none is made."""
    assert main(["forget", "--user", "ann", "--state", str(tmp_path)]) == 2
    assert "there is no store" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
