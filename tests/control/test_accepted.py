"""Contents that are known to be good, and what an edit starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control.accepted import Accepted, ContentFile, MemoryContents
from gateway.control.machine import begin
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.guard import Guard, GuardKind
from gateway.domain.price import Price, Rates
from gateway.domain.variant import Api, Clamp, Rewrite, SystemMode, SystemPrompt
from gateway.errors import StateError
from tests.fakes.rollouts import plan_of, variant_of

A, B, C = variant_of("aaaaaaaaaaaa"), variant_of("bbbbbbbbbbbb"), variant_of("cccccccccccc")


def edit_at(phase: RolloutPhase) -> Rollout:
    """Give the rollout of an edit."""
    return replace(begin(plan_of(is_edit=True), unix_ms=1, epoch=1)[0], phase=phase)


@pytest.fixture
def accepted() -> Accepted:
    """Give what knows A as good, while B is being rolled out."""
    known = Accepted(MemoryContents())
    known.admit({"support": A}, {})
    known.admit({"support": B}, {"support": A})
    return known


def test_first_sight_is_good() -> None:
    """What everybody has when it is first seen is what everybody had."""
    known = Accepted(MemoryContents())
    assert known.baseline_of("support", A, None) is None
    assert known.admit({"support": A}, {}) == () and known.good("support") == A
    assert known.baseline_of("support", B, None) == A


@pytest.mark.parametrize(
    ("phase", "served", "baseline"),
    [
        (RolloutPhase.PROGRESSING, A, None),
        (RolloutPhase.PROGRESSING, B, A),
        (RolloutPhase.PROGRESSING, C, A),
        (RolloutPhase.ROLLED_BACK, B, A),
        (RolloutPhase.ROLLED_BACK, C, A),
        (RolloutPhase.COMPLETE, B, A),
        (RolloutPhase.COMPLETE, C, B),
        (RolloutPhase.FINISHED, B, None),
        (RolloutPhase.FINISHED, C, B),
    ],
)
def test_where_an_edit_starts(accepted: Accepted, phase: RolloutPhase, served: object, baseline: object) -> None:
    """From the good content; from the edited one once that has proved itself; from nowhere when it is back."""
    assert accepted.baseline_of("support", served, edit_at(phase)) == baseline  # type: ignore[arg-type]


def test_says_what_became_good(accepted: Accepted) -> None:
    """A release whose good content is another one now is named."""
    assert accepted.admit({"support": B}, {}) == ("support",)
    assert accepted.good("support") == B


def test_survives_a_restart(tmp_path: Path) -> None:
    """A whole variant comes back from the disk as it was: prompts, parameters, guards and prices."""
    rewrite = Rewrite(
        model=b'"m"',
        system=SystemPrompt(SystemMode.REPLACE, "Be brief. 日本語"),
        set=((("temperature",), b"0.7"),),
        clamp=(Clamp(("max_tokens",), 1, 5.5),),
    )
    guard = Guard("ssn", GuardKind.PATTERN, pattern="(?i)social", schema=b"\xff")
    full = replace(
        A,
        rewrites={Api.CHAT: rewrite},
        headers=(("x-team", "a"),),
        guards=(guard,),
        price=Price(Rates(1e-6, 2e-6, 5e-7)),
    )
    first = Accepted(ContentFile(tmp_path / "contents.msgpack"))
    first.admit({"support": full}, {})
    first.admit({"support": B}, {"support": full})
    again = Accepted(ContentFile(tmp_path / "contents.msgpack"))
    assert again.good("support") == full and again.baseline_of("support", B, None) == full


def test_unreadable_stops_everything(tmp_path: Path) -> None:
    """Going on without would give an edit to everybody: it says what to do instead."""
    (tmp_path / "contents.msgpack").write_bytes(b"\xc1")
    with pytest.raises(StateError, match="restore it, or move it away"):
        Accepted(ContentFile(tmp_path / "contents.msgpack"))


def test_unkept_is_not_admitted(tmp_path: Path) -> None:
    """What cannot be kept changes nothing."""
    known = Accepted(ContentFile(tmp_path / "gone" / "contents.msgpack"))
    with pytest.raises(StateError):
        known.admit({"support": A}, {})
    assert known.good("support") is None
