"""A batch knows every outcome's number without sending it."""

import msgspec

from gateway.record.batch import Batch, EncodedBatch, decode_batch, join_batches, list_of_encoded
from gateway.record.outcome import Outcome
from gateway.record.store.rows import decode_outcomes
from tests.fakes.facts import batch_of


def sent(first: int, n_rows: int, *, worker: int = 0) -> Batch:
    """Give a batch as it arrives from a worker."""
    one = batch_of(first, n_rows, worker=worker)
    bodies = b"".join(msgspec.msgpack.encode(outcome) for outcome in one.outcomes)
    raw = msgspec.Raw(list_of_encoded(bodies, n_rows))
    return decode_batch(msgspec.msgpack.encode(EncodedBatch(one.worker, one.boot, first, raw)))


def test_crosses_unchanged() -> None:
    """Who sent it, from where on, and what."""
    batch = Batch(1, 2**63 - 1, 41, [Outcome(route="a"), Outcome(route="b")])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch) == batch


def test_remembers_its_bytes() -> None:
    """What came encoded is what was sent, and is not encoded again; a part of it has bytes of its own."""
    batch = sent(1, 5)
    assert batch == batch_of(1, 5) and batch.payload[:1] == b"\xdd"
    assert decode_outcomes(batch.part(2, 4).payload) == batch_of(3, 2).outcomes


def test_joins_what_follows() -> None:
    """Batches of one worker without a gap become one, no longer than told; their bytes say the same."""
    joined = join_batches([sent(1, 3), sent(4, 2), sent(6, 4), sent(11, 1), sent(12, 1, worker=1)], max_rows=6)
    assert joined == [batch_of(1, 5), batch_of(6, 4), batch_of(11, 1), batch_of(12, 1, worker=1)]
    assert [decode_outcomes(each.payload) for each in joined] == [each.outcomes for each in joined]


def test_joins_what_was_never_encoded() -> None:
    """Without a worker's bytes to put together they are made."""
    (joined,) = join_batches([batch_of(1, 2), sent(3, 1)], max_rows=9)
    assert decode_outcomes(joined.payload) == batch_of(1, 3).outcomes
