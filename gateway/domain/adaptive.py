"""Experiments beyond a plain split: bandits and ladders, which divide traffic by what they learn, and factors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.release import BUCKETS

DAY_S = 86_400.0


class OnTie(StrEnum):
    """Who goes on when a round of a ladder ends undecided."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    CHEAPER = "cheaper"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class BanditPlan:
    """
    How a bandit goes about it.

    Attributes:
        reward: Name of the metric; more is better.
        explore: Share of the users that is divided equally for ever, 0 to 1.
        min_exploration_s: Everybody has an equal chance for at least so long.
        min_users: Per arm, whose attribution window is over, before anything is followed.
        min_conversions: Per arm, likewise; of rewards that are no rates, users with a reward.
        half_life_s: After so long a reward counts for a half; None where nothing fades.
        update_every_s: Weights move at most so often; removals at once.
        max_moved: Buckets that change hands in one update, of 10,000; None without limit.
    """

    reward: str
    explore: float = 0.10
    min_exploration_s: float = 3 * DAY_S
    min_users: int = 100
    min_conversions: int = 40
    half_life_s: float | None = 30 * DAY_S
    update_every_s: float = DAY_S
    max_moved: int | None = None

    @property
    def slice_buckets(self) -> int:
        """
        Give the size of the exploration slice: it owns the buckets from 0 on.

        >>> BanditPlan("thumbs").slice_buckets
        1000
        """
        return round(self.explore * BUCKETS)


@dataclass(frozen=True, slots=True)
class LadderPlan:
    """
    How a ladder goes about it.

    Attributes:
        champion: Who it begins with.
        challengers: Their turns, the first first.
        alpha: P(an equal champion is ever dethroned), over all rounds; in (0, 1).
        max_round_s: A round that is undecided so long is a tie.
        on_tie: Who goes on then.
        margin: Relative: rounds of arms closer than this may end as a tie before; None where they may not.
    """

    champion: str
    challengers: tuple[str, ...]
    alpha: float = 0.05
    max_round_s: float = 28 * DAY_S
    on_tie: OnTie = OnTie.CHAMPION
    margin: float | None = 0.02


@dataclass(frozen=True, slots=True)
class FactorialPlan:
    """
    What a factorial release is made of.

    Attributes:
        base: The variant that all levels are patches of.
        factors: (name, levels), in file order; the first level of each is what the others are compared with.
    """

    base: str
    factors: tuple[tuple[str, tuple[str, ...]], ...]
