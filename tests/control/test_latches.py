"""Latches: which candidate one holds, and that nobody but a person takes one away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.latches import (
    MAX_DORMANT,
    arms_of,
    bound,
    held_arms,
    is_held,
    latch_on,
    merged,
    missing_from,
    sorted_out,
    split_arms,
    unreadable_latches,
    without,
)
from gateway.control.machine import begin
from gateway.control.rollout import Latch
from tests.fakes.rollouts import latch_by, plan_of, split_of

A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
LATCH = Latch("support", "concise", A, "error_rate", "7 times the baseline's", "controller", 5, "support-1")


def test_hangs_on_content() -> None:
    """It holds this content, also under another name, and no other content."""
    assert is_held(LATCH, plan_of(A), "concise", A)
    assert is_held(LATCH, plan_of(A, candidate="renamed"), "renamed", A)
    assert not is_held(LATCH, plan_of(B), "concise", B)
    assert not is_held(LATCH, plan_of(A, release="other"), "concise", A)


def test_without_content_it_holds_all() -> None:
    """Whoever knew neither arm nor content meant whatever there is."""
    assert is_held(latch_by("bob"), plan_of(B), "concise", B)
    assert is_held(replace(latch_by("bob"), release="chat", arm="one"), split_of(), "one", "111111111111")
    assert not is_held(replace(latch_by("bob"), release="chat", arm="one"), split_of(), "two", "222222222222")


def test_twins_are_told_apart() -> None:
    """Two arms of one split with one content are stopped one by one."""
    plan = split_of(contents=(("one", A), ("two", A)))
    assert held_arms([replace(LATCH, release="chat", arm="one")], plan) == ("one",)


def test_baseline_is_never_held() -> None:
    """No plan lets its baseline be closed: the last arm is kept."""
    assert arms_of(plan_of(A)) == (("concise", A),)
    assert split_arms(split_of()) == ("one", "two")


def test_bound_to_what_was_meant() -> None:
    """A latch that names nothing is of the candidate that was being rolled out."""
    rollout = begin(plan_of(A), unix_ms=1, epoch=1)[0]
    (latch,) = bound([latch_by("bob")], {"support": rollout})
    assert (latch.arm, latch.content, latch.by) == ("concise", A, "bob")
    assert bound([latch_by("bob")], {}) == (latch_by("bob"),)
    assert bound([latch], {"support": replace(rollout, plan=plan_of(B))}) == (latch,)


def test_sleeps_and_wakes() -> None:
    """Another content puts it to sleep, so that nobody is held by name; the old one coming back wakes it."""
    (asleep,) = sorted_out([LATCH], {"support": plan_of(B)})
    assert asleep.is_dormant and latch_on([asleep], plan_of(B), "concise", B) is None
    assert sorted_out([asleep], {"support": plan_of(A)}) == (LATCH,)
    assert sorted_out([LATCH], {}) == (LATCH,)


def test_sleepers_are_bounded() -> None:
    """Latches of contents long gone are forgotten, the oldest first; none that holds somebody is."""
    many = [replace(LATCH, content=f"{number:012x}", at_unix_ms=number) for number in range(MAX_DORMANT + 5)]
    kept = sorted_out([LATCH, *many], {"support": plan_of(A)})
    assert kept[0] == LATCH and len(kept) == MAX_DORMANT + 1 and kept[1].at_unix_ms == 5


def test_others_only_add() -> None:
    """What somebody else wrote can close, and cannot open."""
    assert merged([LATCH], []) == (LATCH,)
    assert merged([LATCH], [LATCH, latch_by("bob")]) == (LATCH, latch_by("bob"))
    assert missing_from([LATCH], [LATCH]) == ()


def test_taken_away_by_arm() -> None:
    """What a person resumes is what they meant, and no other release's."""
    other = replace(LATCH, release="other")
    assert without([LATCH, other, latch_by("bob")], plan_of(A), ["concise"]) == (other,)


def test_unreadable_means_everything() -> None:
    """When nobody knows what was closed, every candidate is."""
    latches = unreadable_latches({"support": plan_of(A), "chat": split_of()}, unix_ms=9)
    assert [(latch.release, latch.arm) for latch in latches] == [
        ("support", "concise"),
        ("chat", "one"),
        ("chat", "two"),
    ]


@pytest.mark.parametrize("content", ["", A])
def test_split_without_contents(content: str) -> None:
    """An arm whose content nobody knows is held by its name."""
    plan = split_of(contents=())
    assert held_arms([replace(LATCH, release="chat", arm="one", content=content)], plan) == ("one",)


def test_dormant_latches_are_light() -> None:
    """A latch of a content that is gone leaves its evidence to the journal: the parent reads all of them."""
    (asleep,) = sorted_out([replace(LATCH, evidence={"gates": ["much"]})], {"support": plan_of(B)})
    assert asleep.is_dormant and not asleep.evidence
