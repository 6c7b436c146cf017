"""
What a shadow came to, as one value: the verdict first, then all it stands on. The renderers compute nothing.

Reading is somebody else's: pairs, counts and the texts of the few pairs that are shown are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.gates.shadow import decide_shadow
from gateway.gates.shadow_findings import Measured, PairColumns, PairFindings
from gateway.gates.shadow_verdict import Finding, ShadowState
from gateway.record.pair import Pair, Vote
from gateway.record.shadowed import ShadowCount
from gateway.report.shadow_columns import PairTable, TableColumns
from gateway.report.shadow_telling import TellingGroup
from gateway.report.words import moment

MAX_SEGMENTS = 12
MIN_SEGMENT_PAIRS = 50
MAX_FIELDS = 12
BINS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SENT = ("answered", "failed", "timeout", "lost")
"""What becomes of a copy that was sent; everything else says why it was not."""

SEGMENT_FINDINGS = ("quality", "errors", "safety", "format", "duration", "cost")


@dataclass(frozen=True, slots=True)
class Result:
    """
    What became of some copies.

    Attributes:
        name: As `sluice.result` has it.
        n: How many.
        share: Of all copies of this shadow, 0 to 1.
        is_sent: They were sent.
    """

    name: str
    n: int
    share: float
    is_sent: bool


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """
    One slice of the pairs.

    Attributes:
        name: `name=value`, or `arm=current`.
        n_pairs: Its pairs.
        n_users: Its users.
        findings: Those of SEGMENT_FINDINGS that could be measured; exploratory, corrected for nothing.
    """

    name: str
    n_pairs: int
    n_users: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """
    One place in JSON answers.

    Attributes:
        path: `$.items[].price`.
        share: Of pairs with JSON on both sides: where it differs.
        noise_share: The same of the variant against itself; None without noise pairs of JSON.
    """

    path: str
    share: float
    noise_share: float | None


@dataclass(frozen=True, slots=True)
class JudgeSummary:
    """
    What the judge said, and what its word is worth.

    Attributes:
        judge: Its route.
        n_judged: Pairs with a vote in both orders.
        n_wins: Of the shadow, in both orders.
        n_losses: Likewise of the primary.
        n_ties: Pairs it called even, in both orders.
        n_inconsistent: Pairs whose vote changed with the order; they count as ties.
        n_unreadable: Pairs with a vote missing.
        win_rate: Of the shadow among decisive pairs, with its ends; None with too few.
        first_rate: How often the answer that stood first won, with its ends; None with too few.
        noise_win_rate: Of the variant against itself: it must straddle a half; None with too few.
        sign_p: Exact sign test on decisive pairs.
        usd: What it cost.
        agreement: With people's labels; None where none were given.
    """

    judge: str
    n_judged: int
    n_wins: int
    n_losses: int
    n_ties: int
    n_inconsistent: int
    n_unreadable: int
    win_rate: tuple[float, float, float] | None
    first_rate: tuple[float, float, float] | None
    noise_win_rate: tuple[float, float, float] | None
    sign_p: float | None
    usd: float
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    The judge against people.

    Attributes:
        n: Pairs that both rated.
        n_unmatched: Labels of pairs that are not here or that the judge did not rate.
        share: Rated alike.
        low: Lower end of Wilson's interval.
        high: Upper end.
        kappa: Cohen's; None where it cannot be told.
    """

    n: int
    n_unmatched: int
    share: float
    low: float
    high: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """
    One shadow of a route.

    Attributes:
        variant: Its variant.
        state: What is to be thought.
        headline: For a product owner.
        warnings: What weakens it.
        findings: The telling ones first.
        n_pairs: Pairs.
        n_users: Their users.
        n_noise: Noise pairs.
        first: When the first of them was asked; empty without any.
        last: When the last was.
        results: What became of every copy, the most frequent first.
        n_copies: Of them all.
        usd: What the copies cost, those for the noise floor among them.
        judge: None where nobody judged.
        segments: Slices large enough, the largest first.
        fields: JSON values that differ most often.
        similarity: Share of pairs in each of BINS equal bins from 0 to 1; empty without any.
        noise_similarity: Likewise of noise pairs.
        latency: Quantile, primary's and shadow's milliseconds to the last byte.
        telling: Pairs worth looking at.
        texts_kept: Pairs whose words are kept.
    """

    variant: str
    state: ShadowState
    headline: str
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...]
    n_pairs: int
    n_users: int
    n_noise: int
    first: str
    last: str
    results: tuple[Result, ...]
    n_copies: int
    usd: float
    judge: JudgeSummary | None
    segments: tuple[SegmentRow, ...]
    fields: tuple[FieldRow, ...]
    similarity: tuple[float, ...]
    noise_similarity: tuple[float, ...]
    latency: tuple[tuple[float, float, float], ...]
    telling: tuple[TellingGroup, ...]
    texts_kept: int


