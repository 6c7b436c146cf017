"""A proof that was stopped goes on."""

from __future__ import annotations

from pathlib import Path

from bench.proofs.kept import KeptTrials
from gateway.simulator.world.trial import Trial
from gateway.simulator.world.world import Harm


def trial(seed: int) -> Trial:
    """Give a run in which nothing happened."""
    return Trial(seed, "completed", "100%", 9, ((0, 500),), (), Harm(0, 0, 0, 0), None)


def test_goes_on(tmp_path: Path) -> None:
    """What was kept is there again, and only the rest is missing, of each plan for itself."""
    path = tmp_path / "runs.jsonl"
    first = KeptTrials(path)
    for seed in (0, 1, 4):
        first.keep("a", trial(seed))
    again = KeptTrials(path)
    assert list(again.missing("a", range(8))) == [range(2, 4), range(5, 8)]
    assert list(again.missing("b", range(2))) == [range(2)]
    assert (again.of("a", range(3)), again.n_kept) == ([trial(0), trial(1)], 2)


def test_without_a_file() -> None:
    """Nothing is kept anywhere unless asked."""
    kept = KeptTrials()
    kept.keep("a", trial(0))
    assert list(kept.missing("a", range(2))) == [range(1, 2)]
