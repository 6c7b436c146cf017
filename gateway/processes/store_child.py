"""What a child does that reads the store for somebody who must not wait for it: answer one question, or be a report."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gateway.clock import Clock

if TYPE_CHECKING:
    from gateway.record.pair import Pair
    from gateway.record.store.reader import Reader

UNJUDGED_FOR_MS = 86_400_000
"""Pairs that wait for their judge longer are not judged any more."""

GIVES_WAY = 10
"""Whoever serves users goes first."""

Answering = Callable[["Reader", bytes], Awaitable[bytes]]
"""From a question to its answer, both as JSON; `processes.store_questions` has them."""


def open_store_reader(url: str | None, state: Path) -> Reader:
    """Give what reads the store at `url`, or that of a state directory; SQLAlchemy takes a while to import."""
    from gateway.record.store.engine import location_of, open_reader
    from gateway.record.store.reader import Reader

    location = location_of(url or None, state)
    return Reader(open_reader(location), location)


async def answer_question(reader: Reader, answering: Answering, asked: BinaryIO, answer: BinaryIO) -> int:
    """Read a question, write what the store says, close the reader, and give the exit code."""
    try:
        await reader.check()
        answer.write(await answering(reader, asked.read()))
    finally:
        await reader.close()
    return 0


async def read_unjudged(url: str | None, state: Path, clock: Clock) -> Sequence[Pair]:
    """Give pairs of the last day that were kept with their words and not judged."""
    reader = await asyncio.to_thread(open_store_reader, url, state)
    try:
        return await reader.unjudged(clock.unix_ms() - UNJUDGED_FOR_MS)
    finally:
        await reader.close()


def report_argv(kind: str, name: str, format_: str, state: Path) -> list[str]:
    """
    Give the command whose output is the report.

    >>> report_argv("shadow", "support", "json", Path("state"))[1:]
    ['-m', 'gateway', 'report', 'shadow', 'support', '--format', 'json', '--state', 'state']
    """
    return [sys.executable, "-m", "gateway", "report", kind, name, "--format", format_, "--state", str(state)]


def become(argv: list[str]) -> int:
    """Be this command from here on; what holds of a child, that it ends with its parent, goes on to hold."""
    os.nice(GIVES_WAY)
    os.execv(argv[0], argv)
