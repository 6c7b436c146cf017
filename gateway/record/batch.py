"""What crosses from workers to the store at once, and how the store is asked to keep it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from gateway.record.feedback import Feedback, Receipt
from gateway.record.lots import Lot, lots_of
from gateway.record.outcome import Outcome

_LIST_MARK = b"\xdd"
"""Begins a list in msgpack whose length takes four bytes; a worker's lists are all of this kind."""

_LIST_HEAD = 5

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Outcome]).decode


class StoreError(Exception):
    """Nothing of what was handed over was kept; the same may be handed over again."""


class RefusedError(StoreError):
    """
    Something of what was handed over can never be kept as it is, whoever tries how often.

    Nothing was kept. It does not say which it was: hand them over one by one, and let go of the one that is refused.
    """


class Batch(msgspec.Struct, array_like=True, frozen=True, dict=True):
    """
    Outcomes of one worker, in order and without gaps.

    Attributes:
        worker: The worker's slot.
        boot: 63 random bits, drawn when the worker was born.
        first: Sequence number of the first outcome; a worker's first is 1. With `worker` and `boot` it makes
            every outcome known, so that one handed over twice is kept once.
        outcomes: At least one.
    """

    worker: int
    boot: int
    first: int
    outcomes: list[Outcome]

    def part(self, start: int, end: int) -> Batch:
        """Give the outcomes from `start` to before `end`, 0 being the first, as a batch of their own."""
        return Batch(self.worker, self.boot, self.first + start, self.outcomes[start:end])

    @cached_property
    def payload(self) -> bytes:
        """
        Its outcomes as msgpack, as they came where they came encoded.

        Raises:
            OverflowError: There is a number of more than 64 bits in them.
            UnicodeEncodeError: There is text in them that is none.
        """
        return _encode(self.outcomes)

    @cached_property
    def lots(self) -> list[Lot]:
        """Its outcomes in lots, sorted once for all who count them."""
        return lots_of(self.outcomes)


class EncodedBatch(msgspec.Struct, array_like=True, frozen=True):
    """
    A Batch whose outcomes are encoded already; on the wire there is no difference.

    Attributes:
        worker: As in Batch.
        boot: As in Batch.
        first: As in Batch.
        outcomes: A list of them.
    """

    worker: int
    boot: int
    first: int
    outcomes: msgspec.Raw


_decode_encoded = msgspec.msgpack.Decoder(EncodedBatch).decode


def decode_batch(payload: bytes) -> Batch:
    """
    Give the batch that a frame holds; it remembers its outcomes' bytes, so that they need not be encoded again.

    Raises:
        MsgspecError: It holds none.
    """
    encoded = _decode_encoded(payload)
    batch = Batch(encoded.worker, encoded.boot, encoded.first, _decode(encoded.outcomes))
    batch.__dict__["payload"] = bytes(encoded.outcomes)
    return batch


def join_batches(batches: Iterable[Batch], *, max_rows: int) -> list[Batch]:
    """Give the same outcomes in fewer batches: those of one worker that follow on each other are one, to `max_rows`."""
    runs: list[list[Batch]] = []
    for batch in batches:
        run = runs[-1] if runs else []
        n_rows = sum(len(each.outcomes) for each in run)
        if run and _follows(batch, run[0], n_rows) and n_rows + len(batch.outcomes) <= max_rows:
            run.append(batch)
        else:
            runs.append([batch])
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _follows(batch: Batch, first: Batch, n_rows: int) -> bool:
    return (batch.worker, batch.boot, batch.first) == (first.worker, first.boot, first.first + n_rows)


def _joined(run: Sequence[Batch]) -> Batch:
    outcomes = [outcome for batch in run for outcome in batch.outcomes]
    batch = Batch(run[0].worker, run[0].boot, run[0].first, outcomes)
    payloads = [each.payload for each in run]
    if all(payload[:1] == _LIST_MARK for payload in payloads):
        bodies = b"".join([payload[_LIST_HEAD:] for payload in payloads])
        batch.__dict__["payload"] = list_of_encoded(bodies, len(outcomes))
    return batch


def list_of_encoded(encoded: bytes | bytearray, count: int) -> bytes:
    """Give `count` encoded outcomes, one behind the other, as a list."""
    return _LIST_MARK + count.to_bytes(4) + encoded


class FactStore(Protocol):
    """Keeps facts; `record.store` is the real one."""

    async def keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt]:
        """
        Keep all of it, durably, or nothing.

        Must not be cancelled: whoever may be cancelled shields it.

        Returns:
            One receipt per piece of feedback, in order.

        Raises:
            RefusedError: Nothing was kept, and of all of it together nothing ever will be.
            StoreError: Nothing was kept.
        """
        ...
