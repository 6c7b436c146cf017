"""Shadows: which requests are copied, to which variant, for how much money, and who judges what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.domain.metric import Metric


@dataclass(frozen=True, slots=True)
class Budget:
    """
    What copies or judgements may cost; None bounds nothing. Days are days of UTC.

    Attributes:
        usd_per_day: US dollars.
        requests_per_day: Requests sent.
        tokens_per_day: Tokens of prompts and answers.
        usd_total: US dollars since the ledger was begun.
        requests_total: Likewise.
        tokens_total: Likewise.
    """

    usd_per_day: float | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None
    usd_total: float | None = None
    requests_total: int | None = None
    tokens_total: int | None = None


@dataclass(frozen=True, slots=True)
class JudgeRule:
    """
    Who compares a shadow's answers with the primary's.

    Attributes:
        route: Of this same gateway; its variant is the judge.
        n_buckets: Share of pairs judged, of 10,000.
        rubric: What the judge is told to look for; None for a rubric of ours.
        budget: Of the judge's own answers.
    """

    route: str
    n_buckets: int = 10_000
    rubric: str | None = field(default=None, repr=False)
    budget: Budget = Budget()


@dataclass(frozen=True, slots=True)
class Shadow:
    """
    A variant that gets copies of requests; nobody sees what it answers.

    Attributes:
        variant: One of the route's.
        n_buckets: Share of users copied, of 10,000; 0 for none now.
        noise_buckets: Share of the copied *requests* that are also sent once more to the variant that answered, so
            that the report knows how much that differs from itself; of 10,000.
        max_in_flight: Copies on their way at once, at least 1.
        timeout_s: For the whole of a copy's answer.
        budget: Of the copies, those for the noise floor among them.
        judge: None where nobody compares.
    """

    variant: str
    n_buckets: int
    noise_buckets: int = 0
    max_in_flight: int = 32
    timeout_s: float = 120.0
    budget: Budget = Budget()
    judge: JudgeRule | None = None


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """
    A metric whose values a judge gives to live answers.

    Attributes:
        metric: What is filled in: `binary` or `score`.
        route: The judge's.
        n_buckets: Share of requests judged, of 10,000.
        rubric: What the judge is told to look for; None for one made of the metric's name, role and range.
        budget: Of the judge's own answers.
    """

    metric: Metric
    route: str
    n_buckets: int
    rubric: str | None = field(default=None, repr=False)
    budget: Budget = Budget()
