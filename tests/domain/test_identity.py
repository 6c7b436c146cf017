"""Sources print themselves as the file spells them."""

import pytest

from gateway.domain.identity import Source, SourceKind


@pytest.mark.parametrize(
    ("source", "spelling"),
    [
        (Source(SourceKind.HEADER, "x-user-id"), "header:x-user-id"),
        (Source(SourceKind.BODY, "metadata.user_id", ("metadata", "user_id")), "body:metadata.user_id"),
        (Source(SourceKind.FIRST_USER_MESSAGE), "first_user_message"),
        (Source(SourceKind.LAST_USER_MESSAGE), "last_user_message"),
    ],
)
def test_source_spelling(source: Source, spelling: str) -> None:
    """A source reads as it was written."""
    assert str(source) == spelling
