"""What the demo runs beside itself: a simulated provider and a real gateway, in a folder that goes with them."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from gateway.clock import Clock, SystemClock
from gateway.errors import SluiceError
from gateway.processes.state import read_endpoints

START_WITHIN_S = 20.0
END_WITHIN_S = 4.0

_LOG_LINES = 15

# A demo that is killed outright takes its processes with it.
_BOOT = (
    "import sys; from gateway.processes.orphan import die_with_parent; die_with_parent(); "
    "from gateway.cli.main import main; sys.exit(main())"
)


class DemoError(SluiceError):
    """The demo cannot go on; the message says why."""


class Cast:
    """
    The processes, from `open` to the end of the `with` block.

    Attributes:
        folder: Temporary; gone at the end.
        config: The file the gateway watches.
        provider_url: With `/v1`; empty before `open`.
        gateway_url: Without `/v1`; empty before `open`.
        operators_url: Of the operators' port; empty before `open`.
    """

    def __init__(self, *, workers: int = 2, clock: Clock | None = None) -> None:
        self._temporary = TemporaryDirectory(prefix="sluice-demo-")
        self._clock = clock or SystemClock()
        self._workers = workers
        self._running: list[subprocess.Popen[bytes]] = []
        self.folder = Path(self._temporary.name)
        self.config = self.folder / "sluice.yaml"
        self.provider_url = self.gateway_url = self.operators_url = ""

    def __enter__(self) -> Self:
        """Give itself; nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and remove the folder, also when the second Ctrl-C comes."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._end_all()
        finally:
            self._temporary.cleanup()
            signal.signal(signal.SIGINT, before)

    async def open(self, render_config: Callable[[str], str], *, behaviour: str = "{}\n") -> None:
        """
        Start both and wait until they serve.

        Args:
            render_config: Gives the gateway's file, from the provider's base URL.
            behaviour: How the provider behaves, as `sluice provider --describe` reads it.

        Raises:
            DemoError: One of them did not start in time; the message ends with what it said.
        """
        described = self.folder / "provider.yaml"
        described.write_text(behaviour, encoding="utf-8")
        provider = self._start("provider", "--port", "0", "--describe", str(described))
        self.provider_url = await self._until(provider, "provider", self._said_by_provider)
        self.save(render_config(self.provider_url))
        state = self.folder / "state"
        ports = ("--port", "0", "--admin-port", "0", "--linger", "0", "--drain-timeout", "2")
        files = ("--config", str(self.config), "--state", str(state), "--workers", str(self._workers))
        gateway = self._start("serve", *files, *ports)
        endpoints = await self._until(gateway, "serve", lambda: read_endpoints(state))
        self.gateway_url, self.operators_url = endpoints.public, endpoints.operators

    def save(self, text: str) -> None:
        """Save the configuration as editors do: written beside, then renamed over."""
        draft = self.folder / ".sluice.yaml.draft"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.config)

    def status(self) -> dict[str, Any]:
        """Give what the operators' port says about the gateway."""
        status: dict[str, Any] = fetch_json(f"{self.operators_url}/api/status")
        return status

    def rollout(self, release: str) -> dict[str, Any]:
        """Give how a rollout stands; empty while there is none of this name."""
        rollout: dict[str, Any] = fetch_json(f"{self.operators_url}/api/rollouts/{release}")
        return {} if "error" in rollout else rollout

    def newest_entry(self, kind: str) -> dict[str, Any]:
        """Give the newest journal entry of a kind; empty where there is none."""
        journal = fetch_json(f"{self.operators_url}/api/journal?limit=100")
        return next((entry for entry in journal["entries"] if entry["kind"] == kind), {})

    def received(self, limit: int) -> list[dict[str, Any]]:
        """Give the newest requests as the provider got them."""
        received: list[dict[str, Any]] = fetch_json(
            f"{self.provider_url.removesuffix('/v1')}/sim/received?limit={limit}"
        )
        return received

    def report_shadow(self, route: str) -> tuple[dict[str, Any], Path]:
        """
        Have a shadow's report written where it outlives the demo; give it as JSON, and the file.

        Raises:
            DemoError: There is none.
        """
        file = Path(gettempdir()) / "sluice-shadow-report.html"
        self._run("report", "shadow", route, "--format", "html", "--out", str(file))
        report: dict[str, Any] = orjson.loads(self._run("report", "shadow", route, "--json"))
        return report, file

    def _run(self, *arguments: str) -> bytes:
        command = [sys.executable, "-m", "gateway", *arguments, "--state", str(self.folder / "state")]
        done = subprocess.run(
            command, capture_output=True, env=environment_of_cast(os.environ), timeout=30, check=False
        )
        if done.returncode not in (0, 1):
            message = f"`sluice {arguments[0]}` failed:\n{done.stderr.decode(errors='replace')}"
            raise DemoError(message)
        return done.stdout

    def log_of(self, command: str) -> str:
        """Give the last lines that a process wrote to its log."""
        with suppress(OSError):
            lines = (self.folder / f"{command}.log").read_text(errors="replace").splitlines()
            return "\n".join(lines[-_LOG_LINES:])
        return ""

    def _start(self, command: str, *flags: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command}.out").open("wb") as out, (self.folder / f"{command}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=environment_of_cast(os.environ),
                start_new_session=True,  # Ctrl-C is for the demo, which then ends them in order.
            )
        self._running.append(process)
        return process

    async def _until(self, process: subprocess.Popen[bytes], command: str, look: Callable[[], Any]) -> Any:
        """Give the first thing that `look` finds."""
        deadline_s = self._clock.now_s() + START_WITHIN_S
        while not (found := look()):
            if process.poll() is not None or self._clock.now_s() > deadline_s:
                ended = "ended at once" if process.poll() is not None else f"was not ready in {START_WITHIN_S:g} s"
                message = f"`sluice {command}` {ended}:\n{self.log_of(command)}"
                raise DemoError(message)
            await asyncio.sleep(0.02)
        return found

    def _said_by_provider(self) -> str:
        said = (self.folder / "provider.out").read_text()
        return said.strip() if said.endswith("\n") else ""

    def _end_all(self) -> None:
        # The gateway first: it finishes what it has while its provider still answers.
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment_of_cast(environ: Mapping[str, str]) -> dict[str, str]:
    """Give `environ` without what would make this gateway somebody's own: SLUICE_* settings and provider keys."""
    ours = {name: value for name, value in environ.items() if not name.startswith(("SLUICE_", "OPENAI_"))}
    return ours | {"PYTHONUNBUFFERED": "1"}


def fetch_json(url: str) -> Any:
    """
    Give what a GET on this machine answers; blocks, for at most 10 s: the operators' port is late after a start.

    Raises:
        DemoError: Nobody answers, or not with JSON.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10.0)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        return orjson.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
        message = f"{parts.netloc} does not answer: {error}"
        raise DemoError(message) from error
    finally:
        connection.close()
