"""Shadows: simulated variants with known differences; whether the verdict finds them, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.proofs.rows import render_share
from bench.rows import Row
from gateway.gates.shadow import ShadowState, ShadowVerdict, decide_shadow
from gateway.gates.shadow_findings import PairColumns, PairFindings, SideColumns, measure
from gateway.stats.clustered_pairs import Paired

RUNS = 200
COVERAGE = 0.93
RATES = {"failed": 0.01, "unsafe": 0.02, "refused": 0.01, "misformed": 0.02}
"""Of the primary; most users never meet it and some often: a correlation of a fifth within users."""


@dataclass(frozen=True, slots=True)
class Truth:
    """
    How the shadow differs from the primary, and how large the experiment is.

    Attributes:
        n_users: Users; each has 1 to 100 pairs, 5 on average.
        latency: Ratio of times, the first token's and the whole answer's.
        cost: Ratio of costs.
        unsafe: Difference of rates of answers that are blocked or flagged; the primary's rate is 2 %.
        errors: Difference of failure rates; the primary's is 1 %.
        win_rate: The shadow's, of pairs that the judge decides by what they say; half of them are ties.
        first_bias: Share of votes that the judge gives to what stands first, whatever it says.
        similarity: How much less alike than the primary and itself.
    """

    n_users: int = 3_000
    latency: float = 1.0
    cost: float = 1.0
    unsafe: float = 0.0
    errors: float = 0.0
    win_rate: float = 0.5
    first_bias: float = 0.0
    similarity: float = 0.0


def pairs_of(truth: Truth, *, seed: int) -> tuple[PairColumns, PairColumns]:
    """Give a shadow's pairs, and noise pairs for a quarter of their requests."""
    chance = np.random.default_rng([41, seed])
    sizes = np.clip(chance.lognormal(1.1, 1.0, truth.n_users), 1, 100).astype(int)
    users = np.repeat(np.arange(truth.n_users), sizes)
    habits = {name: chance.beta(rate * 4, (1 - rate) * 4, truth.n_users)[users] for name, rate in RATES.items()}
    asked = chance.normal(0, 0.4, truth.n_users)[users]
    primary, shadow, again = (_side(one, users, asked, habits, chance) for one in (Truth(), truth, Truth()))
    is_noise = chance.random(len(users)) < 0.25
    pairs = _paired(truth, users, primary, shadow, chance)
    noise = _paired(Truth(first_bias=truth.first_bias), users, primary, again, chance)
    return pairs, _only(noise, is_noise)


def _side(truth: Truth, users: Any, asked: Any, habits: dict[str, Any], chance: Any) -> SideColumns:
    """Answer every request once; users differ in what they ask and meet, and in how they fare with either variant."""
    n = len(users)
    taste = chance.normal(0, 0.1, int(users[-1]) + 1)[users]

    def event(name: str, more: float = 0.0) -> Any:
        return (chance.random(n) < habits[name] + more).astype(float)

    failed = event("failed", truth.errors)
    answered = np.where(failed > 0, np.nan, 1.0)
    times = np.exp(asked + taste + chance.normal(0, 0.5, n)) * truth.latency
    tokens = np.exp(5 + asked + chance.normal(0, 0.4, n))
    return SideColumns(
        failed=failed,
        unsafe=event("unsafe", truth.unsafe) * answered,
        refused=event("refused") * answered,
        is_valid_format=(1 - event("misformed")) * answered,
        ttft_ms=300 * np.exp(chance.normal(0, 0.5, n) + taste) * truth.latency * answered,
        duration_ms=2_000 * times * answered,
        cost_usd=tokens * 1e-5 * truth.cost * answered,
        output_tokens=tokens * answered,
        n_chars=4 * tokens * answered,
    )


