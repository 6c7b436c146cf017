"""An experiment's users, read in blocks by chance, are what the rows say, in both dialects."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from gateway.assign.bucketing import unit_hash_of
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.outcome import Fault, Safety
from gateway.record.experiment_query import Cell, ExperimentQuery, UnitBlock
from gateway.record.outcome import Outcome
from gateway.record.rollup import DAY_MS
from gateway.record.store import experiment
from gateway.record.store.experiment import estimate_units, read_experiment
from gateway.record.store.schema import signed
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, keep, outcome

DAY = NOW_UNIX_MS // DAY_MS
THUMBS = Metric("thumbs", MetricKind.BINARY)
SCORE = Metric("score", MetricKind.SCORE, attribution_s=3_600.0, range=(0, 1), good=0.7, catastrophic=0.2)
CURRENT, CONCISE = Cell(2, "current"), Cell(2, "concise")
QUERY = ExperimentQuery(
    "support-concise", (CURRENT, CONCISE), (THUMBS, SCORE), NOW_UNIX_MS - DAY_MS, NOW_UNIX_MS + DAY_MS
)


def seen(unit: int, arm: str, n: int = 1, **changes: Any) -> list[Outcome]:
    """Give a unit's requests."""
    return [outcome(unit, arm=arm, **changes) for _ in range(n)]


async def blocks_of(store: Store, query: ExperimentQuery = QUERY, **limits: Any) -> list[UnitBlock]:
    """Give all blocks."""
    return [block async for block in read_experiment(store.reader, query, **limits)]


async def block_of(store: Store, query: ExperimentQuery = QUERY) -> UnitBlock:
    """Give the only block."""
    [block] = await blocks_of(store, query)
    return block


async def test_requests_by_unit(store: Store) -> None:
    """Each unit once in its cell, with the sums of its day; in the order of the kept hashes."""
    high = 2**64 - 3
    outcomes = [
        *seen(7, "concise", 2, duration_ms=500.0),
        *seen(high, "current", fault=Fault.PROVIDER, status=500, safety=Safety.FLAGGED),
    ]
    await keep(store, [batch(*outcomes)], [])
    block = await block_of(store)
    assert block.exposures.units.tolist() == [signed(high), 7]
    assert block.exposures.cells.tolist() == [0, 1]
    assert block.segments == ((("plan", "pro"),),)
    assert block.days.days.tolist() == [DAY, DAY]
    sums = {name: column.tolist() for name, column in block.days.sums.items()}
    assert (sums["requests"], sums["provider_faults"], sums["unsafe"]) == ([1, 2], [1, 0], [1, 0])
    assert (sums["answered"], sums["duration_ms"], sums["output_tokens"]) == ([0, 2], [0, 1_000], [20, 40])


async def test_only_what_was_asked(store: Store) -> None:
    """Other epochs, arms and releases are left out, and who came before."""
    outcomes = [
        *seen(1, "concise"),
        *seen(2, "concise", epoch=3),
        *seen(3, "bold"),
        *seen(4, "concise", release="other"),
        *seen(5, "concise", unix_ms=NOW_UNIX_MS - 2 * DAY_MS),
    ]
    words = [feedback(f"f{unit}", unit_hash=unit) for unit in range(1, 6)]
    await keep(store, [batch(*outcomes)], words)
    block = await block_of(store)
    assert block.exposures.units.tolist() == block.days.units.tolist() == block.said["thumbs"].units.tolist() == [1]


async def test_two_arms_of_one_epoch(store: Store) -> None:
    """Whoever was in both is in neither, and counted; in two epochs it is another thing."""
    query = replace(QUERY, cells=(CURRENT, CONCISE, Cell(3, "concise")))
    outcomes = [*seen(1, "concise"), *seen(1, "current"), *seen(2, "current"), *seen(2, "concise", epoch=3)]
    await keep(store, [batch(*outcomes)], [feedback(unit_hash=1)])
    block = await block_of(store, query)
    assert (block.n_two_arms, block.exposures.units.tolist()) == (1, [2, 2])
    assert (block.days.units.tolist(), block.said["thumbs"].units.tolist()) == ([2, 2], [])


