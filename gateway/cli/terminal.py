"""What the command line says: text for people on stdout, warnings on stderr, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def say(text: str = "") -> None:
    """Write a line to stdout, at once: whoever waits for it may be another process."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """Write `value` as indented JSON to stdout."""
    import orjson  # 30 ms, which a gateway's start is not to wait for.

    say(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on stderr while inside, where that is a terminal; it is told how many are done, and of how many."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda n_done, total: progress.update(task, completed=n_done, total=total)
