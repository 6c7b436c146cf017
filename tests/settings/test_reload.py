"""When to read the file again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from gateway.settings.reload import STILL_S, FileWatch, folders_of, stamp_of, stood_still_s


async def _next(changes: AsyncIterator[None]) -> None:
    await asyncio.wait_for(anext(changes), 5)


def _rename_over(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("b: 22")
    other.replace(path)


def _recreate(path: Path) -> None:
    path.unlink()
    path.write_text("b: 222")


def _rewrite(path: Path) -> None:
    path.write_text("b: 2222")


@pytest.mark.parametrize("change", [_rename_over, _recreate, _rewrite, Path.unlink])
async def test_changes_are_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """However an editor saves, and also when the file goes or cannot be read."""
    path = tmp_path / "sluice.yaml"
    path.write_text("a: 1")
    async with aclosing(FileWatch([path]).changes()) as changes:
        asyncio.get_running_loop().call_later(0.3, change, path)
        await _next(changes)


async def test_configmap_swap_is_noticed(tmp_path: Path) -> None:
    """Kubernetes swaps `..data`, two folders away from what is opened."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "sluice.yaml").write_text("a: 1")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "sluice.yaml").symlink_to("..data/sluice.yaml")

    def swap() -> None:
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").replace(tmp_path / "..data")

    async with aclosing(FileWatch([tmp_path / "sluice.yaml"]).changes()) as changes:
        asyncio.get_running_loop().call_later(0.2, swap)
        await _next(changes)


async def test_poll_is_a_net(tmp_path: Path) -> None:
    """A folder that comes into being later is found by looking."""
    path = tmp_path / "later" / "sluice.yaml"
    async with aclosing(FileWatch([path], poll_s=0.05).changes()) as changes:
        asyncio.get_running_loop().call_later(0.1, path.parent.mkdir)
        asyncio.get_running_loop().call_later(0.2, path.write_text, "a: 1")
        await _next(changes)


async def test_new_files_are_watched(tmp_path: Path) -> None:
    """The set may change after each reading."""
    config, prompt = tmp_path / "sluice.yaml", tmp_path / "prompt.md"
    config.write_text("a: 1")
    prompt.write_text("one")
    watch = FileWatch([config])
    async with aclosing(watch.changes()) as changes:
        watch.watch([config, prompt])
        asyncio.get_running_loop().call_later(0.2, prompt.write_text, "two, longer")
        await _next(changes)


async def test_half_written_file_waits(tmp_path: Path) -> None:
    """Nothing is said until the file has stood still."""
    path = tmp_path / "sluice.yaml"
    path.write_text("")
    async with aclosing(FileWatch([path]).changes()) as changes:
        for step in range(10):
            asyncio.get_running_loop().call_later(0.1 + step * 0.02, path.write_text, "a" * (step + 1))
        await _next(changes)
    assert path.read_text() == "a" * 10


def test_links_are_followed(tmp_path: Path) -> None:
    """Every folder on the way is one to watch; circles end."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").symlink_to("link/file")
    (tmp_path / "loop").symlink_to("loop")
    assert folders_of(tmp_path / "file") == {tmp_path, tmp_path / "link", tmp_path / "real"}
    assert folders_of(tmp_path / "loop") == {tmp_path}
    assert stamp_of(tmp_path / "loop") is None


def test_equal_size_in_place_differs(tmp_path: Path) -> None:
    """A file written in place again, as large as before, bears another stamp: `50%` becomes `40%`."""
    path = tmp_path / "sluice.yaml"
    stamps = set()
    for second in (1, 2):
        path.write_text(f"a: {second}")
        path.touch()
        stamps.add(stamp_of(path))
        time.sleep(0.02)
    assert len(stamps) == 2


@pytest.mark.parametrize(("late_ms", "waits_ms"), [(-5_000, 50), (0, 50), (20, 30), (5_000, 20)])
def test_known_to_stand_still(tmp_path: Path, late_ms: int, waits_ms: int) -> None:
    """How long a file has not changed counts from its change, not from when that was noticed; but not all of it."""
    path = tmp_path / "sluice.yaml"
    path.write_text("a: 1")
    stamps = {path: stamp_of(path)}
    since_s = stood_still_s(stamps, path.stat().st_ctime_ns // 1_000_000 + late_ms)
    assert (STILL_S - since_s) * 1e3 == pytest.approx(waits_ms, abs=2)
    assert stood_still_s(stamps | {tmp_path / "gone": None}, 0) == 0.0
