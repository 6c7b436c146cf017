"""Which answers can be read on the way."""

from __future__ import annotations

from gateway.proxy.upstream.response import UpstreamResponse


def is_encoded(response: UpstreamResponse) -> bool:
    """Say whether the body is compressed, against what was asked: then it is passed on unread."""
    encoding = response.first.get(b"content-encoding")
    return encoding is not None and encoding.lower() != b"identity"


def is_readable(response: UpstreamResponse) -> bool:
    """Say whether the whole answer can be read: now, or event by event."""
    return not is_encoded(response) and (response.is_whole or response.is_event_stream)
