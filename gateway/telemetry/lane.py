"""
A lane to a collector: a bounded queue and a thread of its own, so that nobody ever waits for one.

The thread makes the exporter first (the SDK and gRPC take half a second to import), then takes what
waits in batches. What finds the queue full is dropped and counted; an export that fails is given up
after the exporter's own retries, counted, and said in the log at most once a minute. The thread is
a daemon: a collector that hangs does not keep the process from ending.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from gateway.clock import Clock
from gateway.telemetry.otlp import BatchLimits

log = logging.getLogger(__name__)

COMPLAINS_EVERY_S = 60.0

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Sender(Protocol[T_contra]):
    """Makes a batch what the collector wants, and sends it; both on the lane's thread."""

    def send(self, batch: Sequence[T_contra]) -> None:
        """Send; raises whatever it likes when it did not arrive."""
        ...

    def close(self) -> None:
        """Give up what is being sent; called from another thread when it takes too long."""
        ...


class Lane(Generic[T]):
    """
    Takes what is to be exported, from `open` to `close`.

    Attributes:
        name: For the log and the metrics.
        n_sent: Exports that arrived.
        n_failed: Exports that did not.
        n_dropped: Values lost to a full queue or a failed export.
        keeps_newest: A full queue loses its oldest value, uncounted, instead of the new one.
    """

    def __init__(
        self,
        name: str,
        open_sender: Callable[[], Sender[T]],
        *,
        limits: BatchLimits,
        clock: Clock,
        keeps_newest: bool = False,
    ) -> None:
        self.name = name
        self.n_sent = 0
        self.n_failed = 0
        self.n_dropped = 0
        self._open_sender = open_sender
        self._limits = limits
        self._clock = clock
        self.keeps_newest = keeps_newest
        self._waiting: deque[T] = deque()
        self._sender: Sender[T] | None = None
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._complained_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"otlp-{name}", daemon=True)

    def __repr__(self) -> str:
        """Give what went through."""
        return f"<Lane {self.name}: {self.n_sent} sent, {self.n_failed} failed, {self.n_dropped} dropped>"

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, value: T) -> None:
        """Take a value, or count it as dropped; never waits."""
        waiting = self._waiting
        if len(waiting) >= self._limits.max_queue:
            if not self.keeps_newest:
                self.n_dropped += 1
                return
            with suppress(IndexError):
                waiting.popleft()
        waiting.append(value)
        if len(waiting) == 1 or len(waiting) >= self._limits.max_batch:
            self._woken.set()

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most `timeout_s`, and end; blocks, so call it in a thread."""
        self._closing.set()
        self._woken.set()
        if not self._thread.is_alive():
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._sender is not None:
            # Wakes an exporter that sleeps between two attempts.
            with suppress(Exception):
                self._sender.close()

    def _run(self) -> None:
        try:
            self._sender = self._open_sender()
        except Exception as error:  # A bad certificate, a bad address: nothing is exported, and the gateway goes on.
            self._complain(error)
            return
        while self._send_waiting():
            pass
        with suppress(Exception):
            self._sender.close()

    def _send_waiting(self) -> bool:
        """Wait for a batch and send it; False at the end."""
        if not self._waiting and not self._closing.is_set():
            self._woken.wait()
            self._woken.clear()
        if len(self._waiting) < self._limits.max_batch and self._limits.delay_s and not self._closing.is_set():
            self._woken.wait(self._limits.delay_s)
            self._woken.clear()
        n_values = min(len(self._waiting), self._limits.max_batch)
        batch = [self._waiting.popleft() for _ in range(n_values)]
        if batch:
            self._send(batch)
        return bool(self._waiting) or not self._closing.is_set()

    def _send(self, batch: list[T]) -> None:
        assert self._sender is not None
        try:
            self._sender.send(batch)
        except Exception as error:  # Whatever an exporter raises costs this batch and nothing else.
            self.n_failed += 1
            if not self.keeps_newest:
                self.n_dropped += len(batch)
            self._complain(error)
        else:
            self.n_sent += 1

    def _complain(self, error: Exception) -> None:
        now_s = self._clock.now_s()
        if self._complained_s is not None and now_s - self._complained_s < COMPLAINS_EVERY_S:
            return
        self._complained_s = now_s
        facts = {"signal": self.name, "failed": self.n_failed, "cause": f"{type(error).__name__}: {error}"}
        log.warning("OTLP export failed; the gateway goes on without", extra=facts)
