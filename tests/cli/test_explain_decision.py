"""`sluice explain DECISION`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gateway.cli.explain_decision import render_decision
from gateway.cli.main import main
from gateway.report.recompute import recompute
from tests.fakes.operators import Operators, operators
from tests.report import story

ROLLED_BACK: dict[str, Any] = story.entries()[0]


@pytest.fixture
def port() -> Iterator[Operators]:
    """Give an operators' port that knows one decision."""
    with operators() as told:
        told.answers["GET /api/journal/support-v8-12"] = (200, ROLLED_BACK)
        yield told


def test_agrees(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """A decision that its evidence carries: the sentence first, then that it agrees."""
    assert main(["explain", "support-v8-12", "--admin", port.url]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "14 users failed against 3.",
        "Worked out again from the evidence in the entry, it agrees.",
    ]


def test_does_not_agree(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """One that it does not carry is a negative finding, with what is wrong."""
    evidence = story.E_PROCESS | {"candidate_failing_users": 4}
    port.answers["GET /api/journal/support-v8-12"] = (200, ROLLED_BACK | {"evidence": evidence})
    assert main(["explain", "support-v8-12", "--admin", port.url]) == 1
    assert "✗ more than 2 times the baseline" in capsys.readouterr().out


def test_json_holds_both(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: the entry as it is, and what came of it."""
    assert main(["explain", "support-v8-12", "--admin", port.url, "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["entry"] == ROLLED_BACK and told["recomputed"]["agrees"] is True


def test_unknown_decision(port: Operators, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is nobody's is wrong input, with the way to find one."""
    assert main(["explain", "support-v8-99", "--admin", port.url]) == 2
    assert "sluice report rollout" in capsys.readouterr().err


def test_lines_say_everything() -> None:
    """When, who, what changed, by what rule, under which configuration, and the evidence by name."""
    text = "\n".join(render_decision(ROLLED_BACK, recompute(ROLLED_BACK)))
    wanted = ["rolled back by controller", "support · support-v8 · concise: 50 % → 0 %, epoch 12", "rule e_process"]
    wanted += ["configuration abc123 (v3)", "✓ evidence of at least 250: 311.2", "baseline failing users"]
    assert [part for part in wanted if part not in text] == []


def test_words_of_others_stay_on_their_line() -> None:
    """A reason cannot move the cursor or write lines of its own."""
    lines = render_decision(ROLLED_BACK | {"why": "a\x1b[2J\nb", "who": "x\ny"}, recompute(ROLLED_BACK))
    assert "  why: a [2J b" in lines and not any("\x1b" in line or "\n" in line for line in lines)
