"""The real `sluice serve` in a folder of its own: parent, control and two workers, and everything an operator does."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

ROOT = Path(__file__).resolve().parents[3]
STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 60.0


class GatewayProcess:
    """
    A gateway that can be started, stopped and started again on the same state.

    Attributes:
        home: Its folder: `sluice.yaml`, `state/` and `log`.
        config: The file it watches.
    """

    def __init__(self, home: Path, *, workers: int = 2, flags: tuple[str, ...] = ()) -> None:
        self.home = home
        self.config = home / "sluice.yaml"
        self.state = home / "state"
        self._workers = workers
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None
        self._endpoints: dict[str, Any] = {}

    def start(self) -> None:
        """Start it and wait until it is ready."""
        argv = ["serve", "--config", str(self.config), "--state", str(self.state), "--workers", str(self._workers)]
        ports = ["--port", "0", "--admin-port", "0", "--linger", "0.3", *self._flags]
        with (self.home / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *argv, *ports],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("ready on "), f"{line!r}\n{self.log()}"
        self._endpoints = orjson.loads((self.state / "endpoints.json").read_bytes())

    def stop(self) -> int:
        """End it as an operator does, and give its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(ENDS_WITHIN_S)
        finally:
            self.kill()
        return code

    def kill(self) -> None:
        """End every process of it, however it stands."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def kill_parent(self) -> None:
        """End the parent alone, with SIGKILL; its children end with it."""
        process = self._running()
        children = self.child_pids()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        deadline_s = time.monotonic() + 5.0
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        self.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send the parent a signal."""
        self._running().send_signal(number)

    def wait(self, timeout_s: float = ENDS_WITHIN_S) -> int:
        """Wait for its end; give the exit code."""
        return self._running().wait(timeout_s)

    def sluice(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of ours against it."""
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    def ask_operators(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Give status and JSON from the operators' port."""
        connection = http.client.HTTPConnection(urlsplit(self._endpoints["operators"]).netloc, timeout=120)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, orjson.loads(response.read())
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """Give what the operators' port says of it."""
        return dict(self.ask_operators("/api/status")[1])

    def reload(self) -> dict[str, Any]:
        """Read the file again, wait for the workers, and give the report."""
        return dict(self.ask_operators("/api/reload", "POST")[1])

    def restart(self) -> dict[str, Any]:
        """Replace the workers one by one, and give the report."""
        return dict(self.ask_operators("/api/restart", "POST")[1])

    def until(self, is_so: Callable[[dict[str, Any]], object], timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until the status says so, and give it."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            status = self.status()
            if is_so(status):
                return status
            assert time.monotonic() < deadline_s, f"did not come about: {status}"
            time.sleep(0.03)

    def write(self, text: str) -> None:
        """Put a file in place whole, as careful editors do."""
        draft = self.config.with_name(".draft")
        draft.write_text(text)
        draft.replace(self.config)

    def apply(self, text: str) -> dict[str, Any]:
        """Put a file in place and wait until every worker serves from it; it must be a good one."""
        self.write(text)
        report = self.reload()
        assert report["result"] != "refused", report
        version = report["version"]

        def is_served(status: dict[str, Any]) -> bool:
            serving = [worker["version"] for worker in status["workers"] if worker["state"] == "serving"]
            return serving == [version] * self._workers

        return self.until(is_served)

    def worker_pids(self) -> list[int]:
        """Give the pids of the serving workers."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == "serving"]

    def control_pid(self) -> int:
        """Give the pid of the control process."""
        (pid,) = self.child_pids() - set(self.worker_pids())
        return pid

    def child_pids(self) -> set[int]:
        """Give the pids of every child of the parent."""
        parent = self._running().pid
        return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}

    def until_back(self) -> None:
        """Wait until the operators' port answers again."""
        deadline_s = time.monotonic() + STARTS_WITHIN_S
        while True:
            with suppress(OSError, http.client.HTTPException):
                if self.status()["is_ready"]:
                    return
            assert time.monotonic() < deadline_s, "the control process did not come back"
            time.sleep(0.05)

    def log(self) -> str:
        """Give what it wrote to its log."""
        return (self.home / "log").read_text()

    @property
    def port(self) -> int:
        """Where apps connect."""
        return urlsplit(self._endpoints["public"]).port or 0

    @property
    def operators(self) -> str:
        """Where operators connect, as host:port."""
        return str(urlsplit(self._endpoints["operators"]).netloc)

    @property
    def base_url(self) -> str:
        """What to give a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it does not run"
        return self._process


@contextmanager
def gateway(home: Path, text: str, *, workers: int = 2, flags: tuple[str, ...] = ()) -> Iterator[GatewayProcess]:
    """Run a gateway of this configuration; no process of it is left behind."""
    home.mkdir(parents=True, exist_ok=True)
    process = GatewayProcess(home, workers=workers, flags=flags)
    process.config.write_text(text)
    try:
        process.start()
        yield process
    finally:
        process.kill()


async def aside(work: Callable[[], Any]) -> Any:
    """Do what blocks, such as an operator's command, while the load goes on."""
    return await asyncio.to_thread(work)
