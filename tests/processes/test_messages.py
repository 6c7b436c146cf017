"""What the processes say to each other survives the crossing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.processes.messages import (
    Ack,
    Drain,
    Fleet,
    Held,
    Hello,
    Latched,
    Refused,
    Restart,
    RestartReport,
    WorkerStatus,
    WorkerView,
    decode_message,
    decode_versioned,
    encode_message,
    encode_versioned,
)

MESSAGES = [
    Hello(3),
    Ack(4),
    WorkerStatus(2, {"served": 9}),
    Drain(1.0, 30.0),
    Refused(["a.yaml:1:1: no"]),
    Fleet([WorkerView(0, 10, "serving", 1.5, 0, 4, 2)], 1),
    Latched(3, {"support-v8": ["concise"]}, everything=True),
    Held(3),
    Restart(5),
    RestartReport(5, 2, 2, "", 810.5),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_come_back(message: object) -> None:
    """Every message survives the crossing."""
    assert decode_message(encode_message(message), type(message)) == message


def test_stranger_is_refused() -> None:
    """What is not the message expected raises."""
    with pytest.raises(msgspec.DecodeError):
        decode_message(b'{"version": "x"}', Ack)


@given(st.integers(0, 2**64 - 1), st.binary())
def test_version_travels_beside(version: int, table: bytes) -> None:
    """Version and table come back whatever they are."""
    assert decode_versioned(encode_versioned(version, table)) == (version, table)