@dataclass(frozen=True, slots=True)
class ShadowSummary:
    """
    Everything a report says.

    Attributes:
        route: Route name.
        generated: When it was put together.
        since: From when on pairs were read; empty for all that are kept.
        shadows: One for each variant that got copies.
    """

    route: str
    generated: str
    since: str
    shadows: tuple[ShadowReport, ...]


def summarize_shadow(
    variant: str,
    table: PairTable,
    counts: Iterable[ShadowCount],
    telling: Sequence[TellingGroup] = (),
    labels: Mapping[str, Vote] | None = None,
    texts_kept: int = 0,
) -> ShadowReport:
    """
    Put together what one shadow came to.

    Args:
        variant: The shadow's.
        table: Its pairs.
        counts: What became of its copies.
        telling: Pairs worth looking at, with their texts.
        labels: What people preferred, by request id; None where nobody was asked.
        texts_kept: Pairs whose words are kept.
    """
    columns = TableColumns(table)
    found = columns.found()
    verdict = decide_shadow(found)
    results, usd = _results_of(counts)
    pairs = table.pairs
    return ShadowReport(
        variant=variant,
        state=verdict.state,
        headline=verdict.headline,
        warnings=verdict.warnings,
        findings=verdict.findings,
        n_pairs=len(pairs),
        n_users=verdict.n_users,
        n_noise=len(table.noise),
        first=moment(pairs[0].unix_ms) if pairs else "",
        last=moment(pairs[-1].unix_ms) if pairs else "",
        results=results,
        n_copies=sum(result.n for result in results),
        usd=usd,
        judge=_judge_of(table, found, labels),
        segments=_segments_of(columns),
        fields=_fields_of(table),
        similarity=_histogram(columns.pairs),
        noise_similarity=_histogram(columns.noise),
        latency=_latency_of(columns.pairs),
        telling=tuple(telling),
        texts_kept=texts_kept,
    )


def _results_of(counts: Iterable[ShadowCount]) -> tuple[tuple[Result, ...], float]:
    n_by_name: Counter[str] = Counter()
    usd = 0.0
    for count in counts:
        usd += count.usd
        if not count.result.startswith("noise_"):
            n_by_name[count.result] += count.n
    total = n_by_name.total()
    ordered = sorted(n_by_name.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Result(name, n, n / total, name in SENT) for name, n in ordered if n), usd


def _judge_of(table: PairTable, found: PairFindings, labels: Mapping[str, Vote] | None) -> JudgeSummary | None:
    judgements = [pair.judgement for pair in table.pairs if pair.judgement is not None]
    if not judgements:
        return None
    tally, noise = found.shadow.judged, None if found.noise is None else found.noise.judged
    every = [*judgements, *(pair.judgement for pair in table.noise if pair.judgement is not None)]
    n_even = sum(one.is_consistent and one.vote is Vote.TIE for one in judgements)
    return JudgeSummary(
        judge=judgements[-1].judge,
        n_judged=tally.n_judged if tally is not None else 0,
        n_wins=tally.n_wins if tally is not None else 0,
        n_losses=tally.n_losses if tally is not None else 0,
        n_ties=n_even,
        n_inconsistent=tally.n_inconsistent if tally is not None else 0,
        n_unreadable=sum(one.vote is None for one in judgements),
        win_rate=_ends(tally.win_rate if tally is not None else None),
        first_rate=_ends(tally.first_rate if tally is not None else None),
        noise_win_rate=_ends(noise.win_rate if noise is not None else None),
        sign_p=tally.sign_p if tally is not None else None,
        usd=sum(one.cost_usd or 0.0 for one in every),
        agreement=None if labels is None else _agreement_of(table.pairs, labels),
    )


