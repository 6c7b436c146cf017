"""Transport faults' scripts, without a socket."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.simulator.fault import SETTLE_S
from gateway.simulator.fault_transport import FAULTS
from gateway.simulator.faults import parse_order
from gateway.simulator.question import Api
from gateway.simulator.script import Close, Hang, Pause, Reply, Reset, Send, Step, render_whole

REPLY = Reply(200, (("content-type", "text/event-stream"),), (b"a" * 9, b"b", b"finish", b"done"), True, 1, 1)
SCRIPTS = {fault.name: fault.script for fault in FAULTS}


def steps_of(text: str, reply: Reply = REPLY) -> Sequence[Step]:
    """Give the steps of the fault asked for by `text`."""
    order = parse_order(text)
    script = SCRIPTS[order.name]
    assert script is not None
    return list(script(reply, order, Api.CHAT))


def sent(steps: Sequence[Step]) -> bytes:
    """Give all bytes sent."""
    return b"".join(step.data for step in steps if isinstance(step, Send))


@pytest.mark.parametrize(
    ("text", "end"), [("hang", Hang()), ("reset", Reset()), ("fin@after", Close()), ("garbage", Close())]
)
def test_fault_ends_its_way(text: str, end: Step) -> None:
    """Silence, RST or FIN."""
    assert steps_of(text)[-1] == end


def test_reset_lets_bytes_leave() -> None:
    """What was sent has left before the RST overtakes it."""
    assert steps_of("reset@mid")[-2] == Pause(SETTLE_S)


@pytest.mark.parametrize(
    "text", ["segments", "byte-by-byte", "drip:1", "drip@before:1", "slow-first-byte", "close-after"]
)
def test_harmless_faults_say_everything(text: str) -> None:
    """The bytes are those of the healthy reply, however cut."""
    assert sent(steps_of(text)) == render_whole(REPLY)


def test_drip_is_a_byte_a_time() -> None:
    """Every write is one byte, a second apart unless told otherwise."""
    assert Pause(1.0) in steps_of("drip@before")
    assert {len(step.data) for step in steps_of("drip@before") if isinstance(step, Send)} == {0, 1}


@pytest.mark.parametrize(("text", "claimed"), [("length-too-long", b"110"), ("length-too-short", b"5")])
def test_length_lies(text: str, claimed: bytes) -> None:
    """Ten bytes come, more or fewer are claimed."""
    assert b"content-length: " + claimed + b"\r\n" in sent(steps_of(text, Reply(200, (), (b"0123456789",))))


def test_headers_are_many_or_huge() -> None:
    """As many, and as large, as asked for."""
    assert sent(steps_of("headers-many:150")).count(b"x-extra-") == 150
    assert len(sent(steps_of("header-huge:70"))) > 70 * 1024


def test_interim_answers_precede() -> None:
    """100s and 103s first, then the answer."""
    run = sent(steps_of("interim-flood:10"))
    assert run.count(b"HTTP/1.1 10") == 10 and run.endswith(render_whole(REPLY))
