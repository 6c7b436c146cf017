"""The section `identity`."""

from __future__ import annotations

import pytest

from gateway.domain.identity import Source, SourceKind
from gateway.settings.document.identity import source_of


def test_sources_are_spelled_back() -> None:
    """What is read prints as it was written, headers in lower case."""
    assert [str(source_of(text)) for text in ("header:X-A", "body:a.b", "first_user_message")] == [
        "header:x-a",
        "body:a.b",
        "first_user_message",
    ]
    assert source_of("body:a.b") == Source(SourceKind.BODY, "a.b", ("a", "b"))


@pytest.mark.parametrize("text", ["", "header:", "header:a b", "body:.a", "cookie:x", "header", 3])
def test_other_places_are_refused(text: object) -> None:
    """There is nowhere else to look."""
    with pytest.raises(ValueError, match="names no place"):
        source_of(text)
