"""`release`: how a route's traffic is divided now."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gateway.domain.release import ReleaseKind
from gateway.settings.document.metrics import Number
from gateway.settings.document.rollout import RolloutSection
from gateway.settings.document.scalars import Duration, Name, Points, Share, Weight, wrong
from gateway.settings.document.section import ScalarText, Section


def parse_values(value: Any) -> Any:
    """Let one value stand for a list of one."""
    return value if isinstance(value, list) else [value]


class FixedSection(Section):
    """Everyone gets it."""

    variant: Name


class SplitSection(Section):
    """A/B(/n) with fixed weights."""

    arms: dict[Name, Weight] = Field(min_length=1, description="Variant to share; together 100%.")
    baseline: Name | None = Field(default=None, description="The arm the others are compared with; default: the first.")
    primary_metric: Name | None = None
    min_duration: Duration | None = None
    min_users: int | None = Field(default=None, ge=1)
    stop_on_safety: Points | None = None
    segments: list[Name] = Field(
        default=[], description="Segments named beforehand: each is corrected for all of them."
    )


class BanditSection(Section):
    """Explore, exploit, converge."""

    arms: list[Name] = Field(min_length=3, max_length=10)
    baseline: Name | None = None
    reward: Name
    min_exploration: Share | Duration | int | None = None
    explore: Share | None = None
    update_every: Duration | None = None
    half_life: Duration | None = None
    max_moved_per_update: Share | None = None
    strict: bool = False


class FactorialSection(Section):
    """All cells of several factors."""

    factors: dict[Name, dict[Name, Any]] = Field(min_length=1)
    base: Name
    primary_metric: Name | None = None


class LadderSection(Section):
    """Two at a time, the winner stays."""

    champion: Name
    challengers: list[Name] = Field(min_length=1)
    primary_metric: Name | None = None
    alpha: Number | None = Field(default=None, gt=0, lt=1)


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
