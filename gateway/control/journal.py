"""The journal: every decision with the evidence it stood on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class DecisionKind(StrEnum):
    """What was decided."""

    STARTED = "started"
    PROMOTED = "promoted"
    COMPLETED = "completed"
    FINISHED = "finished"
    HELD = "held"
    EXTENDED = "extended"
    AWAITS_APPROVAL = "awaits_approval"
    APPROVED = "approved"
    PAUSED = "paused"
    RESUMED = "resumed"
    STAGE_SET = "stage_set"
    STEPPED_BACK = "stepped_back"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    """An arm of a split gets nothing any more."""
    REPLANNED = "replanned"
    """Thresholds or durations changed; the rollout goes on."""
    ENDED = "ended"
    """The file no longer has it."""
    RETURNED = "returned"
    """The file has it again, unchanged: it goes on from where it stood."""
    REWEIGHED = "reweighed"
    """A bandit divides its users anew, as it does all the time."""
    CONCLUDED = "concluded"
    """A bandit or a ladder is at something else than before."""
    ALERTED = "alerted"
    EDIT_TAKEN = "edit_taken"
    """An edited variant serves everybody at once, for somebody said so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One decision.

    Attributes:
        id: `RELEASE-N`, N counting up per state directory: what `sluice explain` takes.
        at_unix_ms: When, by the wall clock.
        kind: What was decided.
        route: Route name.
        release: Release name.
        arm: Arm it is about; empty for the release as a whole.
        who: A person, or `controller`.
        sentence: What, how sure, what next; for a product owner.
        rule: What decided: `e_process`, `total_outage`, `gate:quality`, `command`, `file`, …
        why: A person's own words; empty otherwise.
        from_weight: The candidate's buckets before.
        to_weight: And after.
        from_stage: The stage's label before.
        to_stage: And after.
        epoch: The release's epoch after it.
        config_version: Version of the table in use when it was decided.
        config_hash: Its hash.
        evidence: Counts, estimate, interval or e-value, threshold, window, by plain names; JSON values only.
    """

    id: str
    at_unix_ms: int
    kind: DecisionKind
    route: str
    release: str
    arm: str
    who: str
    sentence: str
    rule: str
    why: str = ""
    from_weight: int = 0
    to_weight: int = 0
    from_stage: str = ""
    to_stage: str = ""
    epoch: int = 0
    config_version: int = 0
    config_hash: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
