"""A route: a named AI feature, what apps send as `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.flag import Flag
from gateway.domain.release import Release
from gateway.domain.shadow import JudgedMetric, Shadow
from gateway.domain.variant import Variant

DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
"""Room for a few high-resolution images in base64; OpenAI's own limit for images is 50 MB."""


class ExposeModel(StrEnum):
    """Which model name a client sees in answers."""

    SERVED = "served"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Expose:
    """
    What a client learns about the arm that answered.

    Attributes:
        variant: Whether `x-sluice-variant` and `x-sluice-release` are sent.
        model: ROUTE writes the route's name over the model's, and the client's own instructions
            over the echoed ones.
    """

    variant: bool = True
    model: ExposeModel = ExposeModel.SERVED


@dataclass(frozen=True, slots=True)
class SampleRule:
    """
    Of which requests prompt and answer are kept.

    Attributes:
        n_buckets: Of 10,000; 1 to 10,000.
        keep_for_s: How long the texts are kept.
    """

    n_buckets: int
    keep_for_s: float


@dataclass(frozen=True, slots=True)
class Route:
    """
    A named AI feature.

    Attributes:
        name: What apps send as `model`; at most 64 bytes.
        variants: By name; every arm and fallback is among them.
        release: How traffic is divided now.
        fallback: Variant names tried in order when the arm's provider fails before the first byte.
        expose: What clients learn.
        max_body_bytes: Larger requests are refused with 413.
        redact: Kinds of particulars taken out of texts before they are stored, of `record.redact.KINDS`.
        samples: Of which requests the texts are kept; None for none.
        shadows: Variants that get copies of its requests.
        judged: Metrics a judge gives its answers.
        flags: App-side settings, each with a value for every arm.
    """

    name: str
    variants: Mapping[str, Variant]
    release: Release
    fallback: tuple[str, ...] = ()
    expose: Expose = Expose()
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    redact: tuple[str, ...] = ()
    samples: SampleRule | None = None
    shadows: tuple[Shadow, ...] = ()
    judged: tuple[JudgedMetric, ...] = ()
    flags: tuple[Flag, ...] = ()

    @property
    def copied_buckets(self) -> int:
        """Give the largest share of users any shadow gets copies of, of 10,000."""
        return max((shadow.n_buckets for shadow in self.shadows), default=0)
