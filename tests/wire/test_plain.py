"""Plain events are known by their spelling, and only where nothing else can be in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.plain import PlainEvent, learn_plain, skip_plain, text_size

HEAD = b'data: {"id":"a","delta":{"content":"'
TURN = b'"},"finish_reason":null}\n\n'
EVENT = HEAD + b"Hi" + TURN
PADDED = HEAD + b"Hi" + b'"},"obfuscation":"xyz"}\n\n'


def learnt(event: bytes) -> PlainEvent:
    """Give the spelling of an event whose text begins behind HEAD."""
    plain = learn_plain(event, len(HEAD))
    assert plain is not None
    return plain


@pytest.mark.parametrize("event", [EVENT, PADDED])
@pytest.mark.parametrize("text", [b"", b"a", b"\\n", b'\\"', b'a\\"b\\"', "ß".encode(), b"\\\\"])
def test_same_spelling_is_skipped(event: bytes, text: bytes) -> None:
    """Whatever its text, an event that differs in nothing else is plain; so are many in a row."""
    other = event.replace(b"Hi", text).replace(b"xyz", b"x")
    assert skip_plain(learnt(event), other) == (len(other), 1)
    assert skip_plain(learnt(event), other * 3) == (len(other) * 3, 3)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"data: [DONE]\n\n",
        HEAD + b"a" + TURN.replace(b"null", b'"stop"'),
        HEAD + b'a","refusal":"no' + TURN,
        HEAD + b'\\\\","refusal":"no' + TURN,
        HEAD + b'a"},"usage":{"n":"' + TURN,
        EVENT.replace(b'"a"', b'"b"'),
        EVENT[:-1],
        HEAD + b"never closed",
    ],
)
def test_anything_else_is_not(other: bytes) -> None:
    """Another field, another value or another end is for somebody to look at."""
    assert skip_plain(learnt(EVENT), other) == (0, 0)
    assert skip_plain(learnt(EVENT), EVENT + other) == (len(EVENT), 1)


def test_padding_hides_nothing() -> None:
    """A padding that is followed by more is not skipped."""
    assert skip_plain(learnt(PADDED), PADDED.replace(b'xyz"', b'xyz","error":"x"')) == (0, 0)


@pytest.mark.parametrize("event", [EVENT[:-1], HEAD + b"cut", HEAD, HEAD + b"cut\n\n"])
def test_half_events_teach_nothing(event: bytes) -> None:
    """What has no end is not learnt from."""
    assert learn_plain(event, len(HEAD)) is None


@given(st.binary(max_size=30))
def test_own_spelling_is_known(text: bytes) -> None:
    """An event is plain by its own spelling, whatever bytes its text has."""
    escaped = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    event = HEAD + escaped + TURN
    assert text_size(event, len(HEAD)) == len(escaped)
    assert skip_plain(learnt(event), EVENT) == (len(EVENT), 1)
