"""
Imports that give way: what is still being imported waits while something more urgent runs.

The control process imports its store and its operators' server in threads, most of a second, while it is already
expected to follow edits of the file. An import has no end of its own before its last module, and it takes every second
turn of the interpreter from whoever else wants one; but between two modules it can wait.

Python looks for a module under one lock for all threads, and an import waits here with that lock in its hand. So what
is urgent must have imported what it needs: whatever it imports would wait along, half a second a module.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from types import ModuleType

LONGEST_S = 0.5
"""An import waits no longer than this at a time: what is urgent might want a module that it has begun."""

_is_urgent: ContextVar[bool] = ContextVar("is_urgent", default=False)


class ImportsGiveWay(MetaPathFinder):
    """Finds no module, but holds up those who look for one in another thread than the one it was made in."""

    def __init__(self) -> None:
        self._is_free = threading.Event()
        self._is_free.set()
        self._n_urgent = 0
        self._main = threading.get_ident()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Wait while something is urgent, and leave the finding to others."""
        if not self._is_free.is_set() and threading.get_ident() != self._main and not _is_urgent.get():
            self._is_free.wait(LONGEST_S)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Be asked for every module while the block lasts."""
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Hold up all others' imports while the block lasts; what it calls with `to_thread` is urgent like itself."""
        token = _is_urgent.set(True)
        self._n_urgent += 1
        self._is_free.clear()
        try:
            yield
        finally:
            self._n_urgent -= 1
            if not self._n_urgent:
                self._is_free.set()
            _is_urgent.reset(token)
