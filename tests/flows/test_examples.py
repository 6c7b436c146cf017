"""What README and examples/ show works against a real gateway."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.demo import config_for
from gateway.cli.demo_cast import Cast

ROOT = Path(__file__).parents[2]
README_URL = "http://127.0.0.1:8080/v1"


@pytest.fixture
async def cast() -> AsyncIterator[Cast]:
    """Give a running provider and gateway."""
    with Cast(workers=1) as running:
        await running.open(config_for)
        yield running


def python(source: str, base_url: str) -> str:
    """Give what a program prints that finds the gateway by its environment."""
    environ = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "unused", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", source]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout


def test_example_app(cast: Cast) -> None:
    """The example gets an answer, and shows which variant gave it."""
    printed = python((ROOT / "examples" / "app.py").read_text(encoding="utf-8"), f"{cast.gateway_url}/v1")
    assert re.match(r"\[(current|concise)\] \S", printed)


async def test_example_rag() -> None:
    """The example reads its settings and asks its question as one arm, whichever its user has."""
    settings = {"current": "2 documents, reranker none", "concise": "3 documents, reranker overlap"}
    flags = "{rag: {current: {top_k: 2, reranker: none}, concise: {top_k: 3, reranker: overlap}}}"
    source = (ROOT / "examples" / "rag.py").read_text(encoding="utf-8")
    assert flags in source
    with Cast(workers=1) as cast:
        release = "current: 50%, concise: 50%"
        await cast.open(
            lambda url: (
                config_for(url)
                .replace("current: 95%, concise: 5%", release)
                .replace("    samples:", f"    flags: {flags}\n    samples:")
            )
        )
        for user, arm in (("ana", "concise"), ("ben", "current")):
            printed = python(f"import sys; sys.argv = ['rag.py', {user!r}]\n{source}", f"{cast.gateway_url}/v1")
            told = re.match(r"flag says (\w+) \(SPLIT\): (.*)\n\[(\w+)\] \S", printed)
            assert told is not None and told.groups() == (arm, settings[arm], arm), printed


async def test_example_feedback() -> None:
    """The example asks and gives a thumb for the answer, which is stored."""
    with Cast(workers=1) as cast:
        await cast.open(config_for)
        source = (ROOT / "examples" / "feedback.py").read_text(encoding="utf-8")
        assert re.match(r"\[(current|concise)\] \S.*\nthumbs: stored\n", python(source, f"{cast.gateway_url}/v1"))


def test_readme_client(cast: Cast) -> None:
    """The client of README, with this gateway's address, gets an answer from the variant's model."""
    source = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)[0]
    assert README_URL in source
    url = f"{cast.gateway_url}/v1"
    assert python(f"{source.replace(README_URL, url)}\nprint(answer.model)", url).strip() == "sim-small"
