"""The frame of every page."""

from __future__ import annotations

import re

from gateway.admin.pages.shell import POLICY, asset_url, path_part
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations


def test_names_fit_into_paths() -> None:
    """Whatever a release is called, a link to it is one link."""
    assert path_part("../a?b#c/ü") == "..%2Fa%3Fb%23c%2F%C3%BC"


async def test_asks_nobody_else() -> None:
    """Every address on a page is a path of this port, and the policy allows nothing else."""
    async with OperatorsPort(QuietOperations()) as port, port.http.get(port.url + "/sessions") as response:
        text = await response.text()
        assert response.headers["Content-Security-Policy"] == POLICY
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', text)
    assert asset_url("sluice.css") in addresses
    assert [one for one in addresses if not one.startswith(("/", "#"))] == []


async def test_no_inline_anything() -> None:
    """Neither style nor script nor an event handler stands in the text."""
    async with OperatorsPort(QuietOperations()) as port:
        _, text = await port.get("/sessions")
    assert re.findall(r"<style|style=|<script>|\son\w+=", text) == []


async def test_words_are_escaped() -> None:
    """A path somebody was lured to is text, not markup."""
    async with OperatorsPort(QuietOperations()) as port:
        _, text = await port.get("/<script>alert(1)</script>")
    assert "<script>alert" not in text
