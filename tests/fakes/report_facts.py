"""Reports on the operators' port without a child process: those a test brings, and everything else refused."""

from __future__ import annotations

from gateway.admin.live_operations import Report

MADE_UNIX_MS = 1_790_000_000_000


class ReportFacts:
    """
    Implements `admin.live_operations.ReportOperations`.

    Attributes:
        asked: Every question so far: kind, name and format.
    """

    def __init__(self, **files: str | Report) -> None:
        """Make it of what each kind comes to: a file, or anything else there is to say."""
        self.asked: list[tuple[str, str, str]] = []
        self._files = files

    async def report(self, kind: str, name: str, format_: str) -> Report:
        """Give what it was made of; 409 where that is nothing."""
        self.asked.append((kind, name, format_))
        found = self._files.get(kind)
        if found is None:
            return Report(409, code=f"no_{kind}", message=f"{name!r} has no {kind} to report on")
        if isinstance(found, Report):
            return found
        return Report(200, found.encode(), "text/html", as_of_unix_ms=MADE_UNIX_MS)
