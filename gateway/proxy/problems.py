"""Errors of our own as answers: their headers, and what they say."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.proxy.exchange import Headers

JSON_TYPE = (b"content-type", b"application/json")


def problem_headers(error: GatewayError, request_id: str) -> Headers:
    """Give the headers of an error made here."""
    headers: Headers = [JSON_TYPE]
    if request_id:
        headers += [(b"x-sluice-request-id", request_id.encode()), (b"x-request-id", request_id.encode())]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if error.status == 501:
        # The SDKs try anything from 500 up three times; this would be refused three times.
        headers.append((b"x-should-retry", b"false"))
    return headers


def unknown_model(model: str, names: tuple[str, ...]) -> str:
    """Say which routes there are, to somebody who asked for another."""
    shown = ", ".join(repr(name) for name in names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"No route is called {model[:64]!r}. Routes here: {shown}{more}."
