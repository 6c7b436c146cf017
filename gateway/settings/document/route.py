"""`routes`: named AI features, each with its variants and one release."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gateway.domain.route import DEFAULT_MAX_BODY_BYTES
from gateway.settings.document.metrics import BudgetSection, Number
from gateway.settings.document.release import ReleaseSection
from gateway.settings.document.scalars import Duration, Name, Share, Size
from gateway.settings.document.section import Section, Text
from gateway.settings.document.variant import GuardSection, VariantSection


class ShadowJudgeSection(Section):
    """Who compares a shadow's answers."""

    route: Name = Field(description="Route of the judge.")
    rubric: Text | None = Field(default=None, description="What the judge looks for.")
    sample: Share = Field(default=1.0, description="Share of the pairs that are judged.")
    budget: BudgetSection | None = Field(default=None, description="Of the judge's answers.")


class ShadowSection(Section):
    """A copy that nobody sees."""

    variant: Name
    sample: Share = Field(default=1.0, description="Share of users whose requests are copied.")
    noise: Share = Field(
        default=0.1, description="Share of the copied requests also sent to the answering variant again."
    )
    judge: ShadowJudgeSection | None = None
    budget: BudgetSection | None = Field(default=None, description="Of the copies.")
    max_in_flight: int = Field(default=32, ge=1, le=1024, description="Copies on their way at once.")
    timeout: Duration = Field(default=120.0, description="For the whole of a copy's answer: 120s.")


class PriceSection(Section):
    """Where the price list is wrong or silent."""

    input_usd_per_mtok: Number = Field(ge=0)
    output_usd_per_mtok: Number = Field(ge=0)
    cached_input_usd_per_mtok: Number | None = Field(default=None, ge=0)


class SamplesSection(Section):
    """How much prompt and answer text is kept."""

    keep: Share = Field(description="Of the route's requests.")
    kept_for: Duration = Field(default=7 * 86_400.0, alias="for", description="7d")


class ExposeSection(Section):
    """What clients learn about the arm that answered."""

    variant: bool = Field(default=True, description="Whether x-sluice-variant is sent.")
    model: Literal["served", "route"] = Field(
        default="served", description="`route` hides model and echoed instructions."
    )


class LimitsSection(Section):
    """What a route takes."""

    body: Size = Field(default=DEFAULT_MAX_BODY_BYTES, description="32MiB")
    usd_per_day: Number | None = Field(default=None, ge=0)
    tokens_per_minute: int | None = Field(default=None, ge=1)


class RouteSection(Section):
    """A named AI feature: what apps send as `model`."""

    variants: dict[Name, VariantSection] = Field(min_length=1)
    release: ReleaseSection
    shadows: list[ShadowSection] = Field(default_factory=list)
    fallback: list[Name] = Field(
        default_factory=list, description="Tried when the arm's provider fails before the first byte."
    )
    flags: dict[Name, dict[Name, Any]] = Field(default_factory=dict, description="App-side settings of each variant.")
    guards: list[GuardSection] = Field(default_factory=list, description="Content checks on answers.")
    on_edit: Literal["rollout", "refuse", "allow"] = "rollout"
    price: dict[Name, PriceSection] = Field(default_factory=dict)
    redact: list[Name] = Field(
        default_factory=list, description="Taken out of texts before they are stored: email, card, phone."
    )
    samples: SamplesSection | None = Field(default=None, description="Keep the texts of a share of requests.")
    expose: ExposeSection = Field(default_factory=lambda: ExposeSection.unwritten())
    limits: LimitsSection = Field(default_factory=lambda: LimitsSection.unwritten())
