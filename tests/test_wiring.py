"""The composition root: what is joined to what, and what a worker must not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gateway.domain.identity import Identity
from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.table import TableHead, decode_table, encode_table
from gateway.settings.process import ProcessSettings
from gateway.wiring import FileCompiler, explain_assignment, plan_of, validate_text

CONFIG = """\
version: 1
providers: {local: {base_url: 'http://127.0.0.1:9/v1'}}
routes: {support: {variants: {a: {}, b: {}}, release: {split: {arms: {a: 50%, b: 50%}}}}}
"""
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


def test_validates_in_place(tmp_path: Path) -> None:
    """Text is checked as if it stood in the file, and the file is not touched."""
    findings = validate_text("version: 1\n", tmp_path / "s.yaml")
    assert findings and findings[0].file == "s.yaml"
    assert list(tmp_path.iterdir()) == []


def test_same_buckets_are_not_written_again(tmp_path: Path) -> None:
    """A reload that moves nobody waits for no disk."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32))
    compiler.save(compiler.compile(1))
    written = (tmp_path / "allocations.json").stat()
    compiler.save(compiler.compile(2))
    assert (tmp_path / "allocations.json").stat() == written


def test_unchanged_routes_are_the_same(tmp_path: Path) -> None:
    """A second compilation gives the very routes of the first, so that they need not be encoded again."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32))
    first, second = compiler.compile(1), compiler.compile(2)
    assert first.head.version < second.head.version
    assert all(one is other for one, other in zip(first.routes, second.routes, strict=True))


PRICED = CONFIG.replace("http://127.0.0.1:9/v1", "https://api.openai.com/v1").replace("a: {}", "a: {model: gpt-4o}")


def test_prices_come_after_the_start(tmp_path: Path) -> None:
    """The first table waits for no price list; once that is loaded the same file is another table, with prices."""
    (tmp_path / "s.yaml").write_text(PRICED)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), defers_prices=True)
    first = compiler.compile(1)
    assert compiler.load_prices()
    second = compiler.compile(2)
    assert [one.routes[0].variants["a"].price is not None for one in (first, second)] == [False, True]
    assert first.fingerprint != second.fingerprint
    assert not compiler.load_prices()


def test_local_models_need_no_list(tmp_path: Path) -> None:
    """Where no provider has list prices nothing is loaded and nothing published again."""
    (tmp_path / "s.yaml").write_text(CONFIG)
    compiler = FileCompiler(tmp_path / "s.yaml", tmp_path, bytes(32), defers_prices=True)
    compiler.compile(1)
    assert not compiler.load_prices()


def test_strange_role_is_refused() -> None:
    """It is started by us, not by people: anything else is a usage error."""
    command = [sys.executable, "-m", "gateway.wiring", "dance"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))
    assert done.returncode == 2 and "not by people" not in done.stdout
