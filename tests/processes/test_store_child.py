"""Children that read the store: one question, one answer, nothing left open."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from gateway.processes.store_child import answer_question, open_store_reader, report_argv
from gateway.record.store.reader import Reader


class _Shelf:
    """A reader that notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def check(self) -> None:
        self.done.append("checked")

    async def close(self) -> None:
        self.done.append("closed")


async def echo(_: Reader, question: bytes) -> bytes:
    """Answer with the question."""
    return b"re: " + question


async def refuse(_: Reader, question: bytes) -> bytes:
    """Answer nothing."""
    raise ValueError(question)


async def test_one_question_one_answer() -> None:
    """What is read is answered, and the store closed."""
    shelf, answer = _Shelf(), io.BytesIO()
    assert await answer_question(cast("Reader", shelf), echo, io.BytesIO(b"what?"), answer) == 0
    assert (answer.getvalue(), shelf.done) == (b"re: what?", ["checked", "closed"])


async def test_closed_all_the_same() -> None:
    """A question that cannot be answered leaves nothing open and writes nothing."""
    shelf, answer = _Shelf(), io.BytesIO()
    with pytest.raises(ValueError, match="what"):
        await answer_question(cast("Reader", shelf), refuse, io.BytesIO(b"what?"), answer)
    assert (answer.getvalue(), shelf.done) == (b"", ["checked", "closed"])


async def test_store_of_a_state_directory(tmp_path: Path) -> None:
    """Without an address it is the state directory's own."""
    reader = open_store_reader("", tmp_path)
    await reader.close()


def test_becomes_the_command() -> None:
    """The process is the command from then on: its output and its exit code."""
    script = "from gateway.processes.store_child import become; import sys; become([sys.executable, '-c', 'print(7)'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "7\n"


def test_report_is_the_command(tmp_path: Path) -> None:
    """A report is what `sluice report` prints of this state directory."""
    assert report_argv("rollout", "support", "html", tmp_path)[-2:] == ["--state", str(tmp_path)]
