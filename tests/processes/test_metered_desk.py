"""Where facts go, what counts them and what is noted open and close together."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from gateway.clock import SettableClock
from gateway.processes.metered_desk import MeteredDesk
from gateway.processes.tail import Tail


class Noted:
    """Notes what is done to it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log

    def open(self, *_: Any) -> None:
        self._log.append(f"{self._name} opens")

    async def close(self) -> None:
        self._log.append(f"{self._name} closes")

    async def run(self) -> None:
        self._log.append(f"{self._name} runs")
        try:
            await asyncio.Event().wait()
        finally:
            self._log.append(f"{self._name} ends")


async def nobody(release: str) -> dict[tuple[int, str], int]:
    """Give no exposed units."""
    return {}


async def test_closed_in_order() -> None:
    """What notes ends first, then facts are kept, and the last export tells of it."""
    log: list[str] = []
    desk, meters, notes, recent = (Noted(name, log) for name in ("desk", "meters", "notes", "recent"))
    tail = Tail(SettableClock())
    together = MeteredDesk(desk, meters, nobody, notes, recent=recent, tail=tail)  # type: ignore[arg-type]
    with socket.socket() as sock:
        together.open(sock)
        await asyncio.sleep(0)
        await together.close()
    assert log[:2] == ["desk opens", "meters opens"] and log[-2:] == ["desk closes", "meters closes"]
    assert set(log[2:4]) == {"notes runs", "recent runs"} and set(log[4:6]) == {"notes ends", "recent ends"}
