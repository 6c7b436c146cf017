"""A reply's script says the right bytes at the right times."""

from __future__ import annotations

from gateway.simulator.script import Pause, Reply, Send, play_of, render_whole

STREAM = Reply(200, (("content-type", "text/event-stream"),), (b"a", b"b", b"c", b"end"), is_stream=True, n_start=1)


def test_unary_has_a_length() -> None:
    """One run of bytes, with its length."""
    assert render_whole(Reply(529, (), (b"xy",))) == b"HTTP/1.1 529 Site Overloaded\r\ncontent-length: 2\r\n\r\nxy"


def test_stream_is_chunked() -> None:
    """Each piece is a chunk, and the last chunk is empty."""
    assert render_whole(STREAM).endswith(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n3\r\nend\r\n0\r\n\r\n")


def test_instant_reply_is_one_write() -> None:
    """Nothing to wait for, nothing to split."""
    assert list(play_of(STREAM)) == [Send(render_whole(STREAM))]


def test_tokens_come_one_by_one() -> None:
    """Headers after the latency, the first token after its own time, the rest at the described pace."""
    slow = Reply(200, (), STREAM.pieces, is_stream=True, n_start=1, n_end=1, wait_s=0.5, first_s=0.2, gap_s=0.1)
    steps = list(play_of(slow))
    assert [step.seconds for step in steps if isinstance(step, Pause)] == [0.5, 0.2, 0.1]
    assert b"".join(step.data for step in steps if isinstance(step, Send)) == render_whole(slow)
