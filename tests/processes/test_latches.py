"""The latch file as the parent sees it: read when it changed, never an open door."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gateway.processes.latches import HELD, MAX_BYTES, LatchWatch, identity_of, read_held
from gateway.processes.messages import Latched, decode_message
from gateway.processes.state import write_whole

CLOSED = b'{"latches": [{"release": "support-v8", "arm": "concise", "cause": "error_rate", "at_unix_ms": 5}]}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give where the latches would be."""
    return tmp_path / "latches.json"


@pytest.fixture
def closed(file: Path) -> LatchWatch:
    """Give a watch that has read one latch."""
    write_whole(file, CLOSED)
    watch = LatchWatch(file)
    assert watch.look()
    return watch


def test_no_file_says_nothing(file: Path) -> None:
    """Without a file there is nothing to tell."""
    watch = LatchWatch(file)
    assert (watch.look(), watch.payload, watch.latched) == (False, None, Latched(0))


def test_reads_what_is_closed(closed: LatchWatch) -> None:
    """What is closed comes by release, and goes out as a frame."""
    assert closed.latched == Latched(1, {"support-v8": ["concise"]})
    assert decode_message(closed.payload or b"", Latched) == closed.latched


def test_reads_only_changes(closed: LatchWatch, file: Path) -> None:
    """The same file is not read twice; one put in its place is, even of the same size and time."""
    assert not closed.look()
    before = file.stat()
    write_whole(file, CLOSED.replace(b"concise", b"shorter"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert closed.look()
    assert closed.latched == Latched(2, {"support-v8": ["shorter"]})


@pytest.mark.parametrize(
    ("content", "arms"),
    [
        (b'[{"release": "a", "arm": "x"}, {"release": "a", "arm": "y"}]', {"a": ["x", "y"]}),
        (b'[{"release": "a"}]', {"a": [""]}),
        (b'[{"release": "a", "arm": "x", "is_dormant": true}, {"release": "b", "arm": "y"}]', {"b": ["y"]}),
        (b'{"latches": [], "format": 1}', {}),
    ],
)
def test_takes_both_shapes(file: Path, content: bytes, arms: dict[str, list[str]]) -> None:
    """A bare list will do, arms add up, no arm means all candidates, and what is dormant holds nobody."""
    file.write_bytes(content)
    watch = LatchWatch(file)
    assert watch.look() and watch.latched == Latched(1, arms)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"null", b'[{"arm": "x"}]', b"\xff", b" " * (MAX_BYTES + 1)])
def test_unreadable_closes_all(file: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What is there and cannot be understood closes every candidate, loudly and once."""
    file.write_bytes(content)
    watch = LatchWatch(file)
    assert [watch.look(), watch.look()] == [True, False]
    assert watch.latched == Latched(1, everything=True)
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


def test_folder_in_its_place(file: Path) -> None:
    """Whatever kind of thing stands there, looking raises nothing."""
    file.mkdir()
    watch = LatchWatch(file)
    assert watch.look() and watch.latched.everything


def test_mended_file_counts(file: Path) -> None:
    """Once it can be read again, it says what is closed."""
    file.write_bytes(b"{")
    watch = LatchWatch(file)
    watch.look()
    write_whole(file, CLOSED)
    assert watch.look()
    assert watch.latched == Latched(2, {"support-v8": ["concise"]})


def test_lost_file_opens_nothing(closed: LatchWatch, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that vanishes while we run leaves closed what it closed; the same one coming back is read."""
    file.unlink()
    assert not closed.look()
    assert closed.latched.arms and "stays closed" in caplog.text
    write_whole(file, b"[]")
    assert closed.look() and closed.latched.arms == {}


def test_tells_how_many_hold(closed: LatchWatch, file: Path) -> None:
    """The report names the file it is about, and counts those that hold the last reading."""
    closed.note_held([1, 0, 1])
    report = read_held(file.parent)
    assert report is not None and report.identity == identity_of(file)
    assert (report.held, report.workers, report.everything) == (2, 3, False)
    closed.close()
    assert not (file.parent / HELD).exists()


def test_report_may_be_missing(tmp_path: Path, file: Path) -> None:
    """No report, or one that is no report, is None; without a file none is written."""
    LatchWatch(file).note_held([0])
    assert read_held(tmp_path) is None
    (tmp_path / HELD).write_bytes(msgspec.json.encode({"held": "x"}))
    assert read_held(tmp_path) is None


def test_full_disk_raises_nothing(closed: LatchWatch, file: Path) -> None:
    """A report that cannot be written is left out."""
    (file.parent / f".{HELD}").mkdir()
    closed.note_held([1])
    assert read_held(file.parent) is None
