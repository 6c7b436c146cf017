"""
Live numbers as server-sent events: what a tick tells is made once and sent to all who look.

A stream costs the control process a copied reference per tick, and the workers nothing at all. Whoever reads too
slowly misses old frames, never new ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from aiohttp import web

from gateway.admin.endpoint import ApiError, Json
from gateway.admin.live_operations import LiveOperations
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

MAX_STREAMS = 40
MARKED_EVERY_S = 0.5
"""How soon a change of a release is told."""

TOLD_EVERY = 4
"""Numbers are told every so many looks for changes: every 2 s."""

COMMENTED_EVERY = 30
"""A line of comment every so many, 15 s, as proxies between may want one."""

_LOOKED_S = 1.0
"""A reader that left is noticed within so long."""

_QUEUED = 8
COMMENT = b": here\n\n"

Told = Callable[[], Coroutine[Any, Any, bytes | None]]
"""Waits for the next frame, and gives None at the end."""


Marks = Mapping[str, tuple[int, str]]
"""Version and phase by release."""


class Reader:
    """
    Frames for one stream.

    Attributes:
        route: What it is about; None for all routes.
    """

    def __init__(self, route: str | None) -> None:
        self.route = route
        self._frames: deque[bytes] = deque(maxlen=_QUEUED)
        self._is_over = False
        self._news = asyncio.Event()

    def tell(self, frame: bytes) -> None:
        """Add a frame; the oldest is lost where there are too many."""
        self._frames.append(frame)
        self._news.set()

    def end(self) -> None:
        """Say that nothing comes any more."""
        self._is_over = True
        self._news.set()

    async def take(self) -> bytes | None:
        """Give the next frame, or None at the end; wait for it."""
        while not self._frames and not self._is_over:
            self._news.clear()
            await self._news.wait()
        return None if self._is_over else self._frames.popleft()


class Streams:
    """Everybody who looks at live numbers, from the first to `close`."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._tasks = TaskGroup()
        self._ticking: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    def __len__(self) -> int:
        """Give how many look."""
        return len(self._readers)

    @property
    def is_over(self) -> bool:
        """Say whether the server stops."""
        return self._over.is_set()

    def open(self, live: LiveOperations, route: str | None) -> Reader:
        """
        Give a reader that has its first frame.

        Raises:
            ApiError: 503, MAX_STREAMS are open already.
        """
        if len(self._readers) >= MAX_STREAMS or self.is_over:
            message = f"{MAX_STREAMS} streams are open already; close one, or ask GET /api/overview now and then"
            raise ApiError(503, "too_many_streams", message)
        reader = Reader(route)
        reader.tell(numbers_of(live, route))
        if self._ticking is None or self._ticking.done():
            # From now on, and not from when the task comes to run: what changes in between is a change.
            self._ticking = self._tasks.spawn(self._tick(live, live.marks()))
        self._readers.add(reader)
        return reader

    def forget(self, reader: Reader) -> None:
        """Tell it nothing any more."""
        self._readers.discard(reader)

    async def close(self) -> None:
        """End every stream."""
        self._over.set()
        for reader in self._readers:
            reader.end()
        await self._tasks.close()

    async def _tick(self, live: LiveOperations, marks: Marks) -> None:
        """Run while anybody looks."""
        n_looks = 0
        while True:
            await asyncio.sleep(MARKED_EVERY_S)
            if not self._readers:
                return
            n_looks += 1
            try:
                before, marks = marks, live.marks()
                self._tell(live, [frame_of("rollout", each) for each in changes_of(before, marks)], n_looks)
            except Exception:  # One broken look must not leave everybody with a still picture.
                log.warning("live numbers could not be told", exc_info=True, extra={"storm": "live"})

    def _tell(self, live: LiveOperations, changes: list[bytes], n_looks: int) -> None:
        numbers: dict[str | None, bytes] = {}
        if changes or n_looks % TOLD_EVERY == 0:
            numbers = {route: numbers_of(live, route) for route in {reader.route for reader in self._readers}}
        for reader in self._readers:
            for change in changes:
                reader.tell(change)
            if numbers:
                reader.tell(numbers[reader.route])
            if n_looks % COMMENTED_EVERY == 0:
                reader.tell(COMMENT)


STREAMS = web.AppKey("streams", Streams)
"""Where endpoints find who looks."""


def numbers_of(live: LiveOperations, route: str | None) -> bytes:
    """Give the frame with every route's numbers, or one's; null of a route that is gone."""
    return frame_of("overview", live.overview()) if route is None else frame_of("route", live.route(route))


def changes_of(before: Marks, after: Marks) -> list[Json]:
    """Give what differs between two looks at `LiveOperations.marks`; None is of a release that is gone."""
    told: list[Json] = []
    for release in {**before, **after}:
        version, phase = after.get(release, (None, None))
        if before.get(release) != (version, phase):
            told.append({"release": release, "version": version, "phase": phase})
    return told


def frame_of(event: str, body: object) -> bytes:
    """Give one event as it goes over the wire; JSON of one line has no line breaks to mind."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(body))


async def pump(request: web.Request, take: Told, *, commented_s: float = 15.0) -> web.StreamResponse:
    """
    Send frames until `take` gives None, the client leaves or the server stops; owns neither the request nor what tells.

    aiohttp does not end a handler whose client left, so whether it is there is looked at every second.
    """
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    quiet_s = 0.0
    streams, tasks = request.app[STREAMS], TaskGroup()
    taking = tasks.spawn(take())
    try:
        while not streams.is_over and request.transport is not None and not request.transport.is_closing():
            done, _ = await asyncio.wait({taking}, timeout=_LOOKED_S)
            quiet_s = 0.0 if done else quiet_s + _LOOKED_S
            if done:
                frame = taking.result()
                if frame is None:
                    break
                await response.write(frame)
                taking = tasks.spawn(take())
            elif quiet_s >= commented_s:
                quiet_s = 0.0
                await response.write(COMMENT)
    except ConnectionError:
        pass  # It left in the middle of a frame.
    finally:
        await tasks.close()
    return response
