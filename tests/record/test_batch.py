"""A batch knows every outcome's number without sending it."""

import msgspec

from gateway.record.batch import Batch
from gateway.record.outcome import Outcome


def test_crosses_unchanged() -> None:
    """Who sent it, from where on, and what."""
    batch = Batch(1, 2**63 - 1, 41, [Outcome(route="a"), Outcome(route="b")])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch) == batch
