"""What came of the traffic: results, and their sums per variant. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.simulator.population import Planned

UNNAMED = "(none)"
"""The variant of answers that name none: errors, and providers without a gateway before them."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    What came of one request.

    Attributes:
        planned: The request.
        variant: From `x-sluice-variant`, or UNNAMED.
        error: Its kind (`RateLimitError 429`), or None when it was answered.
        ttft_ms: To the first text of a stream; None for unary and for errors.
        duration_ms: To the end of the answer.
        quality: The answer's latent quality, when it came through.
        thumb: The feedback given, or None.
        request_id: From `x-sluice-request-id`, or None.
    """

    planned: Planned
    variant: str
    error: str | None
    ttft_ms: float | None
    duration_ms: float
    quality: float | None = None
    thumb: bool | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """
    One variant's part.

    Attributes:
        n_requests: Answered or not.
        n_users: Different people.
        n_errors: Not answered.
        p50_ms: Median duration of the answered, or None.
        p95_ms: 95th percentile of those, or None.
        n_up: Thumbs up.
        n_down: Thumbs down.
    """

    n_requests: int
    n_users: int
    n_errors: int
    p50_ms: float | None
    p95_ms: float | None
    n_up: int
    n_down: int


@dataclass(frozen=True, slots=True)
class Summary:
    """
    Everything that came of a plan.

    Attributes:
        variants: By name.
        errors: How many of each kind.
        n_requests: All results.
        n_users: Different people.
        n_without_user: Requests that did not say who asked.
        n_unsent: Arrivals dropped because too many requests were open.
        users_seen_in_more_than_one_variant: Should be 0 while no share shrinks.
        n_feedback_given: Feedback that was acknowledged: it is durable.
        n_feedback_kept: Feedback that was not: refused, or there was no place for it.
        feedback_errors: How much of that for which reason.
    """

    variants: dict[str, VariantSummary]
    errors: dict[str, int]
    n_requests: int
    n_users: int
    n_without_user: int
    n_unsent: int
    users_seen_in_more_than_one_variant: int
    n_feedback_given: int
    n_feedback_kept: int
    feedback_errors: dict[str, int]

    def sentence(self) -> str:
        """Give it in one sentence."""
        if not self.n_requests:
            return "Nothing was sent."
        shares = ", ".join(
            f"{name} {one.n_requests / self.n_requests:.1%}" for name, one in sorted(self.variants.items())
        )
        n_errors = sum(self.errors.values())
        moved = self.users_seen_in_more_than_one_variant
        return (
            f"{self.n_requests} requests of {self.n_users} users: {shares}; "
            f"{n_errors} failed; {moved or 'no'} user{'' if moved == 1 else 's'} saw more than one variant"
            f"{self._feedback_clause()}."
        )

    def _feedback_clause(self) -> str:
        """Give how much of the feedback was acknowledged; nothing where none was given."""
        n_thumbs = self.n_feedback_given + self.n_feedback_kept
        return f"; {self.n_feedback_given} of {n_thumbs} thumbs acknowledged" if n_thumbs else ""


@dataclass(slots=True)
class _Part:
    n_requests: int = 0
    n_errors: int = 0
    n_up: int = 0
    n_down: int = 0
    users: set[str] = field(default_factory=set)
    durations_ms: list[float] = field(default_factory=list)


class Tally:
    """Sums results as they come."""

    __slots__ = ("_errors", "_feedback_errors", "_n_without_user", "_parts", "_seen", "n_feedback_given", "n_unsent")

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._errors: Counter[str] = Counter()
        self._seen: dict[str, set[str]] = {}
        self._n_without_user = 0
        self.n_unsent = 0
        self.n_feedback_given = 0
        self._feedback_errors: Counter[str] = Counter()

    def note_unacknowledged(self, reason: str) -> None:
        """Count a thumb that the gateway did not take."""
        self._feedback_errors[reason] += 1

    def add(self, result: Result) -> None:
        """Count one result."""
        part = self._parts.setdefault(result.variant, _Part())
        part.n_requests += 1
        if result.error is None:
            part.durations_ms.append(result.duration_ms)
        else:
            part.n_errors += 1
            self._errors[result.error] += 1
        part.n_up += result.thumb is True
        part.n_down += result.thumb is False
        person = result.planned.person
        if person is None:
            self._n_without_user += 1
            return
        part.users.add(person.user_id)
        seen = self._seen.setdefault(person.user_id, set())
        if result.variant != UNNAMED:
            seen.add(result.variant)

    def summary(self) -> Summary:
        """Give the sums so far."""
        return Summary(
            variants={name: _summed(part) for name, part in sorted(self._parts.items())},
            errors=dict(self._errors.most_common()),
            n_requests=sum(part.n_requests for part in self._parts.values()),
            n_users=len(self._seen),
            n_without_user=self._n_without_user,
            n_unsent=self.n_unsent,
            users_seen_in_more_than_one_variant=sum(len(variants) > 1 for variants in self._seen.values()),
            n_feedback_given=self.n_feedback_given,
            n_feedback_kept=self._feedback_errors.total(),
            feedback_errors=dict(self._feedback_errors.most_common()),
        )


def render_summary(summary: Summary) -> dict[str, Any]:
    """Give plain objects for JSON."""
    return asdict(summary)


def percentile(values: list[float], share: float) -> float | None:
    """Give the value below which `share` of `values` lie (nearest rank), or None without values."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _summed(part: _Part) -> VariantSummary:
    return VariantSummary(
        n_requests=part.n_requests,
        n_users=len(part.users),
        n_errors=part.n_errors,
        p50_ms=percentile(part.durations_ms, 0.50),
        p95_ms=percentile(part.durations_ms, 0.95),
        n_up=part.n_up,
        n_down=part.n_down,
    )
