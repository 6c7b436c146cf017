"""`release`: how a route's traffic is divided now."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gateway.domain.release import ReleaseKind
from gateway.settings.document.metrics import Number
from gateway.settings.document.rollout import RolloutSection
from gateway.settings.document.scalars import Duration, Name, Points, Share, Weight, wrong
from gateway.settings.document.section import ScalarText, Section
from gateway.settings.document.variant import VariantSection


def parse_values(value: Any) -> Any:
    """Let one value stand for a list of one."""
    return value if isinstance(value, list) else [value]


class FixedSection(Section):
    """Everyone gets it."""

    variant: Name


class PlannedSection(Section):
    """Looks that are planned beforehand: narrower intervals in the end, and nothing to be read in between."""

    users: int = Field(ge=200, description="Of all arms, at the last look.")
    looks: int = Field(default=5, ge=2, le=20, description="How many, the users between them equal.")


class SplitSection(Section):
    """A/B(/n) with fixed weights."""

    arms: dict[Name, Weight] = Field(min_length=1, description="Variant to share; together 100%.")
    baseline: Name | None = Field(default=None, description="The arm the others are compared with; default: the first.")
    primary_metric: Name | None = None
    min_duration: Duration | None = None
    min_users: int | None = Field(default=None, ge=1)
    stop_on_safety: Points | None = None
    planned: PlannedSection | None = Field(
        default=None, description="The primary metric is judged at these looks only; without it, at any look."
    )
    segments: list[Name] = Field(
        default=[], description="Segments named beforehand: each is corrected for all of them."
    )


def parse_exploration(value: Any) -> Any:
    """Let a duration stand for a mapping with nothing else in it."""
    return {"duration": value} if isinstance(value, str) else value


class ExplorationSection(Section):
    """What a bandit waits for before it follows anybody."""

    duration: Duration | None = Field(default=None, description="3d")
    users: int | None = Field(default=None, ge=1, description="Per arm, whose attribution window is over: 100.")
    outcomes: int | None = Field(default=None, ge=1, description="Rewards above nothing, per arm: 40.")


class BanditSection(Section):
    """Explore, exploit, converge."""

    arms: list[Name] = Field(min_length=3, max_length=10)
    baseline: Name | None = Field(default=None, description="What others than its users get; default: the first.")
    reward: Name
    min_exploration: Annotated[ExplorationSection, BeforeValidator(parse_exploration)] | None = Field(
        default=None, description="A duration, or {duration: 3d, users: 100, outcomes: 40}."
    )
    explore: Share | None = Field(default=None, description="Divided equally for ever: 10%.")
    update_every: Duration | None = Field(default=None, description="1d")
    half_life: Duration | None = Field(default=None, description="After so long a reward counts for a half: 30d.")
    max_moved_per_update: Share | None = Field(default=None, description="Users who change arms in one update.")
    strict: bool = Field(default=False, description="Never move a user who was seen.")
    stop_on_safety: Points | None = None


class FactorialSection(Section):
    """All cells of several factors."""

    factors: dict[Name, Annotated[dict[Name, VariantSection], Field(min_length=2)]] = Field(
        min_length=1, description="Factor to levels; a level is what it changes of `base`: {} for nothing."
    )
    base: Name
    primary_metric: Name | None = None
    min_duration: Duration | None = None
    min_users: int | None = Field(default=None, ge=1, description="Per level, before a verdict.")
    stop_on_safety: Points | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_plain_levels(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("factors"), dict):
            return {**value, "factors": {name: _spelled_out(name, one) for name, one in value["factors"].items()}}
        return value


def _spelled_out(factor: Any, levels: Any) -> Any:
    """Let a plain value stand for the model, or for the parameter that the factor is called after."""
    if not isinstance(levels, dict):
        return levels
    return {name: _spelled(factor, level) for name, level in levels.items()}


def _spelled(factor: Any, level: Any) -> Any:
    if isinstance(level, dict | list) or level is None:
        return level
    return {"model": level} if factor == "model" else {"params": {"set": {factor: level}}}


class LadderSection(Section):
    """Two at a time, the winner stays."""

    champion: Name
    challengers: list[Name] = Field(min_length=1)
    primary_metric: Name | None = None
    alpha: Number | None = Field(
        default=None, gt=0, lt=1, description="P(an equal champion is ever replaced), over all rounds: 0.05."
    )
    min_duration: Duration | None = Field(default=None, description="Of a round: 7d.")
    max_duration: Duration | None = Field(default=None, description="Then a round is a tie: 28d.")
    min_users: int | None = Field(default=None, ge=1, description="Per arm and round: 1000.")
    on_tie: Literal["champion", "challenger", "cheaper", "hold"] = Field(
        default="champion", description="Who goes on when a round ends undecided."
    )
    stop_on_safety: Points | None = None


class ReleaseSection(Section):
    """How a route's traffic is divided; exactly one kind."""

    name: Name | None = Field(
        default=None, description="Default: the route's name. The salt, the journal and the latch."
    )
    audience: dict[Name, Annotated[list[ScalarText], BeforeValidator(parse_values), Field(min_length=1)]] = Field(
        {}, description="Segment to allowed values; the others get the baseline."
    )
    unit: Literal["user", "conversation", "request"] = "user"
    fixed: FixedSection | None = None
    split: SplitSection | None = None
    rollout: RolloutSection | None = None
    bandit: BanditSection | None = None
    factorial: FactorialSection | None = None
    ladder: LadderSection | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> ReleaseSection:
        kinds = [kind.value for kind in ReleaseKind if getattr(self, kind.value) is not None]
        if len(kinds) != 1:
            problem = f"{len(kinds)} kinds of release: {', '.join(kinds)}" if kinds else "no kind of release"
            raise wrong(problem=problem, remedy="write exactly one of fixed, split, rollout, bandit, factorial, ladder")
        return self

    @property
    def kind(self) -> ReleaseKind:
        """Give the kind that is written."""
        return next(kind for kind in ReleaseKind if getattr(self, kind.value) is not None)
