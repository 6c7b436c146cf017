"""A trace crosses to the control process as it was taken."""

import msgspec

from gateway.record.trace import AttemptSpan, Trace


def test_crosses_unchanged() -> None:
    """Attempts keep their order and their errors."""
    attempts = [AttemptSpan("a" * 16, 1.5, 20.0, "openai", status=503), AttemptSpan("b" * 16, 22.0, 9.0, "local")]
    trace = Trace("c" * 32, "", "d" * 16, "", attempts)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(trace), type=Trace) == trace
