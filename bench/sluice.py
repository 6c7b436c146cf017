"""The gateway, as its users start it: `python -m gateway serve`, two workers, everything on."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from bench.children import child
from bench.document import render_document
from bench.errors import BenchError
from bench.shape import Address

N_WORKERS = 2
READY_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.002


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    A running gateway.

    Attributes:
        pid: Its parent process; workers and control process are its children.
        address: Where apps connect.
        config: Its file, watched by it.
        ready_s: From its start until it answered.
    """

    pid: int
    address: Address
    config: Path
    ready_s: float


@contextmanager
def sluice(folder: Path, provider: Address, *, document: str | None = None) -> Iterator[Gateway]:
    """
    Run a gateway in front of `provider` while the block lasts.

    Args:
        folder: For its file, its state and its log; made anew for each gateway.
        provider: Where all its traffic goes.
        document: Its configuration, unless it is the usual one.

    Raises:
        BenchError: It did not become ready; the message holds the end of its log.
    """
    folder.mkdir(parents=True)
    config, state, log = folder / "sluice.yaml", folder / "state", folder / "log"
    config.write_text(document or render_document(provider))
    argv = [sys.executable, "-m", "gateway", "serve", "--config", str(config), "--state", str(state)]
    argv += ["--workers", str(N_WORKERS), "--port", "0", "--admin-port", "0", "--drain-timeout", "3", "--linger", "0"]
    began_s = time.monotonic()
    with child(argv, environ=_without_settings(), log=log) as process:
        address = _await_ready(process, state / "endpoints.json", log)
        yield Gateway(process.pid, address, config, time.monotonic() - began_s)


def _without_settings() -> dict[str, str]:
    """Give what keeps the settings of whoever runs the bench out of it: an empty one counts as none."""
    return {name: "" for name in os.environ if name.startswith("SLUICE_")}


def _await_ready(process: subprocess.Popen[bytes], endpoints: Path, log: Path) -> Address:
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if endpoints.exists():
            url = urlsplit(str(orjson.loads(endpoints.read_bytes())["public"]))
            address = Address(url.hostname or "127.0.0.1", url.port or 80)
            if _is_ready(address):
                return address
        time.sleep(_LOOK_EVERY_S)
    message = f"the gateway did not become ready:\n{log.read_text(errors='replace')[-3000:]}"
    raise BenchError(message)


def _is_ready(address: Address) -> bool:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
