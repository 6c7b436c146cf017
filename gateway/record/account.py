"""Where every outcome is, in numbers: what was accepted is stored, queued, spooled or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class StoreState(StrEnum):
    """How the store does, as far as the last attempt tells."""

    OPENING = "opening"
    OK = "ok"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class Account:
    """
    The ledger's books within one process's life; `accepted = stored + queued + spooled + dropped` to the row.

    Attributes:
        accepted: Outcomes that came: from workers, their own losses included, and from a predecessor's spool.
        stored: Handed to the store, which kept each once.
        queued: In memory; their workers keep them too.
        spooled: On disk, waiting for the store.
        dropped: Gone, by reason.
        recovered: Of the accepted, those found in a predecessor's spool.
        repeated: Came a second time and were not accepted again.
        feedback: Pieces by receipt, and `refused` for those answered with 503.
        spool_bytes: Length of the spool's file.
        store: How the store does.
        store_error: What went wrong last; None while it is fine.
        store_error_unix_ms: When; None likewise.
    """

    accepted: int = 0
    stored: int = 0
    queued: int = 0
    spooled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    recovered: int = 0
    repeated: int = 0
    feedback: Mapping[str, int] = field(default_factory=dict)
    spool_bytes: int = 0
    store: StoreState = StoreState.OPENING
    store_error: str | None = None
    store_error_unix_ms: int | None = None

    @property
    def is_balanced(self) -> bool:
        """Say whether every row is somewhere."""
        return self.accepted == self.stored + self.queued + self.spooled + sum(self.dropped.values())
