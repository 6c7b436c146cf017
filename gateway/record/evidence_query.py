"""What evidence is asked for: a value that crosses to the process that reads the store."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.metric import Metric


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    """
    What is asked.

    Attributes:
        release: Release name.
        baseline: Arm name.
        candidate: Arm name.
        epochs: (epoch, candidate's buckets, buckets it is compared with); those without a candidate are left out.
        stage_epochs: Epochs of the stage it is in.
        metrics: Metrics that gates look at.
        segments: Names of the segments that gates look at.
        since_unix_ms: When the rollout was begun.
        until_unix_ms: Now.
        shadow_route: Route whose copies to the candidate are asked about too; empty for none.
        shadow_since_unix_ms: From when on.
    """

    release: str
    baseline: str
    candidate: str
    epochs: tuple[tuple[int, int, int], ...]
    stage_epochs: tuple[int, ...]
    metrics: tuple[Metric, ...] = ()
    segments: tuple[str, ...] = ()
    since_unix_ms: int = 0
    until_unix_ms: int = 0
    shadow_route: str = ""
    shadow_since_unix_ms: int = 0
