"""What need not be sent twice."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.admin.etag import tagged, tagged_json


def test_same_bytes_same_tag() -> None:
    """The tag follows from the bytes alone."""
    request = make_mocked_request("GET", "/")
    one, same, other = (tagged_json(request, {"n": n}).headers["ETag"] for n in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("before", ["", '"old", ', 'W/"old", '])
def test_known_is_not_sent(before: str) -> None:
    """Whoever has it gets 304 and no body, also among other tags."""
    etag = tagged(make_mocked_request("GET", "/"), b"x").headers["ETag"]
    known = make_mocked_request("GET", "/", headers={"If-None-Match": before + etag})
    response = tagged(known, b"x")
    assert (response.status, response.body, response.headers["ETag"]) == (304, None, etag)


def test_another_is_sent() -> None:
    """A tag of something else gets all of it; text says its alphabet."""
    known = make_mocked_request("GET", "/", headers={"If-None-Match": '"old"'})
    response = tagged(known, b"<p>", "text/html")
    assert (response.status, response.body) == (200, b"<p>")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
