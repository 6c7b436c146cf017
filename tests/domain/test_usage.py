"""Usage counts what a provider told, and nothing it did not."""

from gateway.domain.usage import Usage


def test_details_default_to_none_used() -> None:
    """Most providers tell two numbers; neither cached nor reasoning tokens are assumed."""
    assert Usage(12, 34) == (12, 34, 0, 0)
