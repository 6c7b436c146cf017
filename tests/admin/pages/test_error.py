"""Errors on pages are pages, and in the API they are JSON."""

from __future__ import annotations

import pytest

from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations


@pytest.mark.parametrize(("path", "is_page"), [("/nothing", True), ("/api/nothing", False), ("/ofrep/nothing", False)])
async def test_error_is_of_its_kind(path: str, is_page: bool) -> None:
    """By what was asked for, not by what failed."""
    async with OperatorsPort(QuietOperations()) as port, port.http.get(port.url + path) as response:
        assert response.status == 404
        assert (response.content_type == "text/html") is is_page


async def test_scripts_get_json() -> None:
    """Who does not ask for HTML gets none, wherever."""
    asked = {"Accept": "*/*"}
    async with (
        OperatorsPort(QuietOperations()) as port,
        port.http.get(port.url + "/nothing", headers=asked) as response,
    ):
        assert (await response.json())["error"]["code"] == "no_such_path"
