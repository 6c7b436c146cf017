"""What is sent before a fault strikes."""

from __future__ import annotations

import pytest

from gateway.simulator.fault import Harm, Mode, Order, Phase, bytes_until, trickle
from gateway.simulator.faults import FAULTS
from gateway.simulator.script import Pause, Reply, Send

STREAM = Reply(200, (), (b"1", b"2", b"3", b"finish", b"done"), is_stream=True, n_start=1, n_end=1)
UNARY = Reply(200, (), (b"0123456789",))


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        (Order("x", Phase.BEFORE), b""),
        (Order("x", Phase.MID), b"1\r\n1\r\n1\r\n2\r\n"),
        (Order("x", Phase.MID, "1"), b"1\r\n1\r\n"),
        (Order("x", Phase.MID, "99"), b"1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n"),
        (Order("x", Phase.AFTER), b"1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n6\r\nfinish\r\n"),
    ],
)
def test_stream_is_cut_between_events(order: Order, sent: bytes) -> None:
    """Never after the finish while in the middle; after it, without `[DONE]` and the last chunk."""
    assert bytes_until(STREAM, order).partition(b"\r\n\r\n")[2] == sent


@pytest.mark.parametrize(("argument", "sent"), [("", b"01234"), ("2", b"01"), ("99", b"012345678")])
def test_unary_is_cut_between_bytes(argument: str, sent: bytes) -> None:
    """Half, or as many as asked for, but never all."""
    assert bytes_until(UNARY, Order("x", Phase.MID, argument)).endswith(b"\r\n\r\n" + sent)


def test_unary_has_no_tail() -> None:
    """After the last byte of a unary body there is nothing left to harm."""
    assert FAULTS["reset"].harm(Mode.UNARY, Phase.AFTER) is Harm.NONE
    assert FAULTS["reset"].harm(Mode.STREAM, Phase.AFTER) is Harm.TAIL


def test_number_has_a_default() -> None:
    """An argument that is no number counts as none."""
    assert (Order("x", Phase.MID, "7").number(3), Order("x", Phase.MID, "fast").number(3)) == (7, 3)


def test_trickle_loses_nothing() -> None:
    """All bytes, in writes of the size, a pause after each."""
    steps = list(trickle(b"abcde", size=2, gap_s=0.1))
    assert [step.data for step in steps if isinstance(step, Send)] == [b"ab", b"cd", b"e"]
    assert steps[1] == Pause(0.1)
