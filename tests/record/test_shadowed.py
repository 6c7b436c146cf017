"""Increments cross as they are, with or without a day of their own."""

from __future__ import annotations

import msgspec

from gateway.record.shadowed import ShadowCount, Shadowed


def test_crosses() -> None:
    """What is counted is the same on the other side, and a sender that says no day is understood."""
    said = Shadowed([("support", "small", "answered", 2, 0.5)], 20_000)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=Shadowed) == said
    assert msgspec.convert([[["r", "v", "failed", 1, 0.0]]], Shadowed).day == 0
    count = ShadowCount(20_000, "support", "small", "answered", 2, 0.5)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([count]), type=list[ShadowCount]) == [count]
