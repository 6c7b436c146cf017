"""Every fault, in every mode and phase, does to a real socket what it says it does."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from gateway.simulator.fault import Harm, Mode, Phase
from gateway.simulator.faults import FAULTS, Cell, every_cell, parse_order, peek_order, render_faults

QUICK = {"slow-first-byte": ":30", "drip": ":0", "long-line": ":1", "gzip-bomb": ":1"}


def meaning_of(body: bytes, mode: Mode) -> bool:
    """Give whether a body, framed however, says that it is finished."""
    return b'"finish_reason":"stop"' in body.replace(b"\r\n", b"")


@pytest.mark.parametrize("cell", every_cell(), ids=lambda cell: f"{cell.order}-{cell.mode.value}")
async def test_cell_does_its_harm(cell: Cell, client: Any) -> None:
    """A client sees the status, the silence, the break or the answer that the registry promises."""
    order = cell.order + QUICK.get(cell.fault.name, "")
    seen = await client.chat("gpt-x", stream=cell.mode is Mode.STREAM, headers=f"x-sim-fault: {order}\r\n")
    match cell.harm:
        case Harm.STATUS:
            assert seen.status >= 300
        case Harm.SILENT:
            assert seen.ended == "open" and not meaning_of(seen.body, cell.mode)
        case Harm.BROKEN if cell.fault.name not in ("two-lengths", "header-huge", "switching", "length-too-long"):
            assert seen.ended in ("eof", "reset") and not meaning_of(seen.body, cell.mode)
        case Harm.SAFETY:
            assert b"content_filter" in seen.body or b'"refusal":"' in seen.body
        case Harm.ERROR_EVENT:
            assert seen.status == 200 and b"The model crashed." in seen.body
        case Harm.WRONG | Harm.CUT if cell.fault.name != "length-too-short":
            assert seen.status == 200 and not meaning_of(seen.body, cell.mode)
        case Harm.NONE | Harm.SLOW if cell.fault.name not in ("gzip", "no-finish", "byte-by-byte", "odd-chunks"):
            assert meaning_of(seen.data, cell.mode)
        case _:
            assert seen.data
    assert client.provider.received[0].fault == order


async def test_gzip_is_gzip(client: Any) -> None:
    """The body unpacks to the healthy answer."""
    seen = await client.chat("fault-gzip")
    assert meaning_of(zlib.decompress(seen.body, wbits=31), Mode.UNARY)


async def test_reset_resets(client: Any) -> None:
    """An RST comes as one, not as an orderly end."""
    assert (await client.chat("fault-reset@mid", stream=True)).ended == "reset"
    assert (await client.chat("fault-fin@mid", stream=True)).ended == "eof"


async def test_events_before_fault(client: Any) -> None:
    """The argument says how many events come before the fault."""
    seen = await client.chat("fault-fin@mid:3", stream=True)
    assert seen.body.count(b"data: {") == 3


@pytest.mark.parametrize(
    ("header", "model", "system", "order"),
    [
        ("429:7", "fault-hang", "[[fault:500]]", "429:7"),
        (None, "fault-reset@mid:3", "[[fault:500]]", "reset@mid:3"),
        (None, "gpt-x", "Be kind. [[fault:hang@mid]] Always.", "hang@mid"),
        (None, "gpt-x", "Be kind.", None),
    ],
)
def test_order_comes_three_ways(header: str | None, model: str, system: str, order: str | None) -> None:
    """Header, then model name, then system prompt."""
    assert peek_order(header, model, system) == order


def test_order_is_parsed() -> None:
    """Name, phase and argument; the first phase is meant when none is named."""
    assert parse_order("reset@mid:3").phase is Phase.MID
    assert parse_order("429:7").number(1) == 7
    assert parse_order("drip").phase is Phase.MID


@pytest.mark.parametrize(("text", "says"), [("nope", "there are: hang"), ("429@after", "it has: before")])
def test_wrong_order_says_what_there_is(text: str, says: str) -> None:
    """An unknown fault or phase is refused with the list of known ones."""
    with pytest.raises(ValueError, match=says):
        parse_order(text)


def test_programme_is_large() -> None:
    """The fault programme's sixty cells are there, and each fault is listed with its sentence."""
    assert len(every_cell()) >= 120
    assert len(render_faults().splitlines()) == len(FAULTS)
    assert all(fault.summary for fault in FAULTS.values())
