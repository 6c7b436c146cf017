"""Who is told about what: a webhook and the kinds of decisions it wants to hear of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class AlertKind(StrEnum):
    """What may be told; every one of them also stands in the journal."""

    ROLLBACK = "rollback"
    """A candidate, or an arm of a split, gets nothing any more."""
    STEP_BACK = "step_back"
    ALERT = "alert"
    """A signal that only tells, or a health check."""
    SRM = "srm"
    """Users are not divided as they should be."""
    HOLD = "hold"
    """A stage ended without evidence, or a gate failed and holds."""
    APPROVAL = "approval"
    """A person has to say yes."""
    PAUSE = "pause"
    PROMOTION = "promotion"
    """One stage on, or complete; a bandit or a ladder is at something else."""
    START = "start"


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """
    A webhook.

    Attributes:
        url: Where to post; a secret, for whoever has it may post there.
        kinds: What it is told of.
        secret: Signs what is sent, so that the other end knows whom it is from; None for unsigned.
    """

    url: str = field(repr=False)
    kinds: frozenset[AlertKind]
    secret: str | None = field(default=None, repr=False)
