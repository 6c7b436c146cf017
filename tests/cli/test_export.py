"""`sluice export` streams what the store has, whoever writes it meanwhile, and puts whole files in place."""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import resource
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.export import csv_line, unix_ms_of
from gateway.cli.main import main
from gateway.clock import SettableClock
from gateway.record.copied import salt_of
from gateway.record.pair import PairKind, PairTexts
from gateway.record.sample import Sample
from gateway.record.store.engine import location_of
from gateway.record.store.forget import hashes_of
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, outcome, pair

ANN = hashes_of("ann", ["support-concise"])["support-concise"]


@pytest.fixture(name="state")
def _state(tmp_path: Path) -> Path:
    """Give a state directory whose store has a little of everything."""

    async def fill(store: Store) -> None:
        other = outcome(8, route="other", segments=None, model_requested="=1+1", unix_ms=NOW_UNIX_MS + 5_000)
        said = feedback(unit_hash=ANN, comment="=cmd()")
        await store.keep([batch(outcome(ANN), other)], [said])
        times = (NOW_UNIX_MS, NOW_UNIX_MS + 1)
        await store.keep_samples([Sample("sq1_x", *times, "support", "support-concise", 2, "concise", ANN, "[]", "=1")])

    on_store(tmp_path, fill)
    return tmp_path


def on_store(state: Path, work: Any) -> None:
    """Do something with a store of a state directory."""

    async def do() -> None:
        store = Store(location_of(None, state), clock=SettableClock(unix_ms=NOW_UNIX_MS))
        try:
            coroutine: Coroutine[Any, Any, None] = work(store)
            await coroutine
        finally:
            await store.close()

    asyncio.run(do())


def export(capfdbinary: pytest.CaptureFixture[bytes], state: Path, *arguments: str) -> bytes:
    """Give what the command writes to stdout."""
    assert main(["export", *arguments, "--state", str(state)]) == 0
    return capfdbinary.readouterr().out


