"""Where facts arrive: intake, ledger, samples and pairs as one thing that the control process opens and closes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.record.account import Account
from gateway.record.intake import Intake
from gateway.record.ledger import Folder, Ledger, LedgerLimits, OpenStore
from gateway.record.pair_keeper import PairKeeper
from gateway.record.sample_keeper import SampleKeeper
from gateway.record.shadowed import ShadowCount
from gateway.record.spool import Spool

SAMPLES_WITHIN_S = 0.5
CLOSE_WITHIN_S = 1.5
"""The parent waits four seconds for the control process to end."""


class FactDesk:
    """
    Takes facts from workers and sees that they are kept.

    Attributes:
        ledger: The books.
        samples: What keeps samples, once it is told where, and tends the store.
        pairs: What keeps pairs and counts copies, once it is told where.
        intake: The workers' connections.
    """

    def __init__(
        self,
        open_store: OpenStore,
        spool_file: Path,
        *,
        clock: Clock,
        folder: Folder | None = None,
        limits: LedgerLimits | None = None,
        on_shadowed: Callable[[Sequence[ShadowCount]], None] | None = None,
    ) -> None:
        self.ledger = Ledger(open_store, Spool(spool_file), clock=clock, folder=folder, limits=limits)
        self.samples = SampleKeeper(lambda: self.ledger.is_store_away)
        self.pairs = PairKeeper(self.samples.obstacle, on_counted=on_shadowed)
        self.intake = Intake(self.ledger, self.samples, self.pairs)

    def open(self, sock: socket.socket) -> None:
        """Take facts from whoever connects; the store opens in the background."""
        self.ledger.open()
        self.samples.open()
        self.pairs.open()
        self.intake.open(sock)

    def account(self) -> Account:
        """Give the books."""
        return self.ledger.account()

    def render(self) -> dict[str, Any]:
        """Give the books, the workers and the shadow process as JSON."""
        shadow = self.intake.shadow()
        return asdict(self.account()) | {
            "samples": self.samples.counts(),
            "pairs": self.pairs.counts(),
            "copies": self.pairs.results(),
            "workers": [asdict(each) for each in self.intake.workers()],
            "shadow": None if shadow is None else asdict(shadow),
        }

    async def close(self) -> None:
        """Read no more, store or spool what was read, tell the workers, and hang up."""
        self.intake.stop_reading()
        # First, for the ledger closes the store behind itself.
        await asyncio.gather(self.samples.close(SAMPLES_WITHIN_S), self.pairs.close(SAMPLES_WITHIN_S))
        await self.ledger.close(CLOSE_WITHIN_S)
        await self.intake.close()
