"""The composition root: what is joined to what, and what a worker must not load."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.domain.identity import Identity
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import TableHead, decode_table, encode_table
from gateway.settings.process import ProcessSettings
from gateway.wiring import explain_assignment, plan_of

ARMS = (Arm("a", Role.BASELINE, 5_000), Arm("b", Role.CANDIDATE, 5_000))
RANGES = (SlotRange(0, 5_000, 0), SlotRange(5_000, 10_000, 1))
RELEASE = Release("exp", ReleaseKind.SPLIT, Unit.USER, ARMS, RANGES)
TABLE = decode_table(
    encode_table(TableHead(3, "hash", {}, None, Identity(), bytes(32)), [Route("support", {}, RELEASE)])
)


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


def test_explains_an_assignment() -> None:
    """The same user gets the same arm, with slot and reason; no such route is None."""
    explained = explain_assignment(TABLE, "support", " ana ", {})
    assert explained is not None and explained == explain_assignment(TABLE, "support", "ana", {})
    assert explained["reason"] == "bucket" and explained["arm"] == ("a" if explained["slot"] < 5_000 else "b")
    assert explain_assignment(TABLE, "other", "ana", {}) is None


def test_strange_role_is_refused() -> None:
    """It is started by us, not by people: anything else is a usage error."""
    command = [sys.executable, "-m", "gateway.wiring", "dance"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))
    assert done.returncode == 2 and "not by people" not in done.stdout
