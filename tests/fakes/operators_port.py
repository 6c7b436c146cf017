"""The operators' port on loopback, with whatever answers behind it, and a browser's manners in front."""

from __future__ import annotations

import re
import socket
from typing import Any, Self

import aiohttp

from gateway.admin.operations import Operations
from gateway.admin.server import AdminServer
from gateway.admin.sessions import Sessions
from gateway.clock import Clock, SystemClock

OPERATOR, VIEWER = "operator-0123456789", "viewer-0123456789"
"""Tokens of a port that has them."""


class OperatorsPort:
    """
    Listens within an `async with` block.

    Attributes:
        url: Where.
        http: A client that keeps cookies, as a browser does.
        sessions: Those that are open.
    """

    def __init__(self, operations: Operations, *, has_tokens: bool = False, clock: Clock | None = None) -> None:
        tokens = [OPERATOR, VIEWER] if has_tokens else []
        self.url = ""
        self.sessions = Sessions(clock or SystemClock(), tokens)
        self._server = AdminServer(
            operations,
            token=OPERATOR if has_tokens else None,
            viewer_token=VIEWER if has_tokens else None,
            sessions=self.sessions,
        )
        self._sock = socket.create_server(("127.0.0.1", 0))

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._server.open(self._sock)
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept": "text/html"})
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self.http.close()
        await self._server.close()
        self._sock.close()

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        """Give status and text of a page; a redirect is followed unless told otherwise."""
        async with self.http.get(self.url + path, **options) as response:
            return response.status, await response.text()

    async def submit(self, path: str, *, page: str = "", csrf: bool = True, **fields: str) -> tuple[int, str]:
        """Send a form as a browser does: with our Origin and, unless told otherwise, the token found on `page`."""
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        if csrf and page:
            found = re.search(r'name="csrf" value="([^"]*)"', (await self.get(page))[1])
            fields |= {"csrf": found.group(1) if found else ""}
        options: dict[str, Any] = {"data": fields, "headers": headers, "allow_redirects": False}
        async with self.http.post(self.url + path, **options) as response:
            return response.status, response.headers.get("Location", "") or await response.text()

    async def sign_in(self, token: str = OPERATOR, name: str = "ana") -> int:
        """Sign in; give the status."""
        return (await self.submit("/sign-in", token=token, name=name, next="/sessions"))[0]
