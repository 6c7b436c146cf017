"""Forms: bounded fields, and nowhere else to go."""

from __future__ import annotations

import pytest

from gateway.admin.pages.form import MAX_FIELD_CHARS, local_path
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "http://evil.example",
        "/a\r\nSet-Cookie: b",
        "javascript:1",
    ],
)
def test_foreign_paths_lead_home(path: str) -> None:
    """Whatever is no path of this port."""
    assert local_path(path) == "/"


async def test_long_field_is_refused() -> None:
    """With its name and the limit."""
    async with OperatorsPort(QuietOperations(), has_tokens=True) as port:
        status, text = await port.submit("/sign-in", token="x" * (MAX_FIELD_CHARS + 1), name="ana")
    assert status == 400 and str(MAX_FIELD_CHARS) in text
