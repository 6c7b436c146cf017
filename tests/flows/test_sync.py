"""Feedback is acknowledged after it is on disk and not before: what the kernel saw, in order."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.flows.rig.facts import FEEDBACK, METRICS
from tests.flows.rig.gateway import gateway
from tests.flows.rig.generations import generation
from tests.flows.rig.http import HttpClient
from tests.flows.rig.load import CHAT
from tests.flows.rig.parts import debian_program
from tests.flows.rig.provider import ProviderProcess

CALLS = "read,recvfrom,recvmsg,write,sendto,sendmsg,writev,pwrite64,fsync,fdatasync"
METRIC = "thumbs"


async def told(port: int) -> int:
    """Ask, give feedback, and give its status."""
    client = HttpClient(port)
    asked = await client.post(CHAT, {"model": "support", "messages": []}, {"x-user-id": "ana"})
    body = {"request_id": asked.headers["x-sluice-request-id"], "metric": METRIC, "value": True}
    reply = await client.post(FEEDBACK, body)
    client.close()
    return reply.status


def test_synced_before_acknowledged(sim: ProviderProcess, home: Path, tmp_path: Path) -> None:
    """The control process reads the feedback, writes the log, syncs it, and only then says that it is stored."""
    strace = debian_program("strace", "usr/bin/strace")
    with gateway(home, generation(sim.base_url, 0) + METRICS, workers=1) as running:
        running.until(lambda now: now["facts"]["store"] == "ok")
        seen = tmp_path / "calls"  # Not where the gateway watches: each line would be a change.
        flags = ["-f", "-yy", "-s", "5000", "-e", f"trace={CALLS}", "-o", str(seen), "-p", str(running.control_pid())]
        with subprocess.Popen([strace, *flags], stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stderr is not None
            assert "attached" in watching.stderr.readline()
            assert asyncio.run(told(running.port)) == 200
            time.sleep(0.1)
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=30)
    calls = seen.read_text().splitlines()

    def first(pattern: str, after: int) -> int:
        return next(at for at, call in enumerate(calls) if at > after and re.search(pattern, call))

    came = first(rf"(?:read|recv\w+)(?:\(| resumed>).*{METRIC}", -1)
    acknowledged = first(r"(?:write\w*|send\w+)\(\d+<UNIX.*stored", came)
    written = first(rf"pwrite64\(\d+<.*-wal.*{METRIC}", came)
    # Done, not begun: another thread's call may stand between the two.
    synced = first(r"f(?:data)?sync(?:\(\d+<.*-wal>\)| resumed>\)) += 0", written)
    assert came < written < synced < acknowledged
