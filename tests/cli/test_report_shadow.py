"""`sluice report shadow` from a store: the verdict, its exit code, and what is said where there is nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import orjson
import pytest

from gateway.cli.main import main
from gateway.cli.report_shadow import age_ms
from gateway.clock import SettableClock
from gateway.record.pair import Pair, key_of
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.fakes.pairs import COUNTS, START_UNIX_MS, World, pairs_of, texts_of


def fill(state: Path, pairs: list[Pair]) -> None:
    """Put pairs with texts, and what became of the copies, into a store."""

    async def do() -> None:
        store = Store(location_of(None, state), clock=SettableClock(unix_ms=START_UNIX_MS))
        texts = texts_of(pairs)
        with_texts = [msgspec.structs.replace(pair, texts=texts[key_of(pair)]) for pair in pairs]
        try:
            await store.open()
            await store.keep_pairs(with_texts)
            await store.count_shadows(1, 1, 1, COUNTS)
        finally:
            await store.close()

    asyncio.run(do())


def report(state: Path, *arguments: str) -> int:
    """Run the command."""
    return main(["report", "shadow", "support", *arguments, "--state", str(state)])


@pytest.fixture(name="state", scope="module")
def _state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state directory whose shadow refuses too often."""
    folder = tmp_path_factory.mktemp("state")
    fill(folder, pairs_of(World(n=2_000, n_users=400, refuses=0.2)))
    return folder


def test_verdict_and_exit_code(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worse shadow is a negative finding: 1, and the first line says it."""
    assert report(state) == 1
    said = capsys.readouterr().out
    assert said.startswith("The shadow is worse") and "worker_rows" in said and "primary: none; shadow: refused" in said


def test_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts, with every number."""
    assert report(state, "--json") == 1
    (shadow,) = orjson.loads(capsys.readouterr().out)["shadows"]
    assert (shadow["state"], shadow["n_pairs"], shadow["n_copies"]) == ("worse", 2_000, 607)


def test_html_file(state: Path, tmp_path: Path) -> None:
    """One file, put where it was asked for."""
    file = tmp_path / "report.html"
    assert report(state, "--format", "html", "--out", str(file)) == 1
    assert "<article" in file.read_text()


def test_labels(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People's preferences are held against the judge's; a file that is none is refused by its line."""
    labels = tmp_path / "labels.csv"
    labels.write_text("request_id,preferred\n" + "".join(f"rq-{number},primary\n" for number in range(300)))
    assert report(state, "--labels", str(labels), "--json") == 1
    (shadow,) = orjson.loads(capsys.readouterr().out)["shadows"]
    assert shadow["judge"]["agreement"]["n"] > 50
    labels.write_text("request_id,preferred\nrq-1,maybe\n")
    assert report(state, "--labels", str(labels)) == 2 and "2" in capsys.readouterr().err


def test_nothing_there(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No store is an error with a way out; a route without copies is told so."""
    assert report(tmp_path) == 2 and "there is no store" in capsys.readouterr().err
    assert main(["report", "shadow", "other", "--state", str(state)]) == 0
    assert "was copied yet" in capsys.readouterr().out
    assert report(state, "--since", "soon") == 2 and "no age" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "ms"), [("7d", 604_800_000), ("1.5h", 5_400_000), ("30m", 1_800_000)])
def test_ages(text: str, ms: int) -> None:
    """Days, hours and minutes."""
    assert age_ms(text) == ms
