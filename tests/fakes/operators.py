"""An operators' port that answers what it is told to, and notes what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import orjson


@dataclass
class Operators:
    """
    A port's answers and what it was asked.

    Attributes:
        url: Where it listens.
        answers: (status, body) by method and path without the query; 404 where there is none.
        asked: (method, path and query, body), in order.
        silent_s: It waits so long before it answers.
    """

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    silent_s: float = 0.0

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        """Note what is asked, and give the answer."""
        self.asked.append((method, target, orjson.loads(body) if body else None))
        time.sleep(self.silent_s)
        unknown = {"error": {"code": "no_such_release", "message": f"nothing at {target}"}}
        return self.answers.get(f"{method} {urlsplit(target).path}", (404, unknown))


@contextmanager
def operators() -> Iterator[Operators]:
    """Run such a port; nothing of it is left behind."""
    told = Operators()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, body = told.answer(self.command, self.path, self.rfile.read(length))
            content = orjson.dumps(body)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                return

        do_POST = do_GET  # noqa: N815 - the standard library's naming

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


DONE: dict[str, Any] = {
    "release": "support-v8",
    "is_repeated": False,
    "rollout": {"sentence": "concise on support is at 50 % of users.", "waits_for": "14 h more at 50%", "version": 8},
    "entries": [{"id": "support-v8-9"}],
    "version": 12,
    "acknowledged": 2,
    "workers": 2,
}
"""A command that was carried out."""

REFUSED: dict[str, Any] = {
    "error": {"code": "conflict", "message": "somebody changed it since"},
    "rollout": DONE["rollout"],
}
"""One that was not."""
