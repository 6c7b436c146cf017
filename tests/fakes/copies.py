"""Where a data plane's copies go in tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.record.copied import Copied


@dataclass(slots=True)
class CopyList:
    """
    Implements `proxy.mirror.Copies`.

    Attributes:
        taken: Every copy.
        skipped: Route and reason of what was not copied.
        is_open: Somebody wants copies.
        is_failing: Taking one fails.
    """

    taken: list[Copied] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    is_open: bool = False
    is_failing: bool = False

    def open(self) -> None:
        """Note it."""
        self.is_open = True

    def offer(self, copied: Copied) -> None:
        """Take a copy."""
        if self.is_failing:
            raise ArithmeticError
        self.taken.append(copied)

    def note_skipped(self, route: str, reason: str) -> None:
        """Note why there is none."""
        self.skipped.append((route, reason))

    def counts(self) -> dict[str, int]:
        """Give how many there are."""
        return {"copies": len(self.taken)}

    async def close(self, timeout_s: float) -> bool:
        """Note it."""
        self.is_open = False
        return True
