"""A place for feedback in memory, which keeps each id once as the store does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.errors import GatewayError
from gateway.record.feedback import Feedback, Receipt


@dataclass(slots=True)
class Shelf:
    """
    What a data plane hands its feedback to.

    Attributes:
        kept: By id, in the order it came.
        n_given: How often something was handed over.
        failure: Raised instead of keeping anything.
    """

    kept: dict[str, Feedback] = field(default_factory=dict)
    n_given: int = 0
    failure: GatewayError | None = None

    async def give(self, feedback: list[Feedback]) -> list[Receipt]:
        """Keep what is new, and give a receipt each."""
        self.n_given += 1
        if self.failure is not None:
            raise self.failure
        return [self._keep(one) for one in feedback]

    @property
    def only(self) -> Feedback:
        """Give what was kept, which must be one piece."""
        (one,) = self.kept.values()
        return one

    def _keep(self, one: Feedback) -> Receipt:
        before = self.kept.setdefault(one.id, one)
        if before is one:
            return Receipt.STORED
        return Receipt.REPEATED if _said_of(before) == _said_of(one) else Receipt.CONFLICT


def _said_of(one: Feedback) -> tuple[Any, ...]:
    return (one.metric, one.value, one.text, one.comment, one.route, one.release, one.unit_hash, one.arm, one.serial)