async def test_words_by_day(store: Store) -> None:
    """What was said is summed up by the day it counts from: when it was said, or when its window closed."""
    words = [
        feedback("a", unit_hash=1, value=1.0),
        feedback("b", unit_hash=1, value=0.0),
        feedback("c", unit_hash=1, value=1.0, at_unix_ms=NOW_UNIX_MS + DAY_MS),
        feedback("d", unit_hash=1, metric="score", value=0.1),
        feedback("e", unit_hash=1, metric="score", value=0.9),
        feedback("f", unit_hash=1, metric="score", value=0.9, is_late=True),
    ]
    await keep(store, [batch(*seen(1, "concise"))], words)
    block = await block_of(store, replace(QUERY, until_unix_ms=NOW_UNIX_MS + 2 * DAY_MS))
    thumbs, score = block.said["thumbs"], block.said["score"]
    assert (thumbs.days.tolist(), thumbs.counts.tolist(), thumbs.good.tolist()) == ([DAY, DAY + 1], [2, 1], [1, 1])
    assert (score.counts.tolist(), score.good.tolist(), score.catastrophic.tolist()) == ([2], [1], [1])
    assert score.totals.tolist() == pytest.approx([1.0])
    assert np.isnan(thumbs.catastrophic).all()


async def test_open_windows_do_not_count(store: Store) -> None:
    """What may still be outweighed by words to come is not read yet."""
    await keep(store, [batch(*seen(1, "concise"))], [feedback(unit_hash=1, metric="score", value=0.9)])
    soon = await block_of(store, replace(QUERY, until_unix_ms=NOW_UNIX_MS + 3_600_000))
    later = await block_of(store, replace(QUERY, until_unix_ms=NOW_UNIX_MS + 3_600_001))
    assert (len(soon.said["score"].units), len(later.said["score"].units)) == (0, 1)


async def test_history_is_what_was_said_before(store: Store) -> None:
    """Of any epoch, as far back as asked."""
    before = NOW_UNIX_MS - 3 * DAY_MS
    words = [
        feedback("a", unit_hash=1, epoch=1, value=1.0, at_unix_ms=before, exposed_unix_ms=before),
        feedback("b", unit_hash=1, epoch=1, value=0.0, at_unix_ms=before - 9 * DAY_MS, exposed_unix_ms=before),
    ]
    await keep(store, [batch(*seen(1, "concise"))], words)
    block = await block_of(store, replace(QUERY, history_s=7 * 86_400.0))
    history = {name: column.tolist() for name, column in block.history.items()}
    assert (history["units"], history["said.thumbs.count"], history["said.thumbs.total"]) == ([1], [1], [1])
    assert (await block_of(store)).history == {}


async def test_days_are_read_on_demand(store: Store) -> None:
    """Who only wants to know what was said pays for nothing else."""
    await keep(store, [batch(*seen(1, "concise"))], [])
    assert len((await block_of(store, replace(QUERY, with_days=False))).days.units) == 0


async def test_nobody(store: Store) -> None:
    """A release without users is one empty block."""
    await store.open()
    block = await block_of(store)
    assert (len(block.exposures.units), block.segments, block.n_two_arms) == (0, (), 0)


@pytest.mark.parametrize("n_cells_by_themselves", [0, 24])
async def test_blocks_part_the_users(store: Store, monkeypatch: pytest.MonkeyPatch, n_cells_by_themselves: int) -> None:
    """However many blocks, and however days are found, everybody is in one of them with all that is theirs."""
    monkeypatch.setattr(experiment, "BLOCK_UNITS", 100)
    monkeypatch.setattr(experiment, "CELLS_BY_THEMSELVES", n_cells_by_themselves)
    hashes = [unit_hash_of("s", f"user-{number}") for number in range(500)]
    chance = Random(1)
    arms = {unit: chance.choice(("concise", "current")) for unit in hashes}
    outcomes = [each for unit in hashes for each in seen(unit, arms[unit], 1 + unit % 3)]
    words = [feedback(f"{unit}", unit_hash=unit, arm=arms[unit]) for unit in hashes[::5]]
    await keep(store, [batch(*outcomes)], words)
    blocks = await blocks_of(store)
    assert len(blocks) == 5
    assert sorted(u for block in blocks for u in block.exposures.units.tolist()) == sorted(map(signed, hashes))
    assert sum(block.days.sums["requests"].sum() for block in blocks) == len(outcomes)
    assert sum(len(block.said["thumbs"].units) for block in blocks) == 100


async def test_some_of_many(store: Store) -> None:
    """A part of the users is a part of either arm, and the progress tells of them."""
    hashes = [unit_hash_of("s", f"user-{number}") for number in range(3_000)]
    outcomes = [each for n, unit in enumerate(hashes) for each in seen(unit, ("concise", "current")[n % 2])]
    await keep(store, [batch(*outcomes)], [])
    told: list[tuple[int, int]] = []
    [block] = await blocks_of(store, max_units=1_000, progress=lambda n, total: told.append((n, total)))
    n_read = len(block.exposures.units)
    assert 850 < n_read < 1_150
    assert abs(np.bincount(block.exposures.cells)[0] - n_read / 2) < 80
    assert told == [(n_read, max(n_read, 1_000))]
    assert await estimate_units(store.reader, QUERY) == 3_000
