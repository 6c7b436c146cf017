"""A real Prometheus, Debian's: from the system, or taken out of its package without installing it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import orjson

from tests.flows.rig.parts import debian_program

STARTS_WITHIN_S = 30.0

CONFIG = """global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: sluice
    {extra}
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def query(self, text: str) -> list[dict[str, Any]]:
        """Give the result of a query now."""
        return list(self._get(f"/api/v1/query?query={quote(text)}")["result"])

    def number(self, text: str) -> float:
        """Give the one number a query answers; 0 when it answers none."""
        result = self.query(text)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else 0.0

    def targets(self) -> list[dict[str, Any]]:
        """Give what it scrapes, with the last error of each."""
        return list(self._get("/api/v1/targets")["activeTargets"])

    def until(self, text: str, expected: float, timeout_s: float = 20.0) -> None:
        """Wait until a query answers a number."""
        deadline_s = time.monotonic() + timeout_s
        while (found := self.number(text)) != expected:
            assert time.monotonic() < deadline_s, f"{text} is {found}, not {expected}; {self.targets()}"
            time.sleep(0.2)

    def _get(self, path: str) -> dict[str, Any]:
        with urlopen(self._url + path, timeout=10) as response:
            return dict(orjson.loads(response.read())["data"])


@contextmanager
def prometheus(folder: Path, target: str, *, extra: str = "scheme: http") -> Iterator[Prometheus]:
    """Run one that scrapes `target` every second; `extra` is YAML of the scrape."""
    program = debian_program("prometheus", "usr/bin/prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target, extra=extra))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    listen = f"--web.listen-address=127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, *flags, listen], stdout=log, stderr=log, cwd=folder)
    try:
        running = Prometheus(port)
        _wait_ready(running, process, folder / "log")
        yield running
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder / "data", ignore_errors=True)


def promtool(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run promtool."""
    program = debian_program("prometheus", "usr/bin/promtool")
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, timeout=60, check=False)


def _wait_ready(running: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + STARTS_WITHIN_S
    while True:
        with suppress(OSError, URLError):
            running.targets()
            return
        assert process.poll() is None and time.monotonic() < deadline_s, log.read_text()[-2_000:]
        time.sleep(0.1)
