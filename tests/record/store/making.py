"""Facts as workers make them, and the stores they are kept in."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.domain.outcome import Safety
from gateway.domain.release import Reason
from gateway.domain.variant import Api
from gateway.record.batch import Batch
from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome
from gateway.record.pair import Judged, Judgement, Likeness, Pair, PairKind, PairTexts, Side, Vote
from gateway.record.store.store import Store

NOW_UNIX_MS = 1_790_000_000_000
POSTGRES_BINS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + sorted(Path("/usr/pgsql").glob("bin"))
HOW_TO_GET_POSTGRES = (
    "PostgreSQL's server is not here (apt-get install postgresql); the store is not tested with its second dialect"
)
CHAT = next(iter(Api))


def outcome(unit_hash: int = 7, **changes: Any) -> Outcome:
    """Give an answered request of an exposed unit."""
    values: dict[str, Any] = {
        "config_version": 3,
        "unix_ms": NOW_UNIX_MS,
        "request_id": "sq1_x",
        "api": CHAT,
        "route": "support",
        "release": "support-concise",
        "epoch": 2,
        "arm": "concise",
        "served": "concise",
        "reason": Reason.BUCKET,
        "unit_hash": unit_hash,
        "segments": {"plan": "pro"},
        "provider": "openai",
        "model_requested": "support",
        "status": 200,
        "attempts": 1,
        "duration_ms": 800.0,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.25,
    }
    return Outcome(**values | changes)


def batch(*outcomes: Outcome, first: int = 1, worker: int = 0, boot: int = 11) -> Batch:
    """Give a worker's batch."""
    return Batch(worker, boot, first, list(outcomes))


async def keep(store: Store, batches: Sequence[Batch], said: Sequence[Feedback]) -> list[Receipt]:
    """Keep, and write what follows from it at once."""
    receipts = await store.keep(batches, said)
    await store.settle()
    return receipts


def feedback(id: str = "f1", *, by_user: bool = False, **changes: Any) -> Feedback:
    """Give a thumbs up, by request unless told otherwise."""
    request = {"epoch": 2, "arm": "concise", "exposed_unix_ms": NOW_UNIX_MS, "serial": 5}
    values: dict[str, Any] = {
        "id": id,
        "metric": "thumbs",
        "value": 1.0,
        "text": None,
        "comment": None,
        "at_unix_ms": NOW_UNIX_MS + 60_000,
        "received_unix_ms": NOW_UNIX_MS + 61_000,
        "route": "support",
        "release": "support-concise",
        "unit_hash": 7,
    }
    return Feedback(**values | ({} if by_user else request) | changes)


def side(variant: str = "big", **changes: Any) -> Side:
    """Give a whole answer."""
    values: dict[str, Any] = {
        "status": 200,
        "ttft_ms": 120.5,
        "duration_ms": 900.0,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.25,
        "finish_reason": "stop",
        "n_chars": 80,
    }
    return Side(variant, **values | changes)


def pair(request_id: str = "sq1_a", **changes: Any) -> Pair:
    """Give a pair that is neither judged nor kept with texts."""
    values: dict[str, Any] = {
        "kind": PairKind.SHADOW,
        "shadow_variant": "small",
        "unix_ms": NOW_UNIX_MS,
        "route": "support",
        "release": "support-concise",
        "epoch": 2,
        "arm": "concise",
        "unit_hash": 2**64 - 7,
        "has_unit": True,
        "segments": {"plan": "pro"},
        "api": "chat/completions",
        "is_stream": True,
        "primary": side(),
        "shadow": side("small", safety=Safety.REFUSED, is_valid_format=False),
        "likeness": Likeness(False, True, 0.75, ["$.items[].price"], 3, "same"),
    }
    return Pair(request_id, **values | changes)


def texts(word: str = "why", *, expires_unix_ms: int = NOW_UNIX_MS + 10_000) -> PairTexts:
    """Give the texts of a pair."""
    return PairTexts(f'["{word}"]', f"{word} 1", f"{word} 2", expires_unix_ms)


def judged(of: Pair, reason: str = "The second is shorter.") -> Judged:
    """Give a judgement of a pair, for the shadow in one order and for nobody in the other."""
    said = Judgement("judge", NOW_UNIX_MS + 5, Vote.SHADOW, Vote.TIE, reason, 0.01)
    return Judged(of.request_id, of.kind, of.shadow_variant, said)


def find_postgres() -> Path | None:
    """Give the folder of the newest PostgreSQL server's programs; None where there is none."""
    return next((folder for folder in reversed(POSTGRES_BINS) if (folder / "initdb").is_file()), None)


class PostgresProcess:
    """A server of our own, on a Unix socket in a folder that goes with it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._n_databases = 0
        # The server refuses to be run by root.
        self._as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_owner:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)

    def start(self) -> None:
        """Make a cluster and start it."""
        self._run("initdb", "-D", f"{self._folder}/data", "-A", "trust", "-U", "sluice", "--no-sync", "-E", "UTF8")
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
        log = f"{self._folder}/log"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-l", log, "-w", "-t", "30", "-o", options, "start")

    def stop(self) -> None:
        """End it at once."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop")

    def pid(self) -> int:
        """Give the server's process."""
        return int((self._folder / "data/postmaster.pid").read_text().split()[0])

    def pause(self) -> list[int]:
        """Stop every process that serves a connection; give them."""
        children = Path(f"/proc/{self.pid()}/task/{self.pid()}/children").read_text().split()
        for pid in children:
            os.kill(int(pid), signal.SIGSTOP)
        return [int(pid) for pid in children]

    def go_on(self, stopped: list[int]) -> None:
        """Let them go on."""
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def new_database(self) -> str:
        """Give the URL of a new, empty database."""
        self._n_databases += 1
        name = f"facts{self._n_databases}"
        self._run("createdb", "-h", str(self._folder), "-U", "sluice", name)
        return f"postgresql://sluice@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_owner, str(self._programs / program), *arguments]
        ended = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, f"{program}: {ended.stderr}"


@contextmanager
def postgres() -> Iterator[PostgresProcess | None]:
    """Run a server; None where there is none to run."""
    programs = find_postgres()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    process = PostgresProcess(programs, folder)
    try:
        process.start()
        yield process
        process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
