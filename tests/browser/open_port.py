"""The operators' port on loopback with the browser beside it, and a page that tells what it should not have said."""

from __future__ import annotations

import asyncio
import threading

from playwright.sync_api import Browser, Dialog, Page

from tests.fakes.busy_operations import BusyOperations
from tests.fakes.operators_port import OperatorsPort

PATIENCE_S = 30.0


class Gateway:
    """The operators' port on a thread of its own, for the browser has this one."""

    def __init__(self, operations: BusyOperations | None = None) -> None:
        self.operations = operations or BusyOperations()
        self.url = ""
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def open(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._is_up.wait(PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        async with OperatorsPort(self.operations) as port:
            self.url = port.url
            self._is_up.set()
            await self._end.wait()


def visited(browser: Browser, width: int = 1_280, scheme: str = "light") -> tuple[Page, list[str]]:
    """Give a page, and what it says that it should not: policy violations, errors and dialogs."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))

    def note_dialog(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note_dialog)
    return page, said
