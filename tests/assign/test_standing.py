"""What control decided, joined into what the file says."""

from dataclasses import replace

import pytest

from gateway.assign.allocation import range_of
from gateway.assign.bucketing import slot_of, unit_hash_of
from gateway.assign.choose import choose
from gateway.assign.standing import held, release_at, route_at, without_fallbacks
from gateway.domain.release import BUCKETS, Arm, Reason, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.shadow import Shadow
from gateway.domain.standing import Standing
from gateway.domain.variant import Variant

ROLLOUT = Release(
    "support",
    ReleaseKind.ROLLOUT,
    Unit.USER,
    (Arm("new", Role.CANDIDATE, 0), Arm("old", Role.BASELINE, BUCKETS)),
    (SlotRange(0, BUCKETS, 1),),
)
SPLIT = Release(
    "three",
    ReleaseKind.SPLIT,
    Unit.USER,
    (Arm("a", Role.BASELINE, 4_000), Arm("b", Role.CANDIDATE, 3_000), Arm("c", Role.CANDIDATE, 3_000)),
    (SlotRange(0, 3_000, 1), SlotRange(3_000, 6_000, 2), SlotRange(6_000, BUCKETS, 0)),
)


def standing_of(weight: int, *, control: int | None = None, latched: tuple[str, ...] = ()) -> Standing:
    """Give a rollout's standing at a weight of its candidate."""
    weights = (("new", weight), ("old", BUCKETS - weight))
    return Standing("support", weights, epoch=7, latched=latched, internal_arm="new", control=control)


def shares_of(release: Release) -> dict[tuple[str, Reason], int]:
    """Give buckets by arm and reason."""
    found: dict[tuple[str, Reason], int] = {}
    for owned in release.ranges:
        key = release.arms[owned.arm].name, owned.reason
        found[key] = found.get(key, 0) + owned.end - owned.start
    return found


@pytest.mark.parametrize("weight", [1, 100, 500, 5_000, 9_800, BUCKETS])
def test_weight(weight: int) -> None:
    """The candidate owns the lowest buckets, as many as its weight; the epoch is control's."""
    release = release_at(ROLLOUT, standing_of(weight))
    assert release.ranges[0] == SlotRange(0, weight, 0)
    assert (release.arms[0].weight, release.epoch, release.internal_arm) == (weight, 7, 0)


def test_ramp_is_nested() -> None:
    """Nobody leaves the candidate while it grows, and a step back returns to the same users."""
    users = [f"user-{n}" for n in range(2_000)]

    def candidates(weight: int) -> set[str]:
        release = release_at(ROLLOUT, standing_of(weight))
        return {user for user in users if choose(release, user, user=user, segments={}).arm == 0}

    assert candidates(100) <= candidates(500) <= candidates(2_500) <= candidates(BUCKETS) == set(users)


@pytest.mark.parametrize("weight", [100, 2_500, 5_000])
def test_equal_control(weight: int) -> None:
    """A control slice is as large as the candidate; the rest is served alike and not compared."""
    shares = shares_of(release_at(ROLLOUT, standing_of(weight, control=weight)))
    rest = {("old", Reason.REST): BUCKETS - 2 * weight} if weight < 5_000 else {}
    assert shares == {("new", Reason.BUCKET): weight, ("old", Reason.BUCKET): weight} | rest


def test_latched_candidate() -> None:
    """A latched candidate gets nobody, not even internal users, and everybody is told why."""
    release = release_at(ROLLOUT, standing_of(0, latched=("new",)))
    assignment = choose(release, "ana", user="ana", segments={}, internal_users=frozenset({"ana"}))
    assert (release.arms[assignment.arm].name, release.internal_arm) == ("old", None)
    assert shares_of(release) == {("old", Reason.BREAKER_OPEN): BUCKETS}


def test_stopped_arm() -> None:
    """An arm of a split that is stopped gives its users to the baseline, uncompared; the others stay as they are."""
    release = release_at(SPLIT, Standing("three", (), latched=("b",)))
    assert shares_of(release) == {
        ("a", Reason.BREAKER_OPEN): 3_000,
        ("c", Reason.BUCKET): 3_000,
        ("a", Reason.BUCKET): 4_000,
    }
    assert [arm.weight for arm in release.arms] == [7_000, 0, 3_000]


def test_hold_every_candidate() -> None:
    """When nobody knows what is latched, every candidate gets nothing and the baseline everything."""
    release = held(SPLIT, None)
    assert {release.arms[owned.arm].name for owned in release.ranges} == {"a"}


