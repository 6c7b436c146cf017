"""Frames that take what room is left on a connection: never settled; beyond bounds dropped and counted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from gateway.record.frames import Kind, encode_frame


class SpareFrames:
    """
    A short queue of encoded messages.

    Attributes:
        dropped: What could not be kept, by reason; counts that only rise.
        n_noted: Everything that was ever offered.
    """

    __slots__ = ("_frames", "_max_bytes", "_max_rows", "_n_bytes", "dropped", "n_noted")

    def __init__(self, *, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._frames: deque[bytearray] = deque()
        self._n_bytes = 0
        self.dropped: Counter[str] = Counter()
        self.n_noted = 0

    def __len__(self) -> int:
        """Give how many wait."""
        return len(self._frames)

    def offer(self, kind: Kind, message: object) -> bool:
        """Take a message, or drop and count it; never raises. Tell whether it was taken."""
        self.n_noted += 1
        if len(self._frames) >= self._max_rows:
            self.dropped["worker_rows"] += 1
            return False
        try:
            frame = encode_frame(kind, message)
        except Exception:  # What msgpack has no form for costs itself only.
            self.dropped["worker_unfit"] += 1
            return False
        if self._n_bytes + len(frame) > self._max_bytes:
            self.dropped["worker_bytes"] += 1
            return False
        self._frames.append(frame)
        self._n_bytes += len(frame)
        return True

    def send_next(self, send: Callable[[bytearray], None]) -> None:
        """Send the oldest; there must be one."""
        frame = self._frames.popleft()
        self._n_bytes -= len(frame)
        send(frame)
