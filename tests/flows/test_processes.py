"""`sluice serve` as an operator meets it: real processes, real signals, the real command."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

CONFIG = """
version: 1
providers:
  local: {base_url: http://127.0.0.1:9/v1, auth: none}
routes:
  support:
    variants:
      current: {provider: local, model: a}
      concise: {provider: local, model: b}
    release:
      split: {arms: {current: 50%, concise: 50%}, baseline: current}
"""


class Gateway:
    """A running `sluice serve` in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "sluice.yaml"
        self.config.write_text(CONFIG)
        with (home / "log").open("w") as log:
            self.process = self.serve(stderr=log)

    def serve(self, **options: Any) -> subprocess.Popen[str]:
        """Start `sluice serve` here."""
        argv = ["serve", "--config", str(self.config), "--state", str(self.home / "state"), "--workers", "2"]
        ports = ["--port", "0", "--admin-port", "0", "--linger", "0.2"]
        command = [sys.executable, "-m", "gateway", *argv, *ports]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)

    def wait_ready(self) -> float:
        """Wait for the line that says so; give how long it took."""
        begun_s = time.monotonic()
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready on http://127.0.0.1:")
        return time.monotonic() - begun_s

    def sluice(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command against this gateway."""
        command = [sys.executable, "-m", "gateway", *arguments, "--state", str(self.home / "state")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> dict[str, Any]:
        """Give what the operators' port says."""
        _, body = fetch(self.endpoints()["operators"], "/api/status")
        return dict(orjson.loads(body))

    def endpoints(self) -> dict[str, str]:
        """Give what the state directory says."""
        return dict(orjson.loads((self.home / "state" / "endpoints.json").read_bytes()))

    def livez(self) -> int:
        """Give the public port's answer."""
        return fetch(self.endpoints()["public"], "/livez")[0]

    def readyz(self) -> int:
        """Give the public port's readiness, 0 when nobody listens."""
        try:
            return fetch(self.endpoints()["public"], "/readyz")[0]
        except (OSError, http.client.HTTPException):
            return 0

    def worker_pids(self) -> set[int]:
        """Give the pids of the serving workers."""
        return {worker["pid"] for worker in self.status()["workers"] if worker["state"] == "serving"}

    def child_pids(self) -> set[int]:
        """Give every child the parent has."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(pid) for pid in text.split()}

    def control_pid(self) -> int:
        """Give the child that is no worker."""
        (pid,) = self.child_pids() - {worker["pid"] for worker in self.status()["workers"]}
        return pid

    def close(self) -> None:
        """End it, however it stands."""
        self.process.kill()
        self.process.communicate(timeout=10)


def fetch(url: str, path: str) -> tuple[int, bytes]:
    """Give status and body of one GET."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def until(is_so: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until something is so."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for has."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Give a gateway that is ready."""
    gateway = Gateway(tmp_path)
    try:
        gateway.wait_ready()
        yield gateway
    finally:
        gateway.close()


def test_ready_soon(tmp_path: Path) -> None:
    """From the command to ready; `make bench` measures the two seconds promised."""
    gateway = Gateway(tmp_path)
    try:
        assert gateway.wait_ready() < 30
        assert (gateway.livez(), gateway.readyz(), gateway.status()["is_ready"]) == (200, 200, True)
    finally:
        gateway.close()


def test_killed_worker_replaced(gateway: Gateway) -> None:
    """After kill -9 of a worker the port answers on, and there are two again."""
    before = gateway.worker_pids()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    assert {gateway.livez() for _ in range(20)} == {200}
    until(lambda: len(gateway.worker_pids() - {victim}) == 2)
    assert len(gateway.worker_pids() & before) == 1


def test_killed_control_replaced(gateway: Gateway) -> None:
    """After kill -9 of control the workers are the same, and the operators' port is back."""
    before = gateway.worker_pids()
    os.kill(gateway.control_pid(), signal.SIGKILL)
    assert gateway.livez() == 200
    until(lambda: gateway.status()["version"] == 2)
    assert gateway.worker_pids() == before


def test_killed_parent_takes_all(gateway: Gateway) -> None:
    """After kill -9 of the parent no child is left within two seconds."""
    children = gateway.child_pids()
    gateway.process.kill()
    gateway.process.wait(5)
    until(lambda: all(is_gone(pid) for pid in children), timeout_s=2)
    assert len(children) == 3


def test_second_serve_refused(gateway: Gateway) -> None:
    """A second gateway on the same state directory says who has it, and leaves it alone."""
    second = gateway.serve(stderr=subprocess.PIPE)
    _, stderr = second.communicate(timeout=20)
    assert second.returncode == 2 and f"pid {gateway.process.pid}" in stderr
    assert gateway.readyz() == 200


def test_sigterm_drains(gateway: Gateway) -> None:
    """SIGTERM: not ready first, then nobody listens, then exit 0 and no child."""
    children, public = gateway.child_pids(), gateway.endpoints()["public"]
    gateway.process.terminate()
    until(lambda: fetch(public, "/readyz")[0] == 503, timeout_s=2)
    assert gateway.process.wait(15) == 0
    assert all(is_gone(pid) for pid in children)
    assert not (gateway.home / "state" / "endpoints.json").exists()


def test_rolling_restart(gateway: Gateway) -> None:
    """`sluice restart` replaces both workers while every request is answered."""
    before, statuses, is_over = gateway.worker_pids(), set[int](), threading.Event()

    def ask_on() -> None:
        while not is_over.is_set():
            statuses.add(gateway.livez())

    asking = threading.Thread(target=ask_on)
    asking.start()
    done = gateway.sluice("restart")
    is_over.set()
    asking.join()
    assert (done.returncode, statuses) == (0, {200})
    assert done.stdout.startswith("Restarted: 2 of 2 workers")
    until(lambda: len(gateway.worker_pids() - before) == 2)


def test_refused_start(tmp_path: Path) -> None:
    """A broken file at the start: findings, exit 2, nothing left behind."""
    (tmp_path / "broken.yaml").write_text("version: 1\nproviders: []\n")
    argv = ["serve", "--config", "broken.yaml", "--state", "state", "--port", "0", "--admin-port", "0"]
    command = [sys.executable, "-m", "gateway", *argv]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "broken.yaml:2:" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["broken.yaml"]


def test_sighup_reloads(gateway: Gateway) -> None:
    """SIGHUP applies what the file says now; every worker acknowledges."""
    gateway.config.write_text(CONFIG.replace("current: 50%, concise: 50%", "current: 60%, concise: 40%"))
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: {worker["version"] for worker in gateway.status()["workers"]} == {2})


def test_refused_reload_is_shown(gateway: Gateway) -> None:
    """A broken file changes nothing: `sluice reload` exits 1, `sluice status` shows the finding."""
    gateway.config.write_text(CONFIG.replace("50%", "40%"))
    done = gateway.sluice("reload")
    assert done.returncode == 1 and "make them 100%" in done.stderr
    shown = gateway.sluice("status")
    assert shown.returncode == 1 and "weights add up to 80%" in shown.stdout
    assert gateway.readyz() == 200


def test_newborn_while_control_stands_still(gateway: Gateway) -> None:
    """A worker born while control is stopped serves the last table."""
    control, victim = gateway.control_pid(), min(gateway.worker_pids())
    os.kill(control, signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    statuses = [gateway.readyz() for _ in range(30)]
    os.kill(control, signal.SIGCONT)
    assert set(statuses) == {200}