def _paired(truth: Truth, users: Any, primary: SideColumns, shadow: SideColumns, chance: Any) -> PairColumns:
    n, n_users = len(users), int(users.max()) + 1
    both = np.where(np.isnan(primary.duration_ms) | np.isnan(shadow.duration_ms), np.nan, 1.0)
    wins = chance.beta(truth.win_rate * 8, (1 - truth.win_rate) * 8, n_users)[users]
    content = np.where(chance.random(n) < 0.5, 0.0, np.where(chance.random(n) < wins, 1.0, -1.0))
    votes = [np.where(chance.random(n) < truth.first_bias, first, content) for first in (-1.0, 1.0)]
    alike = np.clip(chance.beta(6, 3, n) - truth.similarity, 0, 1)
    return PairColumns(
        units=users,
        primary=primary,
        shadow=shadow,
        similarity=alike * both,
        is_equal=(alike > 0.95) * both,
        has_other_fields=np.full(n, np.nan),
        has_other_tools=np.full(n, np.nan),
        primary_first=votes[0] * both,
        shadow_first=votes[1] * both,
    )


def _only(pairs: PairColumns, kept: Any) -> PairColumns:
    def side(columns: SideColumns) -> SideColumns:
        return SideColumns(**{name: getattr(columns, name)[kept] for name in SideColumns.__slots__})

    plain = {name: getattr(pairs, name)[kept] for name in PairColumns.__slots__ if name not in {"primary", "shadow"}}
    return replace(pairs, primary=side(pairs.primary), shadow=side(pairs.shadow), **plain)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is simulated, what must come of it, and the effects whose intervals must cover."""

    what: str
    truth: Truth
    state: ShadowState
    worse: tuple[str, ...] = ()
    better: tuple[str, ...] = ()


_WORSE = _Kind(
    "worse: unsafe 2 → 6 %, fails 1 → 4 %, 1.5 times as slow, twice the cost, wins 35 %",
    Truth(latency=1.5, cost=2.0, unsafe=0.04, errors=0.03, win_rate=0.35, similarity=0.15),
    ShadowState.WORSE,
    worse=("safety", "errors", "duration", "ttft", "cost", "quality"),
)
_BETTER = _Kind(
    "better: half the cost, 0.6 of the time, wins 65 %",
    Truth(latency=0.6, cost=0.5, win_rate=0.65, similarity=0.15),
    ShadowState.BETTER,
    better=("duration", "ttft", "cost", "quality"),
)
_MIXED = _Kind(
    "mixed: wins 65 %, twice the cost",
    Truth(cost=2.0, win_rate=0.65),
    ShadowState.MIXED,
    worse=("cost",),
    better=("quality",),
)
_BIASED = _Kind(
    "worse by quality alone (wins 35 %), the judge votes for what stands first 30 % of the time",
    Truth(win_rate=0.35, first_bias=0.3),
    ShadowState.WORSE,
    worse=("quality",),
)


def prove_shadows(scale: float) -> list[Row]:
    """
    Look at 200 experiments of each kind, and at 1,000 where an interval's coverage is measured.

    Of 200 runs a coverage of 95 % is known to ± 1.5 points, and there are thirty-two intervals: some of them would be
    seen below 93 % by chance alone.
    """
    runs = max(20, round(RUNS * scale))
    rows = []
    for kind in (_WORSE, _BETTER, _MIXED, _BIASED):
        rows += _found_rows(kind, runs * 5)
    rows += _equal_rows(runs * 5)
    rows.append(_exposed_row(runs, first_bias=0.3, is_exposed=True))
    rows.append(_exposed_row(runs, first_bias=0.0, is_exposed=False))
    rows.append(_small_row(runs))
    return rows


def seen(truth: Truth, seed: int) -> tuple[PairFindings, ShadowVerdict]:
    """Run one experiment."""
    pairs, noise = pairs_of(truth, seed=seed)
    found = measure(pairs, noise)
    return found, decide_shadow(found)


def _found_rows(kind: _Kind, runs: int) -> list[Row]:
    experiments = [seen(kind.truth, seed) for seed in range(runs)]
    n_state = sum(verdict.state is kind.state for _, verdict in experiments)
    rows = [_at_least(f"{kind.what}: called {kind.state.value}", n_state, runs, 0.95)]
    for names, flag in ((kind.worse, "is_worse"), (kind.better, "is_better")):
        for name in names:
            n = sum(
                any(one.name == name and getattr(one, flag) for one in verdict.findings) for _, verdict in experiments
            )
            rows.append(_at_least(f"… {name} {flag.replace('_', ' ')}", n, runs, 0.95))
    n_wrong = sum(_is_wrong(verdict, kind) for _, verdict in experiments)
    rows.append(Row("… any finding of the wrong sign", render_share(n_wrong, runs), "≤ 5 %", n_wrong / runs <= 0.05))
    for name, (read, true) in _truths(kind.truth).items():
        n = sum((known := read(found)) is not None and known.low <= true <= known.high for found, _ in experiments)
        rows.append(_at_least(f"… interval of {name} covers {true:g}", n, runs, COVERAGE))
    return rows


def _is_wrong(verdict: ShadowVerdict, kind: _Kind) -> bool:
    called = [(one.name, one.is_worse) for one in verdict.findings if one.is_worse or one.is_better]
    # A slow variant's slow end is slow too.
    return any(name.removesuffix("_p95") not in (kind.worse if is_worse else kind.better) for name, is_worse in called)


def _truths(truth: Truth) -> dict[str, tuple[Callable[[PairFindings], Paired | None], float]]:
    return {
        "errors": (lambda found: found.shadow.errors, truth.errors),
        "safety": (lambda found: found.shadow.safety, truth.unsafe),
        "cost": (lambda found: found.shadow.cost, truth.cost),
        "duration": (lambda found: found.shadow.duration, truth.latency),
        "ttft": (lambda found: found.shadow.ttft, truth.latency),
        "ttft p50": (lambda found: found.shadow.ttft_p50, truth.latency),
        "ttft p95": (lambda found: found.shadow.ttft_p95, truth.latency),
        "win rate": (lambda found: found.shadow.judged.win_rate if found.shadow.judged else None, truth.win_rate),
    }


def _equal_rows(runs: int) -> list[Row]:
    experiments = [seen(Truth(), 10_000 + seed) for seed in range(runs)]
    n_none = sum(verdict.state is ShadowState.NO_DIFFERENCE for _, verdict in experiments)
    n_called = sum(any(one.is_worse or one.is_better for one in verdict.findings) for _, verdict in experiments)
    n_less = sum((gap := found.beyond_noise.get("similarity")) is not None and gap.p < 0.05 for found, _ in experiments)
    return [
        _at_least("identical variants: called no difference", n_none, runs, 0.95),
        Row("… anything called worse or better", render_share(n_called, runs), "≤ 5 %", n_called / runs <= 0.05),
        Row("… less alike than the noise floor, p < 0.05", render_share(n_less, runs), "≤ 7 %", n_less / runs <= 0.07),
    ]


def _exposed_row(runs: int, *, first_bias: float, is_exposed: bool) -> Row:
    n = 0
    for seed in range(runs):
        _, verdict = seen(Truth(first_bias=first_bias), 20_000 + seed)
        n += any("prefers what stands first" in said for said in verdict.warnings)
    what = f"a judge that votes for what stands first {first_bias:.0%} of the time, identical variants: exposed"
    if is_exposed:
        return _at_least(what, n, runs, 0.95)
    return Row(what, render_share(n, runs), "≤ 5 %", n / runs <= 0.05)


def _small_row(runs: int) -> Row:
    n = sum(seen(Truth(n_users=60), 30_000 + seed)[1].state is ShadowState.INSUFFICIENT for seed in range(runs))
    return _at_least("identical variants, 60 users only: called insufficient", n, runs, 0.9)


def _at_least(what: str, n: int, runs: int, share: float) -> Row:
    return Row(what, render_share(n, runs), f"≥ {share:.0%}".replace("%", " %"), n / runs >= share)
