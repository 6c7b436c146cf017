"""The page about the configuration."""

from __future__ import annotations

from typing import Any

from gateway.admin.operations import ConfigTexts
from gateway.admin.pages.config import MAX_DIFF_CHARS, around, diff_of
from tests.fakes.busy_operations import FILE, BusyOperations
from tests.fakes.operators_port import OPERATOR, VIEWER, OperatorsPort
from tests.fakes.quiet_operations import QuietOperations

WRONG: dict[str, Any] = {
    "file": "s.yaml", "line": 4, "column": 7, "key_path": "routes.support", "problem": "unknown field", "remedy": "",
}  # fmt: skip


async def test_in_use_is_shown() -> None:
    """Routes, arms and providers, and that the file is the same."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/config")
    assert status == 200 and "Version 9 is in use" in text and "the file is what is in use" in text
    assert "https://acme.example/v1" in text and 'href="/routes/support"' in text


async def test_refused_file_shows_its_place() -> None:
    """The problem, its line and the lines around it."""
    operations = BusyOperations()
    operations.findings = [WRONG]
    operations.texts = ConfigTexts(FILE, FILE.replace("m-1", "<m-2>"))
    async with OperatorsPort(operations) as port:
        text = (await port.get("/config"))[1]
    assert "The file is refused; version 9 goes on" in text and "s.yaml:4:7" in text
    assert '<span class="here"><b>   4</b>' in text and "&lt;m-2&gt;" in text and "<m-2>" not in text
    assert '<span class="drop">-' in text and '<span class="add">+' in text


async def test_viewers_see_no_text() -> None:
    """A file may hold prompts: who may only look sees neither its lines nor a form."""
    operations = BusyOperations()
    operations.findings = [WRONG]
    async with OperatorsPort(operations, has_tokens=True) as port:
        await port.sign_in(VIEWER, "vic")
        status, text = await port.get("/config")
        assert (await port.submit("/config/validate", text="a: 1"))[0] == 403
    assert status == 200 and "unknown field" in text and "m-1</bdi>" in text
    assert "<pre" not in text and "<textarea" not in text


async def test_text_is_tried() -> None:
    """A text is read, its faults shown with their lines, and it is still there; nothing is used."""
    async with OperatorsPort(BusyOperations(), has_tokens=True) as port:
        await port.sign_in(OPERATOR, "ana")
        status, wrong = await port.submit("/config/validate", page="/config", text="a: 1\r\nwrong: <b>\r\n")
        assert status == 200 and "1 thing is wrong" in wrong and "&lt;img src=x" in wrong and "<img src=x" not in wrong
        assert "<b>   2</b> wrong: &lt;b&gt;" in wrong and "a: 1\nwrong: &lt;b&gt;" in wrong
        right = (await port.submit("/config/validate", page="/config", text="a: 1"))[1]
        assert "Nothing is wrong with it" in right
        assert (await port.submit("/config/validate", text="a: 1"))[0] == 403


async def test_unreadable_and_unknown() -> None:
    """A file that is gone, and a text nobody kept, are said to be so."""
    operations = BusyOperations()
    operations.texts = ConfigTexts(FILE, None, "s.yaml cannot be read: gone")
    async with OperatorsPort(operations) as port:
        assert "s.yaml cannot be read: gone" in (await port.get("/config"))[1]
    operations.texts = ConfigTexts(None, FILE)
    async with OperatorsPort(operations) as port:
        assert "no text to hold the file against" in (await port.get("/config"))[1]
    async with OperatorsPort(QuietOperations()) as port:
        assert "Nothing is in use yet" in (await port.get("/config"))[1]


def test_place_and_difference() -> None:
    """Lines around a place stay within the text; a difference has an end."""
    assert [number for number, _, _ in around("a\n" * 9, 1)] == [1, 2, 3, 4]
    assert around("", 1) == [] == around("a", 0)
    assert diff_of("a", "a") == []
    assert diff_of("a" * (MAX_DIFF_CHARS + 1), "b")[0][0] == "place"
