"""What the figures were taken on, and how restless it was."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass

_CALLS = 200_000


@dataclass(frozen=True, slots=True)
class Machine:
    """
    A machine, described without naming it.

    Attributes:
        cores: Usable by us.
        python: Version.
        system: Kernel and architecture.
        load: Its load average over the last minute.
        call_ns: CPU time of one empty Python call: how fast it is just now.
    """

    cores: int
    python: str
    system: str
    load: float
    call_ns: float


def observe_machine() -> Machine:
    """Give this machine as it is now."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        load=os.getloadavg()[0],
        call_ns=_call_ns(),
    )


def _call_ns() -> float:
    def empty() -> None:
        pass

    began_s = time.process_time()
    for _ in range(_CALLS):
        empty()
    return (time.process_time() - began_s) / _CALLS * 1e9
