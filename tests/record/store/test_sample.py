"""Samples are small values that cross a socket."""

from __future__ import annotations

import msgspec

from gateway.record.store.sample import Sample


def test_crosses() -> None:
    """A sample comes out of the wire as it went in."""
    sample = Sample("sq1_x", 1, 2, "support", "r", 3, "a", 2**64 - 1, "question", "answer")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sample), type=Sample) == sample
