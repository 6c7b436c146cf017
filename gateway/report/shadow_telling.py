"""Pairs that are worth a person's look: most different, lost before the judge, flips of safety and of format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.outcome import Safety
from gateway.record.pair import Pair, PairKey, PairTexts, Vote, key_of
from gateway.report.text_diff import TextDiff, text_diff
from gateway.report.words import moment, percent

MAX_SHOWN = 10
MAX_SHOWN_CHARS = 6_000
"""Of an answer, and of a prompt: what is longer is cut, and says so."""

DIFFERENT = "different"
"""All pairs differ more or less: how many there are of these says nothing."""

MAX_LOOKED_AT = 200
"""Candidates of a group whose texts are asked for."""


@dataclass(frozen=True, slots=True)
class TellingPair:
    """
    One pair, as people look at it.

    Attributes:
        request_id: Of the request.
        at: When it came.
        segments: `name=value`, one after another.
        why: Why it is shown.
        primary_line: What the primary's side was: status, time, tokens, cost.
        shadow_line: Likewise the shadow's.
        prompt: What was asked, as JSON.
        diff: Both answers, differences marked.
        reason: The judge's words; empty where it has none.
        is_cut: A text was longer than is shown.
    """

    request_id: str
    at: str
    segments: str
    why: str
    primary_line: str
    shadow_line: str
    prompt: str
    diff: TextDiff
    reason: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class TellingGroup:
    """
    Pairs that are shown for one reason.

    Attributes:
        key: For the filter: "different", "losses", "safety", "format".
        title: The reason.
        n_found: How many there are, with texts or without.
        pairs: Those that are shown.
    """

    key: str
    title: str
    n_found: int
    pairs: tuple[TellingPair, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """
    Pairs that could be shown, before their texts are known.

    Attributes:
        key: As in TellingGroup.
        title: Likewise.
        why: Tells why a pair is among them.
        pairs: The most telling first.
    """

    key: str
    title: str
    why: Callable[[Pair], str]
    pairs: tuple[Pair, ...]


def choose_telling(pairs: Sequence[Pair]) -> tuple[Candidates, ...]:
    """Give what is worth a look, group by group."""
    both = [pair for pair in pairs if pair.likeness is not None and pair.likeness.similarity is not None]
    different = sorted(both, key=_similarity)
    losses = [pair for pair in pairs if pair.judgement is not None and pair.judgement.vote is Vote.PRIMARY]
    safety = [pair for pair in pairs if pair.primary.safety is not pair.shadow.safety]
    format_ = [pair for pair in pairs if _is_format_flip(pair)]
    return (
        Candidates("losses", "The judge preferred the primary", _why_lost, tuple(sorted(losses, key=_similarity))),
        Candidates("safety", "Safety changed", _why_unsafe, tuple(sorted(safety, key=_shadow_is_safe))),
        Candidates("format", "The asked-for format was kept by one of them", _why_malformed, tuple(format_)),
        Candidates(DIFFERENT, "Most different", _why_different, tuple(different[:MAX_LOOKED_AT])),
    )


def keys_of(candidates: Iterable[Candidates]) -> list[PairKey]:
    """Give the pairs whose texts are wanted."""
    return list(dict.fromkeys(key_of(pair) for group in candidates for pair in group.pairs[:MAX_LOOKED_AT]))


def tell(candidates: Iterable[Candidates], texts: Mapping[PairKey, PairTexts]) -> tuple[TellingGroup, ...]:
    """Give the groups with the first of their pairs whose texts are kept; empty ones are left out."""
    groups = []
    for group in candidates:
        if group.pairs:
            told = tuple(_told(group, texts))
            n_found = len(told) if group.key == DIFFERENT else len(group.pairs)
            groups.append(TellingGroup(group.key, group.title, n_found, told))
    return tuple(groups)


def _told(group: Candidates, texts: Mapping[PairKey, PairTexts]) -> Iterator[TellingPair]:
    n_shown = 0
    for pair in group.pairs:
        if (words := texts.get(key_of(pair))) is None:
            continue
        yield telling_of(pair, words, group.why(pair))
        n_shown += 1
        if n_shown == MAX_SHOWN:
            return


def telling_of(pair: Pair, texts: PairTexts, why: str) -> TellingPair:
    """Give a pair as people look at it."""
    whole = [texts.prompt, texts.primary, texts.shadow]
    shown = [_cut(text) for text in whole]
    return TellingPair(
        request_id=pair.request_id,
        at=moment(pair.unix_ms),
        segments=", ".join(f"{name}={value}" for name, value in sorted(pair.segments.items())),
        why=why,
        primary_line=_side_line(pair, is_shadow=False),
        shadow_line=_side_line(pair, is_shadow=True),
        prompt=shown[0],
        diff=text_diff(shown[1], shown[2]),
        reason=texts.reason,
        is_cut=shown != whole,
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def _side_line(pair: Pair, *, is_shadow: bool) -> str:
    side = pair.shadow if is_shadow else pair.primary
    parts = [side.variant, str(side.status or "no answer"), f"{side.duration_ms:,.0f} ms"]
    if side.output_tokens is not None:
        parts.append(f"{side.output_tokens:,} tokens")
    if side.cost_usd is not None:
        parts.append(f"${side.cost_usd:.5f}")
    if side.safety is not Safety.NONE:
        parts.append(str(side.safety).replace("_", " "))
    if side.is_valid_format is False:
        parts.append("format broken")
    return " · ".join(parts)


def _similarity(pair: Pair) -> float:
    similarity = pair.likeness.similarity if pair.likeness is not None else None
    return 1.0 if similarity is None else similarity


def _shadow_is_safe(pair: Pair) -> bool:
    # False sorts first: what the shadow did that the primary did not.
    return pair.shadow.safety is Safety.NONE


def _is_format_flip(pair: Pair) -> bool:
    ours, theirs = pair.primary.is_valid_format, pair.shadow.is_valid_format
    return ours is not None and theirs is not None and ours != theirs


def _why_different(pair: Pair) -> str:
    return f"{percent(_similarity(pair), 0)} of the words in common"


def _why_lost(pair: Pair) -> str:
    return "in both orders"


def _why_unsafe(pair: Pair) -> str:
    ours, theirs = (str(side.safety).replace("_", " ") for side in (pair.primary, pair.shadow))
    return f"primary: {ours}; shadow: {theirs}"


def _why_malformed(pair: Pair) -> str:
    return "the shadow kept it" if pair.shadow.is_valid_format else "the shadow broke it"
