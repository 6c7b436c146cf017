"""The page that shows requests as they finish."""

from __future__ import annotations

import pytest

from gateway.admin.pages.assets import ASSETS
from tests.fakes.busy_operations import BusyOperations, live_numbers
from tests.fakes.operators_port import OperatorsPort


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/requests", "/api/tail"),
        ("/requests?route=support", "/api/tail?route=support"),
        ("/requests?route=other", None),
    ],
)
async def test_names_its_stream(path: str, address: str | None) -> None:
    """Of all routes, of one, and of none where there is no such route."""
    operations = BusyOperations()
    operations.live = live_numbers()
    async with OperatorsPort(operations) as port:
        status, text = await port.get(path)
    assert status == 200 and ("data-tail=" in text) is (address is not None)
    assert f'data-tail="{address}"' in text if address else "There is no route" in text


async def test_says_that_it_needs_scripts() -> None:
    """Without scripts it says so, and gives the command that does the same."""
    operations = BusyOperations()
    operations.live = live_numbers()
    async with OperatorsPort(operations) as port:
        assert "<noscript>" in (await port.get("/requests"))[1]


async def test_nothing_to_watch_yet() -> None:
    """Where nothing hands requests on, the page says so and loads no script for it."""
    async with OperatorsPort(BusyOperations()) as port:
        text = (await port.get("/requests"))[1]
    assert "cannot be watched yet" in text and "tail.js" not in text


def test_script_writes_text_only() -> None:
    """No word from outside can become markup: nothing in the script makes any."""
    source = ASSETS["tail.js"].content.decode()
    assert not [
        word for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(") if word in source
    ]
