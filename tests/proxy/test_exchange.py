"""Tests for gateway.proxy.exchange."""

from gateway.proxy.exchange import ClientRequest, Headers, first_values

HEADERS: Headers = [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]


def test_first_value_counts() -> None:
    """Of a header sent twice the first value is looked up, and both are kept in order."""
    request = ClientRequest(b"GET", b"/v1/files", b"?a=b", HEADERS, first_values(HEADERS))
    assert (request.header(b"x-a"), request.header(b"x-b"), request.header(b"x-c")) == (b"1", b"2", None)
    assert request.headers == HEADERS
