"""The command line: what is imported, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gateway.cli
from gateway.cli.main import COMMANDS, main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says it, and ends with 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("sluice 0.")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names every command with its sentence."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown and sentence.split(",")[0] in shown for name, sentence in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    """Who only asks for help does not wait for pydantic or the openai client."""
    code = "import sys\nfrom gateway.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    probe = code + "sys.exit(sorted({'pydantic','openai','aiohttp','yaml','rich'} & set(sys.modules)).__repr__())"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["status", "--nonsense"]])
def test_wrong_input_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What makes no sense is 2, with the usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage: sluice" in capsys.readouterr().err


def test_refusal_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of ours is one line on stderr, not a traceback."""
    assert main(["status", "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("sluice: no gateway runs on")


def test_names_are_modules() -> None:
    """A command's module that exists agrees with the list."""
    folder = Path(gateway.cli.__file__).parent
    missing = [name for name, _ in COMMANDS if not (folder / f"{name}.py").exists()]
    assert missing == []


def test_closed_pipe_is_quiet() -> None:
    """`sluice … | head` ends without a complaint."""
    command = f"{sys.executable} -m gateway --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
