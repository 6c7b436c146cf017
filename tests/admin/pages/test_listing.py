"""The list of pages."""

from __future__ import annotations

from gateway.admin.api import ENDPOINTS
from gateway.admin.pages.listing import PAGES


def test_pages_say_that_they_are() -> None:
    """Each is a page, no endpoint is, and no address is given twice."""
    assert all(one.is_page for one in PAGES) and not any(one.is_page for one in ENDPOINTS)
    addresses = [(one.method, one.path) for one in (*PAGES, *ENDPOINTS)]
    assert len(addresses) == len(set(addresses))
