"""Feedback crosses to the control process as the worker understood it."""

import msgspec

from gateway.record.feedback import Feedback


def test_crosses_unchanged() -> None:
    """Feedback by user has no arm yet, and keeps having none on the way."""
    said = Feedback("id-1", "thumbs", 1.0, None, "nice", 5, 6, "support", "support-v8", 2**64 - 1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=Feedback) == said
    assert said.arm is None
