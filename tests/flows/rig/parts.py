"""Real parts that nobody here wrote: installed once into a folder that git ignores, and used from there ever after."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.rig.gateway import ROOT

CACHE = ROOT / ".cache" / "flows"
DRIVERS = Path(__file__).resolve().parents[1] / "drivers"
INSTALLED_WITHIN_S = 300.0


def node_folder(package: str) -> Path:
    """
    Give a folder whose `node_modules` holds an npm package.

    Skips the test, saying what is missing, when it cannot be had.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"node and npm are not here, so {package} cannot be tried")
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", ".", package]
    return _installed(f"npm {package}", [command])


def python_with(requirement: str) -> Path:
    """
    Give the Python of a virtual environment that holds a distribution.

    Skips the test, saying what is missing, when it cannot be had.
    """
    install = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    folder = _installed(f"pip {requirement}", [[sys.executable, "-m", "venv", "venv"], install])
    return folder / "venv" / "bin" / "python"


def debian_program(package: str, path: str) -> Path:
    """
    Give a program of a Debian package: the system's, else one unpacked from the package, which needs no root.

    Skips the test, saying what is missing, when it cannot be had.
    """
    found = shutil.which(Path(path).name)
    if found is not None:
        return Path(found)
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        pytest.skip(f"{package} is not here, and neither is Debian's way to get it")
    unpack = ["sh", "-c", "dpkg-deb -x ./*.deb ."]
    return _installed(f"deb {package}", [[apt, "download", "-q", package], unpack]) / path


def _installed(name: str, commands: Sequence[Sequence[str]]) -> Path:
    folder = CACHE / f"{name.split()[0]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    with _locked(folder):
        if (folder / "installed").exists():
            return folder
        for command in commands:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALLED_WITHIN_S, check=False
            )
            if done.returncode != 0:
                pytest.skip(f"{name} could not be installed: {(done.stderr or done.stdout).strip()[-300:]}")
        (folder / "installed").write_text(f"{name}\n")
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder, so that two runs at once do not install into it together."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
