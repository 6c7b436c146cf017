"""Tests for gateway.wire.target."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequestError
from gateway.wire.target import MAX_TARGET_BYTES, split_target


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", b""),
        (b"/v1/files", b"/v1/files", b""),
        (b"/v1/files/", b"/v1/files/", b""),
        (b"/v1/files?a=%2e%2e/..&b=//", b"/v1/files", b"?a=%2e%2e/..&b=//"),
        (b"/v1/files?", b"/v1/files", b"?"),
        (b"/v1/models/team%2Fsupport", b"/v1/models/team%2Fsupport", b""),
        (b"/v1/models/ft:gpt-4o:org::id", b"/v1/models/ft:gpt-4o:org::id", b""),
        (b"/v1/files/...", b"/v1/files/...", b""),
        (b"/v1/files/a..b", b"/v1/files/a..b", b""),
        (b"/v1/files/50%25", b"/v1/files/50%25", b""),
        (b"/v1/files/%E2%82%AC", b"/v1/files/%E2%82%AC", b""),
    ],
)
def test_passes_as_sent(target: bytes, path: bytes, query: bytes) -> None:
    """A plain path passes byte for byte; a query may hold anything."""
    assert split_target(target) == (path, query)


@pytest.mark.parametrize(
    "target",
    [
        *(b"", b"*", b"v1/files", b"http://host/v1", b"host:443", b"/v1/files#x", b"/v1/files?a#x"),
        *(b"/.", b"/..", b"/v1/..", b"/v1/../x", b"/v1/./x", b"/v1/%2e/x", b"/v1/%2E%2e/x", b"/v1/%2e./x"),
        *(b"/v1/x%2f..%2fy", b"/v1/%252e%252e/x", b"/v1/x%252f..%252fy", b"/v1/..;a=b/x", b"/v1/%2e%2e%3b/x"),
        *(b"//", b"//v1", b"/v1//x", b"/v1/x//", b"/v1/%2f/x", b"/v1/x%2f"[:-3] + b"%2f%2f"),
        *(b"/v1\\x", b"/v1/%5cx", b"/v1/%00", b"/v1/%0d%0a", b"/v1/%7f", b"/v1/%09", b"/v1/\x01"),
        b"/" + b"a" * MAX_TARGET_BYTES,
    ],
)
def test_ambiguous_is_refused(target: bytes) -> None:
    """What another server might read as a different path is a 400 of its own code."""
    with pytest.raises(BadRequestError) as caught:
        split_target(target)
    assert (caught.value.status, caught.value.code) == (400, "bad_target")


PIECES = st.sampled_from([b"/", b".", b"..", b"%2e", b"%2f", b"%25", b"a", b"v1", b";", b"\\", b"%5c", b"?", b"%"])


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_accepted_has_no_dots(path: bytes) -> None:
    """Whatever is accepted is what was sent, and decodes, once or twice, to no dot segment."""
    target = b"/" + path
    try:
        kept, query = split_target(target)
    except BadRequestError:
        return
    assert kept + query == target
    for decoded in (kept, unquote_to_bytes(kept), unquote_to_bytes(unquote_to_bytes(kept))):
        assert not {b".", b".."} & {segment.partition(b";")[0] for segment in decoded.split(b"/")}
