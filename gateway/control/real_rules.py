"""The rules of `gates`, as the controller is handed them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.control.rules import Health, Watch
from gateway.domain.rollout import Comparison, RolloutPlan
from gateway.gates import watch
from gateway.gates.evidence import Evidence
from gateway.gates.health import check_health
from gateway.gates.stage import decide_gates
from gateway.gates.verdict import GateVerdict


class GateRules:
    """Decides as `gates` does."""

    def watch(self, comparison: Comparison, *, since_unix_ms: int, n_resumes: int) -> Watch:
        """Give a watch that has seen nothing."""
        return watch.Watch(comparison, since_unix_ms=since_unix_ms, n_resumes=n_resumes)

    def restored(self, comparison: Comparison, snapshot: bytes) -> Watch:
        """Give a watch that goes on from a snapshot; raises ValueError when it cannot."""
        return watch.Watch.restore(comparison, snapshot)

    def decide(self, plan: RolloutPlan, stage: int, evidence: Evidence, *, trips_seen: bool) -> tuple[GateVerdict, ...]:
        """Give what a stage's gates say."""
        return decide_gates(plan, stage, evidence, trips_seen=trips_seen)

    def check(self, evidence: Evidence) -> Sequence[Health]:
        """Give what is wrong with the comparison itself."""
        return check_health(evidence)
