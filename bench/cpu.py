"""What processes have used, read from /proc: CPU time and memory of a process and all its descendants."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """
    What a family of processes has used so far.

    Attributes:
        cpu_s: User and system seconds of each living process, by pid.
        rss_bytes: Resident memory, summed; pages that processes share count for each.
    """

    cpu_s: dict[int, float]
    rss_bytes: int


def family_of(root: int) -> list[int]:
    """Give a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat_fields(int(entry.name))[1])
    family = [root]
    for pid in family:  # Grows while it is walked.
        family += [kid for kid, parent in parents.items() if parent == pid]
    return family


def usage_of(root: int) -> Usage:
    """
    Give what a process and all its descendants have used.

    Raises:
        BenchError: It is not running.
    """
    try:
        pids = family_of(root)
        return Usage({pid: _cpu_s(pid) for pid in pids}, sum(_rss_bytes(pids)))
    except OSError as error:
        message = f"a process ended while it was measured: {error}"
        raise BenchError(message) from error


def cpu_between(before: Usage, after: Usage) -> float:
    """
    Give the CPU seconds between two readings.

    Raises:
        BenchError: A process came or went in between: its time is lost, and something is wrong.
    """
    if before.cpu_s.keys() != after.cpu_s.keys():
        message = "processes came or went while they were measured"
        raise BenchError(message)
    return sum(after.cpu_s.values()) - sum(before.cpu_s.values())


def _cpu_s(pid: int) -> float:
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _rss_bytes(pids: Iterable[int]) -> Iterable[int]:
    return (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES for pid in pids)


def _stat_fields(pid: int) -> list[str]:
    """Give the fields after the command's name, which may itself hold spaces: state, ppid, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
