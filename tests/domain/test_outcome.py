"""The words for how a request ended are what reports and metrics print."""

from gateway.domain.outcome import Fault, Safety


def test_prints_as_its_word() -> None:
    """Both go into metrics and files as they are."""
    assert [f"{Fault.PROVIDER}", f"{Safety.INPUT_BLOCKED}"] == ["provider", "input_blocked"]
