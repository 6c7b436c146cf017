"""A store in memory that can be made to fail, to hang or to be missing, and facts to put into it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

from gateway.record.batch import Batch, RefusedError, StoreError
from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome


def batch_of(first: int, n_rows: int, *, worker: int = 0, boot: int = 7) -> Batch:
    """Give a batch whose outcomes' `route` says worker, boot and number."""
    rows = [Outcome(route=f"{worker}/{boot}/{number}") for number in range(first, first + n_rows)]
    return Batch(worker, boot, first, rows)


def feedback_of(name: str, value: float = 1.0) -> Feedback:
    """Give one piece of feedback with an id."""
    return Feedback(name, "thumbs", value, None, None, 1, 1, "support", "exp", 5)


class MemoryStore:
    """
    Keeps facts as the real one does: all or nothing, repeats dropped by worker, boot and number.

    Attributes:
        rows: Every outcome kept, in order.
        feedback: Every piece kept, by id.
        failures: How many of the next attempts fail; -1 for all.
        unfit: A route that cannot be kept, whatever one does.
        gate: Attempts wait for it.
        groups: How many batches and pieces each attempt had.
        is_closed: It was closed.
    """

    def __init__(self, *, chance: Random | None = None) -> None:
        self.rows: list[Outcome] = []
        self.feedback: dict[str, Feedback] = {}
        self.failures = 0
        self.unfit = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.groups: list[tuple[int, int]] = []
        self.is_closed = False
        self._chance = chance
        self._last: dict[tuple[int, int], int] = {}

    @property
    def counts(self) -> Counter[str | None]:
        """Give how often each outcome was kept."""
        return Counter(row.route for row in self.rows)

    async def keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt]:
        """Keep all or nothing."""
        self.groups.append((len(batches), len(feedback)))
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.failures or (self._chance is not None and self._chance.random() < 0.5):
            self.failures -= self.failures > 0
            message = "the fake store fails"
            raise StoreError(message)
        if self.unfit and any(row.route == self.unfit for batch in batches for row in batch.outcomes):
            message = "no column takes this"
            raise RefusedError(message)
        for batch in batches:
            self._keep_new(batch)
        return [self._keep_piece(piece) for piece in feedback]

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True

    def _keep_new(self, batch: Batch) -> None:
        key = (batch.worker, batch.boot)
        last = self._last.get(key, 0)
        self.rows += batch.outcomes[max(0, last + 1 - batch.first) :]
        self._last[key] = max(last, batch.first + len(batch.outcomes) - 1)

    def _keep_piece(self, piece: Feedback) -> Receipt:
        known = self.feedback.setdefault(piece.id, piece)
        if known is piece:
            return Receipt.STORED
        return Receipt.REPEATED if known.value == piece.value else Receipt.CONFLICT


class FoldList:
    """
    Keeps what it is to add up.

    Attributes:
        routes: Of every outcome.
        ids: Of every piece of feedback.
        is_broken: It raises.
    """

    def __init__(self) -> None:
        self.routes: list[str | None] = []
        self.ids: list[str] = []
        self.is_broken = False

    def fold(self, batch: Batch) -> None:
        """Keep a batch's routes."""
        if self.is_broken:
            message = "cannot add"
            raise ArithmeticError(message)
        self.routes += [row.route for row in batch.outcomes]

    def note_feedback(self, feedback: Feedback) -> None:
        """Keep an id."""
        self.ids.append(feedback.id)
