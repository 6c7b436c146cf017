"""Samples are small values that cross a socket."""

from __future__ import annotations

import msgspec

from gateway.record.sample import Sample

SAMPLE = Sample("sq1_x", 1, 2, "support", "r", 3, "a", 2**64 - 1, "question", "answer")


def test_crosses() -> None:
    """A sample comes out of the wire as it went in."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(SAMPLE), type=Sample) == SAMPLE


def test_keeps_quiet() -> None:
    """Its texts are not in logs."""
    assert repr([SAMPLE]) == "[<Sample of sq1_x>]"
