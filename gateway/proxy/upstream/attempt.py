"""Asking a provider: attempts, and when there may be another."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.errors import UpstreamConnectError, UpstreamTimeoutError
from gateway.proxy.upstream.pool import Pool
from gateway.proxy.upstream.response import UpstreamResponse

RETRY_PAUSE_S = 0.1
"""Before another attempt: long enough for a listener to come back, short enough not to be felt."""

MAX_RETRY_PAUSE_S = 2.0
"""A provider that asks for more than this is not waited for: the client decides."""


class AttemptNotes(Protocol):
    """Whoever keeps count of attempts."""

    def begin_attempt(self, head: bytes) -> bytes:
        """Take note of an attempt that is about to be sent; give its head, which may name its span."""
        ...

    def end_attempt(self, status: int, error_code: str | None = None) -> None:
        """Take note that an attempt ended and another follows."""
        ...


async def ask(
    pool: Pool,
    head: bytes,
    body: bytes,
    *,
    prefers_stream: bool,
    notes: AttemptNotes,
    first: UpstreamResponse | None = None,
) -> UpstreamResponse:
    """
    Give a provider's answer, its head at least; the caller releases it.

    Tried again, as the provider's `retries` allow, only where nothing was sent, or where the provider
    answered by status that it did no work. `first` is the first attempt where it has been sent already.

    Raises:
        UpstreamError: No answer; the last attempt's.
        OverloadedError: No connection became free.
    """
    retries = pool.provider.retries
    for left in range(retries.max, -1, -1):
        response, first = first, None
        if response is None:
            own_head = notes.begin_attempt(head)
            try:
                connection = pool.take_idle() or await pool.acquire()
            except (UpstreamConnectError, UpstreamTimeoutError) as error:
                if not left or not retries.on_connect:
                    raise
                notes.end_attempt(0, error.code)
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            response = connection.send(own_head, body, wants_whole=True, prefers_stream=prefers_stream)
        try:
            await response.arrive()
        except BaseException:
            response.release()
            raise
        pause_s = _pause_of(response) if left and response.status in retries.on_status else None
        if pause_s is None:
            return response
        notes.end_attempt(response.status)
        response.release()
        await asyncio.sleep(pause_s)
    message = "The last attempt returns or raises."
    raise AssertionError(message)


def _pause_of(response: UpstreamResponse) -> float | None:
    """Give how long to wait before asking again; None when the provider wants longer than we wait."""
    after = response.header(b"retry-after")
    if after is None:
        return RETRY_PAUSE_S
    if not after.isdigit() or int(after) > MAX_RETRY_PAUSE_S:
        return None
    return max(float(after), RETRY_PAUSE_S)
