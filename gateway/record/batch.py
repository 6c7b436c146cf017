"""What crosses from workers to the store at once, and how the store is asked to keep it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome


class StoreError(Exception):
    """Nothing of what was handed over was kept; the same may be handed over again."""


class RefusedError(StoreError):
    """
    Something of what was handed over can never be kept as it is, whoever tries how often.

    Nothing was kept. It does not say which it was: hand them over one by one, and let go of the one that is refused.
    """


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """
    Outcomes of one worker, in order and without gaps.

    Attributes:
        worker: The worker's slot.
        boot: 63 random bits, drawn when the worker was born.
        first: Sequence number of the first outcome; a worker's first is 1. With `worker` and `boot` it makes
            every outcome known, so that one handed over twice is kept once.
        outcomes: At least one.
    """

    worker: int
    boot: int
    first: int
    outcomes: list[Outcome]


class FactStore(Protocol):
    """Keeps facts; `record.store` is the real one."""

    async def keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt]:
        """
        Keep all of it, durably, or nothing.

        Must not be cancelled: whoever may be cancelled shields it.

        Returns:
            One receipt per piece of feedback, in order.

        Raises:
            RefusedError: Nothing was kept, and of all of it together nothing ever will be.
            StoreError: Nothing was kept.
        """
        ...
