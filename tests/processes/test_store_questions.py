"""Children that read the store answer in JSON what they are asked in JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.clock import SettableClock
from gateway.gates.course import Turn
from gateway.gates.evidence import Evidence
from gateway.processes.release_facts import CourseQuestion
from gateway.processes.store_questions import answer_evidence, answer_turn
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.report.test_course_look import BANDIT


@pytest.fixture(name="store")
async def _store(tmp_path: Path) -> AsyncIterator[Store]:
    """Give an empty store."""
    store = Store(location_of(None, tmp_path), clock=SettableClock(unix_ms=1_790_000_000_000))
    await store.open()
    yield store
    await store.close()


async def test_evidence(store: Store) -> None:
    """Of an empty store there is none, and none of copies either."""
    query = EvidenceQuery("support", "current", "concise", ((1, 500, 9_500),), (1,), until_unix_ms=9)
    plain = msgspec.json.decode(await answer_evidence(store.reader, msgspec.json.encode(query)), type=Evidence)
    assert (plain.stage_units, plain.shadow) == (0, None)
    copied = replace(query, shadow_route="support")
    found = msgspec.json.decode(await answer_evidence(store.reader, msgspec.json.encode(copied)), type=Evidence)
    assert found.shadow is None


async def test_turn(store: Store) -> None:
    """A bandit without a user goes on exploring, with equal shares."""
    question = CourseQuestion(replace(BANDIT, phase=""), (), 1_790_000_000_000)
    turn = msgspec.json.decode(await answer_turn(store.reader, msgspec.json.encode(question)), type=Turn)
    assert (turn.phase, turn.is_news) == ("exploring", False)
    assert dict(turn.parts[1]) == {"x": 4_500, "y": 4_500}
