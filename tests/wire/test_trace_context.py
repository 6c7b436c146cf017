"""Trace context: exactly the standard's, and no request harmed by a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.trace_context import (
    is_unsampled,
    parse_traceparent,
    parse_tracestate,
    put_context,
    render_traceparent,
    without_context,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01".encode()
HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    ("raw", "is_sampled"),
    [
        (VALID, True),
        (VALID[:-2] + b"00", False),
        (VALID[:-2] + b"ff", True),
        (VALID[:-2] + b"02", False),
        (b"01" + VALID[2:], True),
        (b"cc" + VALID[2:] + b"-what-the-future-brings", True),
        (b"cc" + VALID[2:] + b"-", True),
    ],
)
def test_valid_parents(raw: bytes, is_sampled: bool) -> None:
    """The ids and the flag are read, of later versions as well."""
    assert parse_traceparent(raw) == (TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"00",
        VALID.upper(),
        VALID + b"-",
        VALID + b"-more",
        b"01" + VALID[2:] + b"more",
        b"ff" + VALID[2:],
        b"ff" + VALID[2:] + b"-more",
        VALID.replace(TRACE.encode(), b"0" * 32),
        VALID.replace(SPAN.encode(), b"0" * 16),
        VALID.replace(b"0a", b"0g"),
        VALID.replace(b"-", b"_"),
        VALID[:-1],
        VALID[1:],
        b" " + VALID,
        VALID + b"\n",
        b"0-" + VALID[3:],
        VALID[:-2] + b"0G",
        VALID[:-2] + "0٣".encode(),
    ],
)
def test_invalid_parents(raw: bytes) -> None:
    """Whatever is not exactly right is as if it had not come."""
    assert parse_traceparent(raw) is None
    assert not is_unsampled(raw)


@pytest.mark.parametrize("cut", range(len(VALID)))
def test_cut_anywhere(cut: int) -> None:
    """No beginning of a header is a header."""
    assert parse_traceparent(VALID[:cut]) is None


@given(st.text(HEX, min_size=32, max_size=32), st.text(HEX, min_size=16, max_size=16), st.booleans())
def test_round_trip(trace_id: str, span_id: str, is_sampled: bool) -> None:
    """What is rendered is read again, but for the ids that must not be."""
    raw = render_traceparent(trace_id, span_id, is_sampled=is_sampled)
    is_allowed = bool(trace_id.strip("0") and span_id.strip("0"))
    assert parse_traceparent(raw) == ((trace_id, span_id, is_sampled) if is_allowed else None)
    assert is_unsampled(raw) == (is_allowed and not is_sampled)


@given(st.binary(max_size=80))
def test_no_bytes_raise(raw: bytes) -> None:
    """Any bytes at all are read or refused."""
    assert parse_traceparent(raw) is None or raw[2:3] == b"-"
    assert parse_tracestate([raw]) is not None


@pytest.mark.parametrize(
    ("values", "joined"),
    [
        ([b"rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"),
        ([b"a=1", b"b=2"], "a=1,b=2"),
        ([b" a=1 ,\t, b=2 "], "a=1,b=2"),
        ([b"fw529a3039@dt=FfIgfgo;x:y"], "fw529a3039@dt=FfIgfgo;x:y"),
        ([b"0tenant@sys=x"], "0tenant@sys=x"),
        ([b"a= 1"], "a= 1"),
        ([b""], ""),
        ([], ""),
        ([",".join(f"k{i}=v" for i in range(32)).encode()], ",".join(f"k{i}=v" for i in range(32))),
    ],
)
def test_valid_states(values: list[bytes], joined: str) -> None:
    """All headers become one, in their order."""
    assert parse_tracestate(values) == joined


@pytest.mark.parametrize(
    "value",
    [
        b"A=1",
        b"a",
        b"a=",
        b"=1",
        b"a=1=2",
        b"a=1,a=2",
        b"a=\x01",
        b"a=\xff",
        b"a b=1",
        b"@a=1",
        b"a" * 257 + b"=1",
        b"a=" + b"1" * 257,
        b"a=1\r\nx-evil: 1",
        ",".join(f"k{i}=v" for i in range(33)).encode(),
        ",".join(f"k{i}={'v' * 256}" for i in range(32)).encode(),
    ],
)
def test_invalid_states(value: bytes) -> None:
    """One wrong member, and none is taken; nothing can add a header."""
    assert parse_tracestate([value]) == ""


def test_context_is_replaced() -> None:
    """A head has the attempt's context, once, and the client's is gone."""
    client = [(b"accept", b"*/*"), (b"traceparent", VALID), (b"tracestate", b"a=b")]
    assert without_context(client) == [(b"accept", b"*/*")]
    head = put_context(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n", VALID)
    assert head == b"POST / HTTP/1.1\r\nhost: a\r\ntraceparent: " + VALID + b"\r\n\r\n"
