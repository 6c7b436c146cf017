"""The page of one route."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.fakes.busy_operations import HOSTILE, BusyOperations, live_numbers
from tests.fakes.operators_port import OperatorsPort


async def test_arms_side_by_side() -> None:
    """Every number of every arm, against the baseline, and where to read on."""
    operations = BusyOperations()
    operations.live = live_numbers()
    async with OperatorsPort(operations) as port:
        status, text = await port.get("/routes/support")
    assert status == 200 and "2.35 s" in text and "82 %" in text and "of 24" in text and "1.3 ×" in text
    assert 'href="/rollouts/support-v8"' in text and 'href="/routes/support/shadow"' in text
    assert 'href="/requests?route=support"' in text


@pytest.mark.parametrize(("route", "report"), [("sales", True), ("support", False), ("search", False)])
async def test_links_by_kind(route: str, report: bool) -> None:
    """An experiment has a report; a rollout or a fixed release has none of that name."""
    async with OperatorsPort(BusyOperations()) as port:
        text = (await port.get(f"/routes/{route}"))[1]
    assert (f"/routes/{route}/experiment" in text) is report


async def test_odd_names_are_reached() -> None:
    """A name with slashes, quotes and brackets has a page, and stays a name on it."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get(f"/routes/{quote(HOSTILE, safe='')}")
    assert status == 200 and "<img src=x" not in text


async def test_no_such_route() -> None:
    """A route that is not there is a page that says so."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/routes/other")
    assert status == 404 and "no route &#39;other&#39;" in text
