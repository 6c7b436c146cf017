"""What is imported beside a reload waits for it, and the reload for nothing."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.processes.giving_way import ImportsGiveWay


@pytest.fixture(name="imports")
def _imports() -> Iterator[ImportsGiveWay]:
    imports = ImportsGiveWay()
    with imports.installed():
        yield imports
    assert imports not in sys.meta_path


@pytest.fixture(name="module")
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "made_for_giving_way.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "made_for_giving_way"
    sys.modules.pop("made_for_giving_way", None)


async def test_import_waits(imports: ImportsGiveWay, module: str) -> None:
    """A thread's import goes on only when nothing is urgent any more."""
    with imports.urgent():
        thread = threading.Thread(target=importlib.import_module, args=(module,))
        thread.start()
        await asyncio.sleep(0.05)
        assert thread.is_alive() and module not in sys.modules
    await asyncio.to_thread(thread.join, 1.0)
    assert module in sys.modules


async def test_urgent_work_imports(imports: ImportsGiveWay, module: str) -> None:
    """What is urgent waits for nobody, in its own threads neither."""
    with imports.urgent():
        async with asyncio.timeout(0.3):
            assert (await asyncio.to_thread(importlib.import_module, module)).value == 1


async def test_main_thread_never_waits(imports: ImportsGiveWay, module: str) -> None:
    """The loop is held up by nobody."""
    entered, over = asyncio.Event(), asyncio.Event()

    async def be_urgent() -> None:
        with imports.urgent():
            entered.set()
            await over.wait()

    urgent = asyncio.ensure_future(be_urgent())
    await entered.wait()
    assert importlib.import_module(module).value == 1
    over.set()
    await urgent
