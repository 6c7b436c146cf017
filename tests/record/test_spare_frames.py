"""Spare frames are few, small, in order, and counted where they are not kept."""

from __future__ import annotations

from gateway.record.frames import Kind, encode_frame
from gateway.record.spare_frames import SpareFrames


def test_bounds() -> None:
    """What does not fit, by rows, bytes or form, is dropped and counted; the rest goes in order and makes room."""
    spare, sent = SpareFrames(max_rows=2, max_bytes=40), list[bytearray]()
    offered = ["a", "x" * 40, "\ud800", "b", "c"]
    assert [spare.offer(Kind.PAIR, each) for each in offered] == [True, False, False, True, False]
    assert spare.dropped == {"worker_bytes": 1, "worker_unfit": 1, "worker_rows": 1} and spare.n_noted == 5
    while spare:
        spare.send_next(sent.append)
    assert sent == [encode_frame(Kind.PAIR, "a"), encode_frame(Kind.PAIR, "b")]
    assert spare.offer(Kind.PAIR, "x" * 30)
