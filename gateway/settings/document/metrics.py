"""`metrics`, `alerts` and `clients`: what feedback may say, who is told, who may call."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.settings.document.scalars import Duration, Name, Share, wrong
from gateway.settings.document.section import HeaderValue, Section, Text

Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]
"""A float that may be written as an integer."""


class BudgetSection(Section):
    """What may be spent, at least one of these; days are days of UTC."""

    usd_per_day: Number | None = Field(default=None, ge=0, description="US dollars per day.")
    requests_per_day: int | None = Field(default=None, ge=0, description="Requests sent per day.")
    tokens_per_day: int | None = Field(default=None, ge=0, description="Tokens of prompts and answers per day.")
    usd_total: Number | None = Field(default=None, ge=0, description="US dollars since the ledger was begun.")
    requests_total: int | None = Field(default=None, ge=0, description="Requests since the ledger was begun.")
    tokens_total: int | None = Field(default=None, ge=0, description="Tokens since the ledger was begun.")

    @model_validator(mode="after")
    def _require_bound(self) -> Self:
        if all(getattr(self, key) is None for key in type(self).model_fields):
            raise wrong(problem="this budget bounds nothing", remedy="write how much, as {usd_per_day: 25}")
        return self


class MetricSourceSection(Section):
    """A metric that a judge fills in."""

    judge: Name = Field(description="Route of the judge.")
    rubric: Text | None = Field(default=None, description="What the judge looks for.")
    sample: Share = Field(default=1.0, description="Share of requests that are judged.")
    budget: BudgetSection | None = Field(default=None, description="Of the judge's answers.")


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