def _ends(found: object) -> tuple[float, float, float] | None:
    from gateway.stats.clustered_pairs import Paired

    return (found.effect, found.low, found.high) if isinstance(found, Paired) else None


def _agreement_of(pairs: Sequence[Pair], labels: Mapping[str, Vote]) -> Agreement | None:
    from gateway.stats.agreement import kappa

    votes = {pair.request_id: pair.judgement.vote for pair in pairs if pair.judgement is not None}
    both = [(int(label), int(vote)) for name, label in labels.items() if (vote := votes.get(name)) is not None]
    found = kappa(both)
    if found is None:
        return Agreement(0, len(labels), 0.0, 0.0, 1.0, None)
    known = found.kappa if found.kappa == found.kappa else None
    return Agreement(found.n, len(labels) - found.n, found.agreement, found.interval.low, found.interval.high, known)


def _segments_of(columns: TableColumns) -> tuple[SegmentRow, ...]:
    sizes = columns.sizes()
    names = Counter(name for name, _ in sizes)
    # A name with one value says nothing that the whole does not.
    wanted = [key for key, n in sizes.most_common() if n >= MIN_SEGMENT_PAIRS and names[key[0]] > 1]
    return tuple(_segment(columns, *key) for key in wanted[:MAX_SEGMENTS])


def _segment(columns: TableColumns, name: str, value: str) -> SegmentRow:
    found = columns.found_in((name, value))
    findings = {one.name: one for one in decide_shadow(found).findings}
    shown = tuple(findings[each] for each in SEGMENT_FINDINGS if each in findings)
    measured: Measured = found.shadow
    return SegmentRow(f"{name}={value}", measured.n_pairs, measured.n_users, shown)


def _fields_of(table: PairTable) -> tuple[FieldRow, ...]:
    shares, noise_shares = _field_shares(table.pairs), _field_shares(table.noise)
    ordered = sorted(shares.items(), key=lambda each: (-each[1], each[0]))
    return tuple(
        FieldRow(path, share, noise_shares.get(path, 0.0) if noise_shares else None)
        for path, share in ordered[:MAX_FIELDS]
    )


def _field_shares(pairs: Iterable[Pair]) -> dict[str, float]:
    # Most pairs differ in the same few ways, so ways are counted first.
    ways = Counter(
        tuple(pair.likeness.changed_fields)
        for pair in pairs
        if pair.likeness is not None and pair.likeness.changed_fields is not None
    )
    changed: Counter[str] = Counter()
    for way, n in ways.items():
        changed.update(dict.fromkeys(way, n))
    return {path: n / ways.total() for path, n in changed.items()}


def _histogram(columns: PairColumns | None) -> tuple[float, ...]:
    import numpy as np

    known = np.zeros(0) if columns is None else columns.similarity[~np.isnan(columns.similarity)]
    if not len(known):
        return ()
    bins = np.bincount(np.minimum((known * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    return tuple((bins / len(known)).tolist())


def _latency_of(columns: PairColumns) -> tuple[tuple[float, float, float], ...]:
    import numpy as np

    both = np.column_stack([columns.primary.duration_ms, columns.shadow.duration_ms])
    both = both[~np.isnan(both).any(axis=1)]
    if not len(both):
        return ()
    primary, shadow = np.quantile(both, QUANTILES, axis=0).T
    return tuple(
        (q, round(float(ours), 1), round(float(theirs), 1))
        for q, ours, theirs in zip(QUANTILES, primary, shadow, strict=True)
    )
