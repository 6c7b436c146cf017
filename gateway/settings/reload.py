"""
When to read the file again: told by the kernel, and checked once a second in case it was not.

Watched are folders, not files: editors rename over them, Kubernetes swaps a symlink two folders away,
and a deleted file has no watch to come back to. For every file the folders of each link on its way are
watched. A change is passed on once size and mtime of all files have stood still for 50 ms, so that a
file half written is not read; whether its contents changed is for the caller to see. How long they have
stood still is told by the files' own times where these can be believed: noticed late, an edit waits no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Collection, Mapping
from importlib import import_module
from pathlib import Path
from stat import S_ISLNK

from watchfiles import awatch

from gateway.clock import Clock, SystemClock

STILL_S = 0.05
"""Long enough for an editor's two writes, a quarter of the 200 ms that a reload may take."""

POLL_S = 1.0
"""Network file systems and full inotify tables tell nothing; a stat per file and second costs nothing."""

EARLY_POLL_S = 0.02
EARLY_S = 5.0
"""So often until the watch stands for certain: what it needs is imported beside all else that a start imports."""

LONGEST_UNREST_S = 5.0
"""A file that never stands still (a log by mistake) is read anyway, now and then."""

_STEP_S = 0.01
_SEEN_STILL_S = 0.02
_MAX_LINKS = 40

Stamp = tuple[int, int, int, int, int] | None


class FileWatch:
    """Says when any of a set of files may have changed; the set may change after each reading."""

    def __init__(self, files: Collection[Path], *, clock: Clock | None = None, poll_s: float = POLL_S) -> None:
        self._clock = clock or SystemClock()
        self._poll_s = poll_s
        self._files: frozenset[Path] = frozenset()
        self._folders: frozenset[Path] = frozenset()
        self._stamps: dict[Path, Stamp] = {}
        self._hint = asyncio.Event()
        self._rearm = asyncio.Event()
        self.watch(files)

    def __repr__(self) -> str:
        """Give the counts."""
        return f"<FileWatch {len(self._files)} files in {len(self._folders)} folders>"

    def watch(self, files: Collection[Path]) -> None:
        """
        Watch these from now on.

        Files that were watched before keep their stamps: what changed while they were being read is
        still noticed.
        """
        self._files = frozenset(path.absolute() for path in files)
        self._stamps = {path: self._stamps[path] if path in self._stamps else stamp_of(path) for path in self._files}
        self._arm()

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yield each time the files may have changed and stand still again; ends by cancellation."""
        watcher = asyncio.ensure_future(self._listen())
        early_until_s = self._clock.now_s() + EARLY_S
        try:
            while True:
                poll_s = EARLY_POLL_S if self._clock.now_s() < early_until_s else self._poll_s
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._hint.wait(), poll_s)
                self._hint.clear()
                if self._stamp() == self._stamps:
                    continue
                self._stamps = await self._settle()
                self._arm()
                yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    def _stamp(self) -> dict[Path, Stamp]:
        return {path: stamp_of(path) for path in self._files}

    async def _settle(self) -> dict[Path, Stamp]:
        """Wait until nothing has moved for STILL_S; give the stamps."""
        began = self._clock.now_s()
        stamps = self._stamp()
        since = began - stood_still_s(stamps, self._clock.unix_ms())
        while (now := self._clock.now_s()) - since < STILL_S and now - began < LONGEST_UNREST_S:
            await asyncio.sleep(_STEP_S)
            if (latest := self._stamp()) != stamps:
                stamps, since = latest, self._clock.now_s()
        return stamps

    def _arm(self) -> None:
        folders = frozenset(folder for path in self._files for folder in folders_of(path))
        if folders != self._folders:
            self._folders = folders
            self._rearm.set()

    async def _listen(self) -> None:
        """Turn the kernel's events into hints, over the folders that exist now."""
        # What `awatch` would import on the loop's thread, at the first edit's expense.
        with contextlib.suppress(ImportError):
            await asyncio.to_thread(import_module, "anyio._backends._asyncio")
        while True:
            self._rearm.clear()
            present = [folder for folder in self._folders if folder.is_dir()]
            if not present:
                await self._rest()
                continue
            try:
                # Polled and watched alike, so an event before the watch stands is not lost.
                self._hint.set()
                async for _ in awatch(
                    *present, stop_event=self._rearm, debounce=20, step=5, recursive=False, rust_timeout=1_000
                ):
                    self._hint.set()
            except (OSError, RuntimeError):
                # The folder went away under the watch, or the kernel has none left: the poll remains.
                self._hint.set()
            if not self._rearm.is_set():
                await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._rearm.wait(), self._poll_s)


def stamp_of(path: Path) -> Stamp:
    """Give device, inode, size, mtime and ctime of what `path` leads to; None when that is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def stood_still_s(stamps: Mapping[Path, Stamp], unix_ms: int) -> float:
    """
    Give for how long files have not changed by their own account; 0 where one is gone or from the future.

    At most 30 ms: a file server's clock may be slow, and what it says is new has to be seen to stand still.
    """
    newest_ns = 0
    for stamp in stamps.values():
        if stamp is None:
            return 0.0
        newest_ns = max(newest_ns, stamp[4])
    return min(max(unix_ms / 1e3 - newest_ns / 1e9, 0.0), STILL_S - _SEEN_STILL_S)


def folders_of(path: Path) -> frozenset[Path]:
    """
    Give the folders in which a change can change what `path` leads to.

    Each link on the way is followed by itself: for `/etc/app/sluice.yaml → ..data/sluice.yaml` and
    `..data → ..2026_11` these are `/etc/app` and `/etc/app/..2026_11`.
    """
    folders: set[Path] = set()
    pending = [path.absolute()]
    for _ in range(_MAX_LINKS):
        if not pending:
            break
        at = pending.pop()
        folders.add(at.parent)
        for step in (at, *at.parents):
            if (target := _target_of(step)) is not None:
                pending.append(Path(os.path.normpath(target / at.relative_to(step))))
                folders.add(step.parent)
                break
    return frozenset(folders)


def _target_of(path: Path) -> Path | None:
    try:
        if S_ISLNK(path.lstat().st_mode):
            return path.parent / path.readlink()
    except OSError:
        return None
    return None
