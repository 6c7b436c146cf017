"""What a running gateway leaves in its state directory for commands to find."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.processes.state import Endpoints, write_whole


def write_endpoints(state: Path, pid: int) -> None:
    """Say that a gateway of this process runs on `state`, where nobody answers."""
    endpoints = Endpoints("http://127.0.0.1:9", "http://127.0.0.1:9", pid)
    write_whole(state / "endpoints.json", msgspec.json.encode(endpoints))
