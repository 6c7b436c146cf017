"""Style and scripts: kept by browsers exactly as long as they are the same."""

from __future__ import annotations

import pytest

from gateway.admin.pages.assets import ASSETS
from gateway.admin.pages.shell import asset_url
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations


@pytest.mark.parametrize("name", sorted(ASSETS))
async def test_served_and_kept(name: str) -> None:
    """Under the address of this version; under another it is not kept."""
    async with OperatorsPort(QuietOperations(), has_tokens=True) as port:
        for address, is_kept in ((asset_url(name), True), (f"/assets/{name}?v=old", False)):
            async with port.http.get(port.url + address) as response:
                assert response.status == 200 and await response.read() == ASSETS[name].content
                assert ("immutable" in response.headers["Cache-Control"]) is is_kept
                assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.css", "..%2fshell.py", "%2e%2e%2fassets.py", "sluice.css%00"])
async def test_nothing_else_is_served(name: str) -> None:
    """No file but those."""
    async with OperatorsPort(QuietOperations()) as port:
        assert (await port.get(f"/assets/{name}"))[0] == 404
