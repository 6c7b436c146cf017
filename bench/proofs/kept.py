"""Runs that were made before: a proof that takes hours goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gateway.simulator.world.trial import Trial


class _Line(msgspec.Struct):
    of: str
    trial: Trial


class KeptTrials:
    """
    Trials in a file of JSON lines, or, without one, none.

    Whoever gives a file says that its runs are of a program that decides as this one does.

    Attributes:
        n_kept: How many of the runs asked for were there already.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.n_kept = 0
        self._path = path
        self._trials: dict[tuple[str, int], Trial] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().splitlines():
                kept = msgspec.json.decode(line, type=_Line)
                self._trials[kept.of, kept.trial.seed] = kept.trial

    def of(self, what: str, seeds: range) -> list[Trial]:
        """Give those of these seeds that are there."""
        found = [self._trials[what, seed] for seed in seeds if (what, seed) in self._trials]
        self.n_kept += len(found)
        return found

    def missing(self, what: str, seeds: range) -> Iterator[range]:
        """Give the stretches of seeds that are not."""
        wanted = [seed for seed in seeds if (what, seed) not in self._trials]
        yield from _stretches(wanted)

    def keep(self, what: str, trial: Trial) -> None:
        """Add one; on the disk before the next."""
        self._trials[what, trial.seed] = trial
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(_Line(what, trial)) + b"\n")


def _stretches(numbers: Sequence[int]) -> Iterator[range]:
    first = 0
    for at, number in enumerate(numbers):
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield range(numbers[first], number + 1)
            first = at + 1
