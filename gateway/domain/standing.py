"""How a release stands: what control decided about it, beyond what the file says. Joined into the next table."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.variant import Variant


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How a release stands.

    Attributes:
        release: Release name.
        weights: (arm name, buckets), together 10,000.
        epoch: Counts up with every change of weights; 0 to 65,535.
        latched: Names of arms that a breaker keeps at 0.
        internal_arm: Arm that internal users get; None where they are bucketed like anybody.
        control: Buckets of the control slice under `control: equal`; None where all of the baseline's are compared.
        accepted: A content of the served variant that is known to be good, under a name of its own: the baseline of a
            rollout that an edit became; None for every other release.
        ranges: Who owns which bucket, by arm name, where control divides the traffic of an experiment; None leaves what
            the file says.
        baseline: The arm that the others are compared with now, and that everybody else gets; None leaves the file's.
        copied: Buckets of users whose requests are copied to the candidate's shadow while its rollout is at a stage
            that says so; None leaves what the file says.
    """

    release: str
    weights: tuple[tuple[str, int], ...]
    epoch: int = 0
    latched: tuple[str, ...] = ()
    internal_arm: str | None = None
    control: int | None = None
    accepted: Variant | None = None
    copied: int | None = None
    ranges: tuple[tuple[int, int, str], ...] | None = None
    baseline: str | None = None
