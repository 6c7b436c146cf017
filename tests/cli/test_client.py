"""Which gateway is meant, and what is said when it does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.cli.client import OperatorsClient, UnreachableError, find_operators
from gateway.processes.state import Endpoints, open_state


class Answer(BaseHTTPRequestHandler):
    """Answers what the path says: /STATUS/BODY."""

    def do_GET(self) -> None:
        _, status, body = self.path.split("/", 2)
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write((body or '{"token": "' + self.headers.get("Authorization", "") + '"}').encode())

    do_POST = do_GET  # noqa: N815 - the standard library's naming

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """Give the URL of a server that answers what it is asked to."""
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_state_directory_knows(tmp_path: Path) -> None:
    """A running gateway is found through its state directory."""
    state = open_state(tmp_path / "s")
    state.write_endpoints(Endpoints("http://p", "http://o", 1))
    assert find_operators(None, tmp_path / "s", {}) == "http://o"
    assert find_operators(None, None, {"SLUICE_STATE": str(tmp_path / "s")}) == "http://o"
    assert find_operators("http://x/", tmp_path / "s", {}) == "http://x"
    state.close()


def test_environment_knows() -> None:
    """Without a state directory the environment or the usual port is meant."""
    nowhere = {"SLUICE_STATE": "/nowhere"}
    assert find_operators(None, None, nowhere) == "http://127.0.0.1:8081"
    assert (
        find_operators(None, None, nowhere | {"SLUICE_ADMIN_HOST": "::1", "SLUICE_ADMIN_PORT": "9"}) == "http://[::1]:9"
    )


def test_named_but_not_running(tmp_path: Path) -> None:
    """A state directory that was named but has no gateway is said so."""
    with pytest.raises(UnreachableError, match="sluice serve --state"):
        find_operators(None, tmp_path, {})


def test_token_is_shown(url: str) -> None:
    """The token goes along, and the body comes back parsed."""
    reply = OperatorsClient(url, token="t0ken").get("/200/")
    assert (reply.status, reply.body) == (200, {"token": "Bearer t0ken"})
    assert OperatorsClient(url).post("/422/").status == 422


@pytest.mark.parametrize(
    ("path", "hint"), [("/200/html", "not a Sluice operators' port"), ("/401/{}", "SLUICE_ADMIN_TOKEN")]
)
def test_odd_answers_explained(url: str, path: str, hint: str) -> None:
    """Something else behind the port, or no token: the way out is named."""
    with pytest.raises(UnreachableError, match=hint):
        OperatorsClient(url).get(path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "ftp://x"])
def test_nobody_there(url: str) -> None:
    """Nobody, or no URL, is UnreachableError and nothing else."""
    with pytest.raises(UnreachableError):
        OperatorsClient(url, timeout_s=2).get("/api/status")
