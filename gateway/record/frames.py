"""
What workers and the control process say to each other about facts: length-prefixed msgpack.

A frame is a length (4 bytes, big-endian), a kind (1 byte) and that many bytes of msgpack. Either end may be
of older code during a rolling restart, so new fields go to the end. Nothing here knows a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from struct import Struct
from typing import TypeVar

import msgspec

from gateway.record.batch import Batch, decode_batch
from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome
from gateway.record.shadowed import ShadowCount

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""A batch of 256 ordinary outcomes is about 100 KiB."""

SHADOW_SLOT = 65_535
"""What the shadow process calls itself among the workers: it hands over pairs and counts, and no outcomes."""

_HEAD = Struct(">IB")
_ENCODER = msgspec.msgpack.Encoder()

T = TypeVar("T")


class FrameError(Exception):
    """The other end speaks something else; the connection is of no use any more."""


class Kind(IntEnum):
    """What a frame says; the number is on the wire."""

    HELLO = 1
    BATCH = 2
    FEEDBACK = 3
    LOSSES = 4
    SAMPLE = 5
    PAIR = 6
    JUDGED = 7
    SHADOWED = 8
    ACK = 16
    RECEIPTS = 17
    COUNTED = 18


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to control, first of all: who speaks.

    Attributes:
        worker: The worker's slot.
        boot: 63 random bits, drawn when the worker was born.
        pid: Its process.
    """

    worker: int
    boot: int
    pid: int


class Losses(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to control: what it could not keep, since it was born, by reason.

    Attributes:
        by_reason: Outcomes; counts that only rise.
        samples: Samples, likewise.
        pairs: Pairs and late judgements, likewise.
    """

    by_reason: dict[str, int]
    samples: dict[str, int] = {}
    pairs: dict[str, int] = {}


class Ack(msgspec.Struct, array_like=True, frozen=True):
    """
    Control to worker: these need not be kept any more.

    Attributes:
        through: Sequence number of the last outcome that is settled; 0 for none.
    """

    through: int


class Summed(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to control: what became of copies, to be added to what is known; sent again until it is acknowledged.

    Attributes:
        number: 1 for a worker's first since it was born, and no gaps.
        counts: At least one.
    """

    number: int
    counts: list[ShadowCount]


class Counted(msgspec.Struct, array_like=True, frozen=True):
    """
    Control to worker: these sums are kept.

    Attributes:
        through: Number of the last one.
    """

    through: int


class Handed(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to control: feedback to keep.

    Attributes:
        ticket: Comes back with the receipts; the worker's own counting.
        feedback: At least one.
    """

    ticket: int
    feedback: list[Feedback]


class Receipts(msgspec.Struct, array_like=True, frozen=True):
    """
    Control to worker: what became of what was handed over.

    Attributes:
        ticket: As it was handed over.
        receipts: One per piece, in order; None when nothing was kept.
        retry_after_s: When trying again may help, for receipts that are None.
        problem: Why, for receipts that are None.
    """

    ticket: int
    receipts: list[Receipt] | None
    retry_after_s: int = 1
    problem: str = ""


def encode_outcome(outcome: Outcome, onto: bytearray, size: int) -> None:
    """
    Add an outcome to the end of `onto`, which is `size` bytes long.

    Raises:
        Exception: It holds what msgpack has no form for; `onto` may hold a part of it.
    """
    _ENCODER.encode_into(outcome, onto, size)


def encode_frame(kind: Kind, message: object) -> bytearray:
    """
    Give a message as a frame.

    Raises:
        FrameError: It is over MAX_FRAME_BYTES.
    """
    frame = bytearray(_HEAD.size)
    _ENCODER.encode_into(message, frame, _HEAD.size)
    size = len(frame) - _HEAD.size
    if size > MAX_FRAME_BYTES:
        message_text = f"a frame of {size} bytes is over {MAX_FRAME_BYTES}"
        raise FrameError(message_text)
    _HEAD.pack_into(frame, 0, size, kind)
    return frame


class FrameReader:
    """
    Cuts a stream of bytes into frames; holds one frame at most.

    >>> reader = FrameReader()
    >>> frame = encode_frame(Kind.ACK, Ack(7))
    >>> [*reader.feed(frame[:3]), *reader.feed(frame[3:])]
    [(<Kind.ACK: 16>, b'\\x91\\x07')]
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes | bytearray) -> Iterator[tuple[Kind, bytes]]:
        """
        Give the frames that are whole now.

        Raises:
            FrameError: A length over the bound, or an unknown kind.
        """
        held = self._held
        held += received
        start = 0
        try:
            while len(held) - start >= _HEAD.size:
                size, number = _HEAD.unpack_from(held, start)
                kind = _kind_of(size, number)
                end = start + _HEAD.size + size
                if len(held) < end:
                    return
                payload = bytes(memoryview(held)[start + _HEAD.size : end])
                start = end
                yield kind, payload
        finally:
            del held[:start]


def _kind_of(size: int, number: int) -> Kind:
    if size > MAX_FRAME_BYTES:
        message = f"a frame of {size} bytes is over {MAX_FRAME_BYTES}"
        raise FrameError(message)
    try:
        return Kind(number)
    except ValueError:
        message = f"no frame is of kind {number}"
        raise FrameError(message) from None


def decode_payload(payload: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    """
    Give the message of a frame.

    Raises:
        FrameError: It is not what its kind says.
    """
    return _decoded(payload, decoder.decode)


def decode_batch_frame(payload: bytes) -> Batch:
    """
    Give a BATCH frame's batch.

    Raises:
        FrameError: It is none.
    """
    return _decoded(payload, decode_batch)


def _decoded(payload: bytes, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        message = f"a frame does not hold what its kind says: {error}"
        raise FrameError(message) from error
