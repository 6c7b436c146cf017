"""Child processes that never outlive the bench, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
END_WITHIN_S = 10.0


@contextmanager
def child(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    reads: bool = False,
    patience_s: float = END_WITHIN_S,
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a command while the block lasts, in a process group of its own; its whole group is gone afterwards.

    Args:
        argv: The command.
        environ: Added to ours.
        log: Where its stderr (and, unless `reads`, its stdout) goes.
        reads: Whether the block reads its stdout.
        patience_s: How long it may take to end when asked to.
    """
    sink = log.open("ab") if log is not None else None
    try:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads else (sink or subprocess.DEVNULL),
            stderr=sink,
            start_new_session=True,
        )
    finally:
        if sink is not None:
            sink.close()
    try:
        yield process
    finally:
        end(process, patience_s=patience_s)


def end(process: subprocess.Popen[bytes], *, patience_s: float = END_WITHIN_S) -> None:
    """End a child and its group: asked first, then made to."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(END_WITHIN_S)
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def python_child(module: str, *args: str, log: Path | None = None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run one of our modules; give its process and the port that it says first."""
    with child([sys.executable, "-m", module, *args], log=log, reads=True) as process:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line.strip().isdigit():
            message = f"{module} did not start"
            raise BenchError(message)
        yield process, int(line)
