"""Pairs as columns: what is known, and NaN for what is not."""

from __future__ import annotations

from dataclasses import fields
from math import isnan

import msgspec
import orjson
import pytest

from gateway.domain.outcome import Fault, Safety
from gateway.gates.shadow_findings import SideColumns
from gateway.gates.shadow_verdict import ShadowState
from gateway.record.pair import Side
from gateway.report.shadow_columns import columns_of, shadow_evidence_of, table_of, verdict_of
from tests.fakes.pairs import World, pairs_of, side

NOT_KNOWN = None


def shown(value: float) -> float | None:
    """Give None for NaN."""
    return NOT_KNOWN if isnan(value) else value


@pytest.mark.parametrize(
    ("seen", "failed", "unsafe", "refused"),
    [
        (side("b"), 0, 0, 0),
        (side("b", safety=Safety.REFUSED), 0, 0, 1),
        (side("b", safety=Safety.FLAGGED), 0, 1, 0),
        (Side("b", 400, safety=Safety.INPUT_BLOCKED), 0, 1, 0),
        (Side("b", 500, fault=Fault.PROVIDER), 1, NOT_KNOWN, NOT_KNOWN),
        (side("b", is_truncated=True), 1, NOT_KNOWN, NOT_KNOWN),
        (Side("b", 400, fault=Fault.CLIENT), NOT_KNOWN, NOT_KNOWN, NOT_KNOWN),
    ],
)
def test_what_a_side_was(seen: Side, failed: float | None, unsafe: float | None, refused: float | None) -> None:
    """A failure has no safety to speak of, a block is no failure, and a client's mistake is neither."""
    found = columns_of([msgspec.structs.replace(pairs_of(World(n=1))[0], shadow=seen)]).shadow
    assert (shown(found.failed[0]), shown(found.unsafe[0]), shown(found.refused[0])) == (failed, unsafe, refused)


def test_columns_are_whole() -> None:
    """Every column has a number per pair, and users' 64 bits are told apart."""
    table = table_of(pairs_of(World(n=200)))
    columns = columns_of(table.pairs)
    lengths = {len(getattr(columns.primary, one.name)) for one in fields(SideColumns)} | {len(columns.units)}
    assert lengths == {200} and len(set(columns.units.tolist())) == len({pair.unit_hash for pair in table.pairs})
    assert len(table.noise) == 20


@pytest.mark.parametrize(
    ("world", "state"),
    [
        (World(n=3_000, n_users=600, refuses=0.2), ShadowState.WORSE),
        (World(n=3_000, n_users=600, wins=0.8), ShadowState.BETTER),
        (World(n=60), ShadowState.INSUFFICIENT),
    ],
)
def test_verdict(world: World, state: ShadowState) -> None:
    """Known differences are found with the right sign; few pairs prove nothing."""
    assert verdict_of(table_of(pairs_of(world))).state is state


def test_evidence_for_a_stage() -> None:
    """A rollout's gate gets the verdict in words and numbers that JSON can hold; without a pair nothing."""
    evidence = shadow_evidence_of(table_of(pairs_of(World(n=3_000, n_users=600, refuses=0.2))))
    assert evidence is not None and (evidence.state, evidence.n_pairs) == ("worse", 3_000)
    assert any(one["name"] == "refusals" for one in orjson.loads(orjson.dumps(evidence.findings)))
    assert shadow_evidence_of(table_of([])) is None


def test_nothing_at_all() -> None:
    """Without a pair there is no verdict, and no fault either."""
    assert verdict_of(table_of([])).state is ShadowState.INSUFFICIENT
