"""A rollout's own time: it follows the wall clock forwards and never goes back."""

from __future__ import annotations

SET_BACK_MS = 60_000
"""Facts and the controller's clock may differ by so much without anybody having set a clock."""


class Pace:
    """
    Turns times of the wall clock into own time, in which windows and restarts are measured.

    A clock that is set back stops own time for an instant, and no window has to be lived through twice. One that is
    set forward empties windows, as the same stretch without traffic would. What is late counts when it arrives, in
    both arms alike, so nothing about the comparison changes.

    Attributes:
        now_ms: Own time; equals the wall clock's until that is first set back.
    """

    __slots__ = ("_wall_ms", "now_ms")

    def __init__(self, unix_ms: int, wall_ms: int | None = None) -> None:
        """Begin at `unix_ms`, own time; `wall_ms` is the wall clock's, where it differs."""
        self.now_ms = unix_ms
        self._wall_ms = unix_ms if wall_ms is None else wall_ms

    def follow(self, unix_ms: int) -> int:
        """Give own time after a fact of `unix_ms`: facts move it forwards only."""
        if unix_ms > self._wall_ms:
            self.now_ms += unix_ms - self._wall_ms
            self._wall_ms = unix_ms
        return self.now_ms

    def tell(self, unix_ms: int) -> int:
        """Give own time when the controller's clock shows `unix_ms`, which may have been set back."""
        if unix_ms < self._wall_ms - SET_BACK_MS:
            self._wall_ms = unix_ms
        return self.follow(unix_ms)

    def dump(self) -> tuple[int, int]:
        """Give what `Pace` is made from."""
        return self.now_ms, self._wall_ms
