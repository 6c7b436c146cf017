"""The composition root: what is joined to what, and what a worker must not load."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.settings.process import ProcessSettings
from gateway.wiring import plan_of


def test_worker_stays_light() -> None:
    """Nothing heavy is loaded by what a worker loads."""
    code = (
        "import sys, gateway.wiring, gateway.processes.worker, gateway.proxy.server, gateway.telemetry.logs\n"
        "heavy = {'numpy','scipy','pydantic','yaml','sqlalchemy','rich','aiohttp','openai','watchfiles'}\n"
        "sys.exit(repr(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == "[]\n"


def test_token_is_on_no_command_line() -> None:
    """`ps` shows command lines to everybody, so the token travels in the environment."""
    plan = plan_of(ProcessSettings(admin_token="canary-canary-canary"), {})
    assert "canary" not in str(plan.worker_argv + plan.control_argv) + repr(plan)
    assert plan.environ["SLUICE_ADMIN_TOKEN"] == "canary-canary-canary"


def test_store_is_on_no_command_line() -> None:
    """Its address may hold a password."""
    plan = plan_of(ProcessSettings(store="postgresql://u:canary@h/d"), {})
    assert "canary" not in str(plan.worker_argv + plan.control_argv) + repr(plan)
    assert plan.environ["SLUICE_STORE"] == "postgresql://u:canary@h/d"


def test_strange_role_is_refused() -> None:
    """It is started by us, not by people: anything else is a usage error."""
    command = [sys.executable, "-m", "gateway.wiring", "dance"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))
    assert done.returncode == 2 and "not by people" not in done.stdout
