"""Frames survive any cutting of the stream, and nothing else passes for one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.record.batch import Batch
from gateway.record.frames import (
    MAX_FRAME_BYTES,
    Ack,
    FrameError,
    FrameReader,
    Hello,
    Kind,
    decode_payload,
    encode_frame,
)
from tests.fakes.facts import batch_of

FRAMES = [
    bytes(encode_frame(Kind.HELLO, Hello(1, 2**63 - 1, 77))),
    bytes(encode_frame(Kind.BATCH, batch_of(1, 3))),
    bytes(encode_frame(Kind.ACK, Ack(3))),
]


@given(st.lists(st.integers(0, len(b"".join(FRAMES))), max_size=8))
def test_cut_anywhere(cuts: list[int]) -> None:
    """However the bytes are cut, the same frames come out."""
    reader, stream, found = FrameReader(), b"".join(FRAMES), list[Kind]()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        found += [kind for kind, _ in reader.feed(stream[start:end])]
    assert found == [Kind.HELLO, Kind.BATCH, Kind.ACK]


def test_crosses_unchanged() -> None:
    """A batch is the same on the other side."""
    ((_, payload),) = FrameReader().feed(FRAMES[1])
    assert decode_payload(payload, msgspec.msgpack.Decoder(Batch)) == batch_of(1, 3)


def test_too_long_is_refused() -> None:
    """Neither is a frame over the bound made, nor is the length of one believed."""
    with pytest.raises(FrameError, match="over"):
        encode_frame(Kind.LOSSES, b"x" * MAX_FRAME_BYTES)
    with pytest.raises(FrameError, match="over"):
        list(FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4) + b"\x02"))


@given(st.binary(min_size=5, max_size=200))
def test_garbage_is_told(garbage: bytes) -> None:
    """Whatever comes is a frame, half a frame or a FrameError, and never anything else."""
    decoder = msgspec.msgpack.Decoder(Batch)
    try:
        for _, payload in FrameReader().feed(garbage):
            decode_payload(payload, decoder)
    except FrameError as error:
        assert str(error)


def test_half_a_frame_waits() -> None:
    """Nothing comes out before the last byte is there."""
    reader = FrameReader()
    assert list(reader.feed(FRAMES[0][:-1])) == []
    assert [kind for kind, _ in reader.feed(FRAMES[0][-1:])] == [Kind.HELLO]
