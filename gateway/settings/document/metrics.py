"""`metrics`, `alerts` and `clients`: what feedback may say, who is told, who may call."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.settings.document.scalars import Duration, Name, Share
from gateway.settings.document.section import HeaderValue, Section

Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]
"""A float that may be written as an integer."""


class BudgetSection(Section):
    """What may be spent."""

    usd_per_day: Number = Field(ge=0, description="US dollars per day.")


class MetricSourceSection(Section):
    """A metric that a judge fills in."""

    judge: Name = Field(description="Route of the judge.")
    sample: Share = Field(default=1.0, description="Share of requests that are judged.")
    budget: BudgetSection | None = None


class MetricSection(Section):
    """Something that feedback may say about a request."""

    kind: Literal["binary", "score", "count", "duration", "text"] = Field(
        description="What its values are: true or false, a number in `range`, a whole number, seconds, or words."
    )
    role: str | None = Field(default=None, description="What it stands for: satisfaction, task_completion, …")
    attribution: Duration | None = Field(
        default=None, description="How long after the request it still counts; without it, always."
    )
    range: tuple[Number, Number] | None = Field(default=None, strict=False, description="Lowest and highest score.")
    good: Number | None = Field(default=None, description="Scores from here on are good.")
    catastrophic: Number | None = Field(default=None, description="Scores up to here are catastrophes.")
    source: MetricSourceSection | None = None


class AlertSection(Section):
    """Who is told about what."""

    webhook_env: str | None = Field(default=None, min_length=1, description="Environment variable that holds the URL.")
    webhook: HeaderValue | None = Field(default=None, description="The URL, {env: NAME} or {file: path}.")
    secret_env: str | None = Field(
        default=None, min_length=1, description="Environment variable that holds the key that signs what is sent."
    )
    on: list[Name] = Field(
        min_length=1, description="rollback, step_back, alert, srm, hold, approval, pause, promotion, start."
    )


class ClientSection(Section):
    """An app that may call."""

    name: Name
    key_sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$", description="SHA-256 of its key, 64 hex digits.")
    routes: list[Name] | None = Field(default=None, description="Routes it may call; without it, all.")
    requests_per_minute: int | None = Field(default=None, ge=1)
    may_force: bool = Field(default=False, description="Whether it may ask for a variant.")
