"""The journal's file: torn lines, rotation, and reading from its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control.diary import Diary
from gateway.control.journal import DecisionKind, Entry
from gateway.errors import StateError

ENTRY = Entry("support-1", 5, DecisionKind.STARTED, "support", "support", "", "ana", "Es beginnt: äöü.", "file")


def entry(number: int, release: str = "support") -> Entry:
    """Give an entry of that number."""
    return replace(ENTRY, id=f"{release}-{number}", release=release)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """Give a journal that turns the page after a kilobyte."""
    return Diary(tmp_path / "journal.jsonl", max_bytes=1_024)


def numbers(diary: Diary, **kwargs: object) -> list[int]:
    """Give the numbers of what is read."""
    return [int(one.id.rpartition("-")[2]) for one in diary.entries(**kwargs)]  # type: ignore[arg-type]


def test_newest_first(diary: Diary) -> None:
    """What happened last is read first, of one release or of all, and no more than was asked."""
    diary.append([entry(1), entry(2, "chat"), entry(3)])
    assert numbers(diary) == [3, 2, 1]
    assert numbers(diary, release="support") == [3, 1] and numbers(diary, limit=2) == [3, 2]


def test_turns_the_page(diary: Diary) -> None:
    """A file that is full gets a number; nothing is lost, and the order holds over many files."""
    for number in range(1, 60):
        diary.append([entry(number)])
    assert numbers(diary, limit=100) == list(range(59, 0, -1))
    assert len(list(diary.path.parent.iterdir())) > 10
    assert Diary(diary.path).open([]) == 59


@pytest.mark.parametrize("cut", range(1, 200, 11))
def test_torn_line_is_cut_off(diary: Diary, cut: int) -> None:
    """Wherever a crash tore the last line, the ones before it are read and the next one stands alone."""
    diary.append([entry(1), entry(2)])
    content = diary.path.read_bytes()
    diary.path.write_bytes(content[:-cut])
    assert Diary(diary.path).open([]) == 1
    diary.append([entry(3)])
    assert numbers(diary) == [3, 1]


def test_torn_after_a_turned_page(diary: Diary) -> None:
    """A file with nothing whole in it leaves the number to the one before."""
    diary.append([entry(7)])
    diary.path.rename(diary.path.with_name("journal.jsonl.1"))
    diary.path.write_bytes(b'{"id": "supp')
    assert Diary(diary.path).open([]) == 7 and diary.path.read_bytes() == b""


def test_lines_longer_than_a_chunk(tmp_path: Path) -> None:
    """Evidence of any size is read whole, across the pieces in which the file is read."""
    diary = Diary(tmp_path / "journal.jsonl")
    diary.append([replace(entry(1), evidence={"text": "x" * 200_000}), entry(2)])
    assert numbers(diary) == [2, 1] and len(diary.entries()[1].evidence["text"]) == 200_000


def test_bad_lines_are_passed_over(diary: Diary) -> None:
    """A line that a person spoilt hides no other."""
    diary.append([entry(1)])
    with diary.path.open("ab") as file:
        file.write(b"what is this\n\xff\n")
    diary.append([entry(2)])
    assert numbers(diary) == [2, 1]


def test_nothing_readable(diary: Diary) -> None:
    """Where no line can be read, numbers are taken that nobody had, and it is said."""
    diary.path.write_bytes(b"spoilt\n")
    problems: list[str] = []
    assert diary.open(problems) > 1_000_000_000 and "no line" in problems[0]


def test_cannot_be_written(tmp_path: Path) -> None:
    """A directory in its place is a StateError that says what to do."""
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(StateError, match="make room or give"):
        Diary(tmp_path / "journal.jsonl").append([ENTRY])


def test_nothing_appended_is_nothing_written(diary: Diary) -> None:
    """No entries make no file."""
    diary.append([])
    assert not diary.path.exists() and diary.open([]) == 0
