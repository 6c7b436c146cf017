"""Pairs as a shadow might have made them: seeded, of known differences, and hostile ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.outcome import Fault, Safety
from gateway.record.pair import Judgement, Likeness, Pair, PairKey, PairKind, PairTexts, Side, Vote, key_of
from gateway.record.shadowed import ShadowCount

DAY = 20_000
START_UNIX_MS = DAY * 86_400_000


@dataclass(frozen=True, slots=True)
class World:
    """
    How a shadow differs from its primary.

    Attributes:
        n: Pairs.
        n_users: Users they are of.
        slower: Ratio of durations.
        dearer: Ratio of costs.
        refuses: Share of answers the shadow refuses.
        wins: Share of decisive judgements that the shadow wins; None for no judge.
        breaks_format: Share of the shadow's answers that break the format.
    """

    n: int = 600
    n_users: int = 150
    slower: float = 1.0
    dearer: float = 1.0
    refuses: float = 0.0
    wins: float | None = 0.5
    breaks_format: float = 0.0


def pairs_of(world: World, seed: int = 1) -> list[Pair]:
    """Give a world's pairs, a tenth as many noise pairs among them, oldest first."""
    chance = random.Random(seed)
    return [_pair(world, number, chance) for number in range(world.n + world.n // 10)]


def _pair(world: World, number: int, chance: random.Random) -> Pair:
    is_noise = number % 11 == 10
    kind = PairKind.NOISE if is_noise else PairKind.SHADOW
    duration_ms = 400.0 * chance.lognormvariate(0, 0.3)
    primary = side("current", duration_ms=duration_ms, cost_usd=0.001)
    if is_noise:
        other = side("current", duration_ms=duration_ms * chance.lognormvariate(0, 0.1), cost_usd=0.001)
    else:
        other = side(
            "bigger",
            duration_ms=duration_ms * world.slower * chance.lognormvariate(0, 0.1),
            cost_usd=0.001 * world.dearer,
            safety=Safety.REFUSED if chance.random() < world.refuses else Safety.NONE,
            is_valid_format=chance.random() >= world.breaks_format,
        )
    similarity = min(1.0, max(0.0, chance.gauss(0.6, 0.15)))
    return Pair(
        request_id=f"rq-{number}",
        kind=kind,
        shadow_variant="bigger",
        unix_ms=START_UNIX_MS + number * 1_000,
        route="support",
        release="support",
        epoch=1,
        arm="current" if number % 3 else "concise",
        unit_hash=chance.randrange(world.n_users) + (1 << 63),
        has_unit=True,
        segments={"plan": "free" if number % 2 else "trial"},
        api="/chat/completions",
        is_stream=False,
        primary=primary,
        shadow=other,
        likeness=Likeness(False, False, similarity, ["$.items[].price"] if number % 4 == 0 else [], 8, "none"),
        judgement=_judgement(world, is_noise=is_noise, chance=chance),
    )


def _judgement(world: World, *, is_noise: bool, chance: random.Random) -> Judgement | None:
    if world.wins is None or chance.random() < 0.3:
        return None
    vote = Vote.SHADOW if chance.random() < (0.5 if is_noise else world.wins) else Vote.PRIMARY
    return Judgement("judge", START_UNIX_MS, vote, vote if chance.random() < 0.8 else Vote(-vote), cost_usd=0.002)


def side(variant: str, **changes: object) -> Side:
    """Give a good answer, but for what is changed."""
    fields: dict[str, object] = {"output_tokens": 120, "n_chars": 500, "is_valid_format": True, "fault": Fault.NONE}
    return Side(variant, 200, **(fields | changes))  # type: ignore[arg-type]


def texts_of(pairs: Sequence[Pair], words: Sequence[str] = ("a cat sat", "a dog sat")) -> dict[PairKey, PairTexts]:
    """Give every pair texts that tell primary and shadow apart, of these words in turn."""
    return {
        key_of(pair): PairTexts(
            prompt=words[index % len(words)],
            primary=words[index % len(words)],
            shadow=words[(index + 1) % len(words)],
            expires_unix_ms=START_UNIX_MS * 2,
            reason=words[index % len(words)],
        )
        for index, pair in enumerate(pairs)
    }


COUNTS = [
    ShadowCount(DAY, "support", "bigger", "answered", 580, 1.25),
    ShadowCount(DAY, "support", "bigger", "failed", 20, 0.0),
    ShadowCount(DAY, "support", "bigger", "noise_answered", 60, 0.06),
    ShadowCount(DAY, "support", "", "worker_rows", 7, 0.0),
]
