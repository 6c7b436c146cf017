"""The rules the controller decides by, as one thing to be handed: `gates` has the real ones, tests bring their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.domain.rollout import Comparison, RolloutPlan
from gateway.gates.evidence import Evidence
from gateway.gates.facts import Facts
from gateway.gates.verdict import GateVerdict, Trip


class Watch(Protocol):
    """Counts what happens to one arm and its baseline, and says when it has to stop; `gates.watch` is the real one."""

    def include(self, facts: Facts) -> None:
        """Count these."""
        ...

    def judge(self, unix_ms: int) -> Sequence[Trip]:
        """Give the signals that act."""
        ...

    def readings(self, unix_ms: int) -> Sequence[Any]:
        """Give how each signal stands, for people."""
        ...

    def snapshot(self) -> bytes:
        """Give what was counted, to be kept."""
        ...

    def revise(self, comparison: Comparison) -> None:
        """Go on with other thresholds."""
        ...

    def restart(self, unix_ms: int, n_resumes: int) -> None:
        """Begin anew, with the alpha that is left after so many resumes."""
        ...


class Health(Protocol):
    """Something wrong with the comparison itself; `gates.health` gives it."""

    @property
    def kind(self) -> str:
        """Give `srm`, `no_traffic` or `multi_exposure`."""
        ...

    @property
    def sentence(self) -> str:
        """Give what is wrong, for a person."""
        ...

    @property
    def evidence(self) -> Mapping[str, Any]:
        """Give the numbers."""
        ...


class Rules(Protocol):
    """What decides."""

    def watch(self, comparison: Comparison, *, since_unix_ms: int, n_resumes: int) -> Watch:
        """Give a watch that has seen nothing."""
        ...

    def restored(self, comparison: Comparison, snapshot: bytes) -> Watch:
        """Give a watch that goes on from a snapshot; raises ValueError when it cannot."""
        ...

    def decide(self, plan: RolloutPlan, stage: int, evidence: Evidence, *, trips_seen: bool) -> tuple[GateVerdict, ...]:
        """Give what a stage's gates say."""
        ...

    def check(self, evidence: Evidence) -> Sequence[Health]:
        """Give what is wrong with the comparison itself."""
        ...