def test_csv(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """CSV has a header, hashes in digits that nothing rounds, and no formulas."""
    rows = list(csv.DictReader(io.StringIO(export(capfdbinary, state, "outcomes").decode())))
    assert [row["unit_hash"] for row in rows] == [f"{ANN:016x}", f"{8:016x}"]
    assert (rows[1]["model_requested"], rows[0]["segments"], rows[0]["is_stream"]) == (
        "'=1+1",
        '{"plan":"pro"}',
        "false",
    )


def test_json_lines(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """JSON lines keep their types, and texts as they are."""
    (row,) = map(orjson.loads, export(capfdbinary, state, "feedback", "--format", "jsonl").splitlines())
    assert (row["value"], row["comment"], row["arm"], row["is_late"]) == (1.0, "=cmd()", "concise", False)


def test_users(state: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Ids that the caller knows are put beside their hashes; the store has none."""
    (tmp_path / "ids").write_text("zoe\n ann \n\n")
    lines = export(capfdbinary, state, "exposures", "--format", "jsonl", "--users", str(tmp_path / "ids")).splitlines()
    assert {row["unit_hash"]: row["user"] for row in map(orjson.loads, lines)} == {
        f"{ANN:016x}": "ann",
        f"{8:016x}": None,
    }


def test_within(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Route and times choose, the end excluded; a file without rows still has its header."""
    arguments = ("outcomes", "--since", "2026-09-21T14:13:21Z", "--route")
    assert len(export(capfdbinary, state, *arguments, "other").splitlines()) == 2
    assert len(export(capfdbinary, state, *arguments, "support").splitlines()) == 1


def test_file_is_whole_or_not_there(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file is put in place when it is whole, for its owner alone; what cannot be written is exit 2."""
    assert main(["export", "outcomes", "--state", str(state), "--out", str(tmp_path / "o.csv")]) == 0
    assert (tmp_path / "o.csv").read_bytes().count(b"\n") == 3
    assert not list(tmp_path.glob(".o.csv*"))
    assert main(["export", "outcomes", "--state", str(state), "--out", str(tmp_path / "no/o.csv")]) == 2
    assert "no/" in capsys.readouterr().err


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no store, that is said, and none is made."""
    assert main(["export", "outcomes", "--state", str(tmp_path / "none")]) == 2
    assert main(["export", "outcomes", "--store", "mysql://x"]) == 2
    assert "there is no store at" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_beside_a_writer(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """It reads while a writer holds the store, and the writer's file stays as it was."""

    async def write(store: Store) -> None:
        await store.keep([batch(outcome(9), first=3)], [])
        command = [sys.executable, "-m", "gateway", "export", "outcomes", "--state", str(state)]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=True)
        assert ended.stdout.count(b"\n") == 4
        await store.keep([batch(outcome(9), first=4)], [])

    on_store(state, write)
    assert export(capfdbinary, state, "outcomes").count(b"\n") == 5


def test_constant_memory(state: Path) -> None:
    """Thirty thousand rows take no more memory than a page of them."""

    async def fill(store: Store) -> None:
        await store.keep([batch(*[outcome(request_id="x" * 900)] * 30_000, first=3)], [])
        await measure(state)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await measure(state)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000

    async def measure(place: Path) -> None:
        out = str(place / "all.csv")
        assert await asyncio.to_thread(main, ["export", "outcomes", "--state", str(place), "--out", out]) == 0
        assert (await asyncio.to_thread((place / "all.csv").stat)).st_size > 27_000_000

    on_store(state, fill)


@pytest.mark.parametrize(
    ("text", "wanted"), [("2026-09-21T14:13:20Z", NOW_UNIX_MS), ("2026-09-21T16:13:20+02:00", NOW_UNIX_MS)]
)
def test_times(text: str, wanted: int) -> None:
    """Times have a zone or are UTC."""
    assert unix_ms_of(text) == wanted


def test_wrong_time() -> None:
    """What is no time is refused with an example of one."""
    with pytest.raises(argparse.ArgumentTypeError, match="2026-11-22"):
        unix_ms_of("yesterday")


def test_cells() -> None:
    """Commas, quotes and line ends stay inside their cell."""
    assert list(csv.reader([csv_line({"a": 'x,"y"', "b": None}).decode()])) == [['x,"y"', ""]]


def test_samples(capfdbinary: pytest.CaptureFixture[bytes], state: Path) -> None:
    """Samples are exported like the rest, with the arm and texts of each."""
    (row,) = csv.DictReader(io.StringIO(export(capfdbinary, state, "samples", "--route", "support").decode()))
    assert (row["request_id"], row["arm"], row["prompt"], row["answer"]) == ("sq1_x", "concise", "[]", "'=1")
    assert export(capfdbinary, state, "samples", "--format", "jsonl", "--route", "other") == b""


def test_pairs(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Pairs come with their users, under the salt of shadows, and with texts that no spreadsheet computes."""

    async def fill(store: Store) -> None:
        unit_hash = hashes_of("ann", [salt_of("support")])[salt_of("support")]
        words = PairTexts("=1+1", "@a", "fine", 2 * NOW_UNIX_MS)
        await store.keep_pairs([pair(unit_hash=unit_hash, texts=words), pair("z", kind=PairKind.NOISE)])

    on_store(tmp_path, fill)
    (tmp_path / "users").write_text("ann\n")
    arguments = ("pairs", "--users", str(tmp_path / "users"))
    rows = list(csv.DictReader(io.StringIO(export(capfdbinary, tmp_path, *arguments).decode())))
    assert [(row["kind"], row["user"], row["similarity"]) for row in rows] == [
        ("shadow", "ann", "0.75"),
        ("noise", "", "0.75"),
    ]
    assert [rows[0][name] for name in ("prompt", "primary_text", "shadow_text")] == ["'=1+1", "'@a", "fine"]
    first = orjson.loads(export(capfdbinary, tmp_path, "pairs", "--format", "jsonl").splitlines()[0])
    assert (first["segments"], first["prompt"], first["is_stream"]) == ({"plan": "pro"}, "=1+1", True)
