"""What is promised about live numbers and reports."""

from __future__ import annotations

from gateway.admin.live_operations import Report


def test_report_says_what_is_missing() -> None:
    """A report that is not there yet has nothing in it but why."""
    report = Report(503, code="no_store", message="the store is away")
    assert (report.body, report.content_type, report.as_of_unix_ms) == (b"", "", 0)
