"""Hashes are kept signed and come back whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.record.store.schema import signed, unsigned


@given(st.integers(0, 2**64 - 1))
def test_hashes_come_back(unit_hash: int) -> None:
    """Any 64 bits fit what databases have, and come back."""
    assert -(2**63) <= signed(unit_hash) < 2**63
    assert unsigned(signed(unit_hash)) == unit_hash
