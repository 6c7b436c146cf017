"""The journal's pages."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import get_args

import pytest

from gateway.admin.pages.journal import KINDS, N_SHOWN, TONES
from gateway.control.journal import DecisionKind, Entry
from tests.fakes.busy_operations import HOSTILE, BusyOperations
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations
from tests.processes.rollout_toys import entry


class Shelf:
    """A journal that holds what it is given, newest first."""

    def __init__(self, *kept: Entry) -> None:
        self._kept = list(kept)

    def entries(self, *, release: str | None = None, limit: int = 100) -> list[Entry]:
        """Give the newest."""
        return [each for each in self._kept if release in (None, each.release)][:limit]


def shown(text: str) -> list[str]:
    """Give the ids on a page, in its order."""
    return re.findall(r'href="/journal/([^"?]+)"', text)


def test_every_kind_can_be_asked_for() -> None:
    """A new kind of decision has to be in the list, and colours are of kinds there are."""
    assert set(KINDS) == {str(kind) for kind in DecisionKind} and TONES.keys() <= set(KINDS)
    assert not get_args(DecisionKind)


async def test_older_goes_through_all() -> None:
    """Page by page to the end, nothing twice and nothing left out."""
    async with OperatorsPort(BusyOperations()) as port:
        seen, path = list[str](), "/journal"
        while path:
            status, text = await port.get(path)
            assert status == 200
            seen += shown(text)
            older = re.search(r'href="([^"]+)" rel="next"', text)
            path = unescape(older.group(1)) if older else ""
    assert len(seen) == len(set(seen)) == 100 and N_SHOWN == 50


@pytest.mark.parametrize(
    ("query", "n_found"),
    [
        ("release=sales", 25), ("release=route:support", 50), ("kind=paused", 50), ("kind=promoted", 0), ("who=AN", 50),
        ("who=bob", 0), ("release=gone", 0),
    ],
)  # fmt: skip
async def test_filters(query: str, n_found: int) -> None:
    """By release or route, by kind, by part of a name."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get(f"/journal?{query}")
    assert status == 200 and len(shown(text)) == n_found
    assert n_found or "No decision fits" in text


async def test_unknown_place_is_said() -> None:
    """A page that begins after an entry nobody has says so."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/journal?before=nothing-1")
    assert status == 200 and "no entry" in text


async def test_empty_journal() -> None:
    """What will be written here, and when."""
    async with OperatorsPort(BusyOperations(journal=Shelf())) as port:
        assert "Nothing was decided yet." in (await port.get("/journal"))[1]
    async with OperatorsPort(QuietOperations()) as port:
        assert (await port.get("/journal"))[0] == 503


async def test_one_decision() -> None:
    """What, who, when, between which weights, and every number it stood on."""
    evidence = {"candidate_failing_users": 7, "ratio": 6.51234, "gates": [{"gate": "errors", "verdict": "fail"}]}
    one = replace(entry(3), kind=DecisionKind.ROLLED_BACK, from_weight=1_000, evidence=evidence, rule="e_process")
    async with OperatorsPort(BusyOperations(journal=Shelf(one))) as port:
        status, text = await port.get("/journal/support-v8-3")
        assert (await port.get("/journal/support-v8-4"))[0] == 404
    assert status == 200 and "10 % → 0 %" in text and "6.512" in text and "gates: errors" in text
    assert "sluice explain support-v8-3" in text


async def test_words_of_people_stay_words() -> None:
    """Names, reasons and evidence that look like markup are shown as they are."""
    one = replace(entry(3), who=HOSTILE, why=HOSTILE, sentence=HOSTILE, arm=HOSTILE, evidence={HOSTILE: HOSTILE})
    async with OperatorsPort(BusyOperations(journal=Shelf(one))) as port:
        for path in ("/journal", "/journal/support-v8-3", "/rollouts/support"):
            status, text = await port.get(path)
            assert status == 200 and "<img src=x" not in text and "&lt;img src=x" in text
