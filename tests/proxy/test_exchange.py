"""Tests for gateway.proxy.exchange."""

from gateway.proxy.exchange import ClientRequest, Headers, first_values
from gateway.proxy.whole import WholeRequests

HEADERS: Headers = [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]


def test_first_value_counts() -> None:
    """Of a header sent twice the first value is looked up, and both are kept in order."""
    request = ClientRequest(b"GET", b"/v1/files", b"?a=b", HEADERS, first_values(HEADERS))
    assert (request.header(b"x-a"), request.header(b"x-b"), request.header(b"x-c")) == (b"1", b"2", None)
    assert request.headers == HEADERS


def test_lines_of_what_is_allowed() -> None:
    """Doubles go on where they are allowed; one read or several, what goes on is the same but for its spelling."""
    request = ClientRequest(b"GET", b"/v1/files", b"", HEADERS, first_values(HEADERS))
    assert request.lines_of(frozenset({b"x-a"})) == b"x-a: 1\r\nx-a: 3\r\n"
    assert request.lines_of(frozenset()) == b""
    whole = WholeRequests().parse(
        b"POST /v1/x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 2\r\n\r\n{}", is_loopback=False
    )
    assert whole is not None
    assert whole.lines_of(frozenset({b"x-a", b"host"})) == b"Host: h\r\nX-A: 1\r\n"
    assert whole.lines_of(frozenset()) == b""