@pytest.mark.parametrize("names", [["a"], ["nobody"], []])
def test_hold_never_takes_the_baseline(names: list[str]) -> None:
    """The arm that everybody falls back to cannot be held, nor one that is not there."""
    assert held(SPLIT, names) is SPLIT


def test_unknown_arm() -> None:
    """A standing of another release's arms is refused, and nothing is guessed."""
    with pytest.raises(ValueError, match="'gone'"):
        release_at(ROLLOUT, Standing("support", (("gone", BUCKETS),)))


def test_edit_becomes_rollout() -> None:
    """An edited variant under `fixed` is the candidate; the content before it is the baseline under its own name."""
    new, old = Variant("current", "openai", "m", {}), Variant("current@3f2a91", "openai", "m0", {})
    fixed = Release("support", ReleaseKind.FIXED, Unit.USER, (Arm("current", Role.BASELINE, BUCKETS),), ())
    route = Route("support", {"current": new}, fixed)
    standing = Standing("support", (("current", 1_000), ("current@3f2a91", 9_000)), accepted=old)
    after = route_at(route, standing)
    assert after.variants["current@3f2a91"] is old
    assert (after.release.kind, after.release.baseline, after.release.ranges) == (
        ReleaseKind.ROLLOUT,
        1,
        (SlotRange(0, 1_000, 0), SlotRange(1_000, BUCKETS, 1)),
    )


def test_as_written() -> None:
    """A route that control says nothing about is as the file says."""
    route = Route("support", {}, ROLLOUT)
    assert route_at(route, None) is route


def test_same_slot_same_arm() -> None:
    """The range a user falls into is the one of their slot."""
    release = release_at(ROLLOUT, standing_of(5_000))
    slot = slot_of(unit_hash_of("support", "user-1"))
    assert range_of(release.ranges, slot).arm == choose(release, "user-1", user=None, segments={}).arm


def test_closed_arm_is_no_fallback() -> None:
    """A candidate that a breaker closed saves nobody's answer; one that is only at 0 may, and so may a stranger."""
    route = Route("support", {}, ROLLOUT, fallback=("new", "bigger"))
    assert route_at(route, standing_of(0)).fallback == ("new", "bigger")
    assert route_at(route, standing_of(0, latched=("new",))).fallback == ("bigger",)
    assert without_fallbacks(route, None).fallback == ("bigger",)


@pytest.mark.parametrize(("copied", "shares"), [(None, (500, 300)), (2_000, (2_000, 300)), (0, (0, 300))])
def test_shadow_stage(copied: int | None, shares: tuple[int, int]) -> None:
    """A stage's sample takes the place of what the file says, for the candidate's shadow alone."""
    shadows = (Shadow("new", 500), Shadow("other", 300))
    at = route_at(Route("r", {}, ROLLOUT, shadows=shadows), replace(standing_of(0), copied=copied))
    assert tuple(shadow.n_buckets for shadow in at.shadows) == shares


def test_course_divides() -> None:
    """An experiment that divides its own traffic has control's ranges, epoch and baseline."""
    ranges = ((0, 5_000, "b"), (5_000, BUCKETS, "c"))
    release = release_at(SPLIT, Standing("three", (), epoch=9, ranges=ranges, baseline="b"))
    assert [(arm.name, arm.role, arm.weight) for arm in release.arms] == [
        ("a", Role.CANDIDATE, 0),
        ("b", Role.BASELINE, 5_000),
        ("c", Role.CANDIDATE, 5_000),
    ]
    assert (release.ranges, release.epoch) == ((SlotRange(0, 5_000, 1), SlotRange(5_000, BUCKETS, 2)), 9)
    assert release.arms[release.baseline].name == "b"


def test_closed_arm_of_a_course() -> None:
    """Its users get the baseline of now, and are compared no more."""
    ranges = ((0, 5_000, "b"), (5_000, BUCKETS, "c"))
    standing = Standing("three", (), epoch=9, latched=("c",), ranges=ranges, baseline="b")
    assert shares_of(release_at(SPLIT, standing)) == {("b", Reason.BUCKET): 5_000, ("b", Reason.BREAKER_OPEN): 5_000}


def test_course_of_other_arms() -> None:
    """Ranges of arms that the file does not have are refused whole."""
    with pytest.raises(ValueError, match="are no arms of release 'three'"):
        release_at(SPLIT, Standing("three", (), ranges=((0, BUCKETS, "d"),)))
