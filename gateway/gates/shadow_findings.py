"""
What is known about a shadow and its primary, as numbers: columns of pairs in, paired estimates out.

Columns are what numpy takes, a number per pair: NaN where it is not known, 0 and 1 for truths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.stats.clustered_pairs import Column, Paired, coded, n_clusters, ones_like
from gateway.stats.paired import contrast, geometric_ratio, mean, quantile_ratio, rate_difference, sum_ratio
from gateway.stats.votes import Tally, share, tally

COLUMNS = {
    "similarity": "similarity",
    "equal": "is_equal",
    "other_fields": "has_other_fields",
    "other_tools": "has_other_tools",
}
"""What is compared with the noise floor, and the column it is read from."""

ALIKE = tuple(COLUMNS)


@dataclass(frozen=True, slots=True)
class SideColumns:
    """
    One side of every pair.

    Attributes:
        failed: Whether the provider failed: no whole answer with status 200, the client's own mistakes left out (NaN).
        unsafe: Whether something was blocked or flagged, refusals aside.
        refused: Whether the model refused.
        is_valid_format: NaN where no format was asked for.
        ttft_ms: To the first token of a stream; NaN for others.
        duration_ms: To the last byte, of answers.
        cost_usd: Of answers.
        output_tokens: Of answers.
        n_chars: Of the answer's text.
    """

    failed: Column
    unsafe: Column
    refused: Column
    is_valid_format: Column
    ttft_ms: Column
    duration_ms: Column
    cost_usd: Column
    output_tokens: Column
    n_chars: Column


@dataclass(frozen=True, slots=True)
class PairColumns:
    """
    Pairs of one kind, all columns of one length.

    Attributes:
        units: Whose request; equal integers are one user. A pair without a user has one of its own.
        primary: What the client got.
        shadow: What nobody saw.
        similarity: Of the texts, 0 to 1.
        is_equal: Whether they say the same once evened out.
        has_other_fields: Whether any JSON value differs; NaN where not both are JSON.
        has_other_tools: Whether they call other tools or with other arguments; NaN where neither calls one.
        primary_first: The judge's vote with the primary's answer first: -1 for the primary's, 0 a tie, 1 the shadow's.
        shadow_first: Likewise in the other order.
    """

    units: Column
    primary: SideColumns
    shadow: SideColumns
    similarity: Column
    is_equal: Column
    has_other_fields: Column
    has_other_tools: Column
    primary_first: Column
    shadow_first: Column


@dataclass(frozen=True, slots=True)
class Measured:
    """
    Everything estimated from pairs of one kind; None where there is too little of it.

    Attributes:
        n_pairs: Pairs.
        n_users: Users among them.
        errors: Difference of failure rates.
        safety: Difference of rates of what was blocked or flagged.
        refusals: Difference of refusal rates.
        format: Difference of rates of valid format.
        ttft: Ratio of geometric means.
        ttft_p50: Ratio of medians.
        ttft_p95: Ratio of 95th percentiles.
        duration: Ratio of geometric means.
        duration_p50: Ratio of medians.
        duration_p95: Ratio of 95th percentiles.
        cost: Ratio of sums.
        output_tokens: Ratio of sums.
        length: Ratio of sums of characters.
        similarity: Mean.
        equal: Share of equal answers.
        other_fields: Share of pairs of JSON with a value that differs.
        other_tools: Share of pairs with other tool calls.
        judged: The judge's votes; None where there are none.
    """

    n_pairs: int
    n_users: int
    errors: Paired | None = None
    safety: Paired | None = None
    refusals: Paired | None = None
    format: Paired | None = None
    ttft: Paired | None = None
    ttft_p50: Paired | None = None
    ttft_p95: Paired | None = None
    duration: Paired | None = None
    duration_p50: Paired | None = None
    duration_p95: Paired | None = None
    cost: Paired | None = None
    output_tokens: Paired | None = None
    length: Paired | None = None
    similarity: Paired | None = None
    equal: Paired | None = None
    other_fields: Paired | None = None
    other_tools: Paired | None = None
    judged: Tally | None = None


@dataclass(frozen=True, slots=True)
class PairFindings:
    """
    What is known of a shadow.

    Attributes:
        shadow: Its pairs, measured.
        noise: The noise pairs (the primary's own variant asked again), measured; None without any.
        beyond_noise: By name (`similarity`, `equal`, `other_fields`, `other_tools`): the shadow's mean minus the
            noise pairs', users as clusters over both.
    """

    shadow: Measured
    noise: Measured | None
    beyond_noise: dict[str, Paired]


def measure(pairs: PairColumns, noise: PairColumns | None = None, *, confidence: float = 0.95) -> PairFindings:
    """
    Measure a shadow's pairs, against noise pairs where there are any.

    Args:
        pairs: The shadow's, or those of one segment of them.
        noise: Of the primary's variant asked again; their `shadow` is that second answer.
        confidence: Two-sided coverage of every interval, in (0, 1); one look.

    Raises:
        ValueError: Confidence is outside (0, 1), or columns differ in length.
    """
    codes, noise_codes = coded(pairs.units, () if noise is None else noise.units)
    pairs = replace(pairs, units=codes)
    shadow = _measured(pairs, confidence)
    if noise is None or not len(noise.units):
        return PairFindings(shadow, None, {})
    noise, beyond = replace(noise, units=noise_codes), {}
    for name in ALIKE:
        column, other = getattr(pairs, COLUMNS[name]), getattr(noise, COLUMNS[name])
        found = contrast(column, pairs.units, other, noise.units, confidence=confidence)
        if found is not None:
            beyond[name] = found
    return PairFindings(shadow, _measured(noise, confidence), beyond)


def _measured(pairs: PairColumns, confidence: float) -> Measured:
    primary, shadow, units = pairs.primary, pairs.shadow, pairs.units

    def rate(name: str) -> Paired | None:
        return rate_difference(getattr(primary, name), getattr(shadow, name), units, confidence=confidence)

    def total(name: str) -> Paired | None:
        return sum_ratio(getattr(primary, name), getattr(shadow, name), units, confidence=confidence)

    def typical(name: str) -> Paired | None:
        return geometric_ratio(getattr(primary, name), getattr(shadow, name), units, confidence=confidence)

    def at(name: str, q: float) -> Paired | None:
        return quantile_ratio(getattr(primary, name), getattr(shadow, name), units, q, confidence=confidence)

    def often(column: Column) -> Paired | None:
        return share(column, ones_like(column), units, null=None, confidence=confidence)

    return Measured(
        n_pairs=len(units),
        n_users=n_clusters(units),
        errors=rate("failed"),
        safety=rate("unsafe"),
        refusals=rate("refused"),
        format=rate("is_valid_format"),
        ttft=typical("ttft_ms"),
        ttft_p50=at("ttft_ms", 0.5),
        ttft_p95=at("ttft_ms", 0.95),
        duration=typical("duration_ms"),
        duration_p50=at("duration_ms", 0.5),
        duration_p95=at("duration_ms", 0.95),
        cost=total("cost_usd"),
        output_tokens=total("output_tokens"),
        length=total("n_chars"),
        similarity=mean(pairs.similarity, units, confidence=confidence),
        equal=often(pairs.is_equal),
        other_fields=often(pairs.has_other_fields),
        other_tools=often(pairs.has_other_tools),
        judged=tally(pairs.primary_first, pairs.shadow_first, units, confidence=confidence),
    )
