"""What a shadow report says, before anybody renders it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.gates.shadow_verdict import ShadowState
from gateway.record.pair import Vote
from gateway.report.shadow_columns import table_of
from gateway.report.shadow_summary import ShadowReport, summarize_shadow
from gateway.report.shadow_telling import choose_telling, tell
from tests.fakes.pairs import COUNTS, World, pairs_of, texts_of


def summarized(world: World, **more: Any) -> ShadowReport:
    """Give a world's report, with every text kept."""
    table = table_of(pairs_of(world))
    texts = texts_of(table.pairs)
    telling = tell(choose_telling(table.pairs), texts)
    return summarize_shadow("bigger", table, COUNTS, telling, texts_kept=len(texts), **more)


@pytest.fixture(name="report", scope="module")
def _report() -> ShadowReport:
    """Give a shadow that refuses more often, and wins otherwise."""
    return summarized(World(n=3_000, n_users=600, refuses=0.15, wins=0.75, slower=1.1))


def test_verdict_first(report: ShadowReport) -> None:
    """Better and worse in one is for a person to weigh."""
    assert report.state is ShadowState.MIXED and "refuses more often" in report.headline
    assert (report.n_pairs, report.n_noise) == (3_000, 300) and report.first < report.last


def test_every_copy_is_told(report: ShadowReport) -> None:
    """What became of the copies adds up; noise is no copy of its own, and what was lost early counts."""
    assert [(one.name, one.n, one.is_sent) for one in report.results] == [
        ("answered", 580, True),
        ("failed", 20, True),
        ("worker_rows", 7, False),
    ]
    assert report.n_copies == 607 and report.usd == pytest.approx(1.31)


def test_judge(report: ShadowReport) -> None:
    """Votes are those both orders agree on; the rest are ties, and a variant against itself straddles a half."""
    judge = report.judge
    assert judge is not None and judge.win_rate is not None and judge.noise_win_rate is not None
    assert judge.n_wins > 2 * judge.n_losses and judge.n_inconsistent > 0
    assert judge.win_rate[1] > 0.7 and judge.noise_win_rate[1] < 0.5 < judge.noise_win_rate[2]
    assert judge.usd == pytest.approx(0.002 * (judge.n_judged + 0.7 * 300), rel=0.1)


def test_people_check_the_judge() -> None:
    """Labels that say what the judge said agree wholly; those of other requests are counted apart."""
    table = table_of(pairs_of(World(wins=0.6)))
    votes = {pair.request_id: pair.judgement.vote for pair in table.pairs if pair.judgement is not None}
    labels = {name: vote for name, vote in votes.items() if vote is not None} | {"elsewhere": Vote.TIE}
    report = summarize_shadow("bigger", table, COUNTS, labels=labels)
    agreement = report.judge.agreement if report.judge is not None else None
    assert agreement is not None and (agreement.share, agreement.kappa, agreement.n_unmatched) == (1.0, 1.0, 1)


def test_segments(report: ShadowReport) -> None:
    """Slices of users and the primary's arms, each with what it shows."""
    names = {row.name for row in report.segments}
    assert names == {"plan=free", "plan=trial", "arm=current", "arm=concise"}
    assert all(row.findings and row.n_pairs < report.n_pairs for row in report.segments)


def test_distributions(report: ShadowReport) -> None:
    """Similarity adds up to all pairs; latency is told at both ends; fields against the noise floor."""
    assert sum(report.similarity) == pytest.approx(1.0) and sum(report.noise_similarity) == pytest.approx(1.0)
    assert [round(theirs / ours, 1) for _, ours, theirs in report.latency] == [1.1] * 6
    assert report.fields[0].path == "$.items[].price" and report.fields[0].noise_share is not None


def test_nothing_yet() -> None:
    """A shadow whose copies all failed on the way has counts, and no pair."""
    report = summarize_shadow("bigger", table_of([]), COUNTS)
    assert (report.n_pairs, report.n_copies, report.judge, report.first) == (0, 607, None, "")
