"""A release knows its baseline and its candidate, and will not be without a baseline."""

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from gateway.domain.release import Arm, Assignment, Reason, Release, ReleaseKind, Role, SlotRange, Unit

BASELINE = Arm("current", Role.BASELINE, 5_000)
CANDIDATE = Arm("concise", Role.CANDIDATE, 5_000)
RANGES = (SlotRange(0, 5_000, 1), SlotRange(5_000, 10_000, 0))


def release_of(*arms: Arm) -> Release:
    """Give a split of these arms."""
    return Release("exp1", ReleaseKind.SPLIT, Unit.USER, arms, RANGES)


@pytest.mark.parametrize(
    ("arms", "baseline", "candidate"),
    [
        ((BASELINE,), 0, None),
        ((BASELINE, CANDIDATE), 0, 1),
        ((CANDIDATE, BASELINE), 1, 0),
        ((CANDIDATE, CANDIDATE, BASELINE), 2, 0),
    ],
)
def test_roles_are_found(arms: tuple[Arm, ...], baseline: int, candidate: int | None) -> None:
    """Baseline and first candidate are where the roles say."""
    release = release_of(*arms)
    assert (release.baseline, release.candidate) == (baseline, candidate)


@pytest.mark.parametrize("arms", [(), (CANDIDATE,)])
def test_baseline_is_required(arms: tuple[Arm, ...]) -> None:
    """A release that could not answer an unnamed user is not made."""
    with pytest.raises(ValueError, match="release 'exp1' has no baseline"):
        release_of(*arms)


def test_replace_looks_again() -> None:
    """Replacing the arms finds the roles anew."""
    release = replace(release_of(BASELINE, CANDIDATE), arms=(CANDIDATE, BASELINE))
    assert (release.baseline, release.candidate) == (1, 0)


def test_pickle_keeps_all() -> None:
    """A release comes out of a pickle as it went in."""
    release = release_of(BASELINE, CANDIDATE)
    copy = pickle.loads(pickle.dumps(release))
    assert (copy, copy.baseline, copy.candidate) == (release, 0, 1)


def test_release_is_frozen() -> None:
    """Nothing about a release can be changed in place."""
    release = release_of(BASELINE)
    with pytest.raises(FrozenInstanceError):
        release.epoch = 1  # type: ignore[misc]
    assert release.epoch == 0


def test_assignment_without_unit() -> None:
    """An assignment that hashed nothing says so."""
    assert Assignment(0, Reason.NO_USER) == (0, Reason.NO_USER, None, None, 0)
