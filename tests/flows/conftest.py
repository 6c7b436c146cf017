"""What holds for flows: in CI nothing is skipped, and what a client needs is installed by the tests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.flows.rig.provider import ProviderProcess, provider


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where `CI` is set: there, what is not there has to be brought."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CI skips nothing: {reason}"
    return report


@pytest.fixture(name="sim", scope="module")
def _sim() -> Iterator[ProviderProcess]:
    """Give a simulated provider for a whole file."""
    with provider() as running:
        yield running


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    """Give a folder for a gateway."""
    return tmp_path / "gateway"
