"""One small request per variant."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest

from gateway.cli.probe import probe_variants
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text

_REFUSAL = {
    "error": {"message": "No max_tokens, sk-secret-key", "code": "unsupported_parameter", "param": "max_tokens"}
}


class _Picky(HTTPServer):
    """A provider that refuses `max_tokens` and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, _Picky)
        self.server.bodies.append(body)
        self.server.keys.append(self.headers["authorization"])
        answer = orjson.dumps(_REFUSAL if "max_tokens" in body else {"choices": []})
        self.send_response(400 if "max_tokens" in body else 200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[_Picky]:
    """Give a running provider."""
    with _Picky() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _compiled(port: int, folder: Path) -> Compiled:
    text = f"""\
version: 1
providers:
  p: {{base_url: "http://127.0.0.1:{port}/v1", api_key_env: KEY}}
  c: {{base_url: "http://h", auth: client}}
routes:
  r:
    variants:
      old: {{provider: p, model: m}}
      new: {{provider: p, model: n, params: {{set: {{max_completion_tokens: 9}}}}}}
      theirs: {{provider: c}}
    release: {{fixed: {{variant: old}}}}
"""
    environ = {"KEY": "sk-secret-key"}
    return compile_text(
        text, name="f", folder=folder, environ=environ, version=1, seal_key=bytes(32), previous=Allocations()
    )


def test_refusals_are_shown(provider: _Picky, tmp_path: Path) -> None:
    """Each variant is asked once, as it would rewrite; keys are sent, and never shown."""
    probes = probe_variants(_compiled(provider.server_port, tmp_path))
    assert [str(probe) for probe in probes] == [
        "refused  r/old: 400, code unsupported_parameter, param max_tokens, No max_tokens, …",
        "ok       r/new: 200",
        "ok       r/theirs: not asked: it is called with the client's own key",
    ]
    assert [(body["model"], key) for body, key in zip(provider.bodies, provider.keys, strict=True)] == [
        ("m", "Bearer sk-secret-key"),
        ("n", "Bearer sk-secret-key"),
    ]
