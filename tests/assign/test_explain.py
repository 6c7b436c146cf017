"""Why a user gets an arm, as it is told."""

from __future__ import annotations

from gateway.assign.explain import explain_assignment
from gateway.domain.identity import Identity
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import TableHead, decode_table, encode_table

ARMS = (Arm("a", Role.BASELINE, 5_000), Arm("b", Role.CANDIDATE, 5_000))
RANGES = (SlotRange(0, 5_000, 0), SlotRange(5_000, 10_000, 1))
RELEASE = Release("exp", ReleaseKind.SPLIT, Unit.USER, ARMS, RANGES)
TABLE = decode_table(
    encode_table(TableHead(3, "hash", {}, None, Identity(), bytes(32)), [Route("support", {}, RELEASE)])
)


def test_explains_an_assignment() -> None:
    """The same user gets the same arm, with slot and reason; no such route is None."""
    explained = explain_assignment(TABLE, "support", " ana ", {})
    assert explained is not None and explained == explain_assignment(TABLE, "support", "ana", {})
    assert explained["reason"] == "bucket" and explained["arm"] == ("a" if explained["slot"] < 5_000 else "b")
    assert explain_assignment(TABLE, "other", "ana", {}) is None
