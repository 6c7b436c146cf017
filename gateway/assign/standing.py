"""
A release as it stands: what the file says, joined with what control decided.

Users keep their buckets whatever happens here. Whoever an arm is taken from gets the baseline for another reason
than their bucket's, and is not compared from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.domain.release import BUCKETS, Arm, Reason, Release, ReleaseKind, Role, SlotRange
from gateway.domain.route import Route
from gateway.domain.standing import Standing

CONTROL_START = BUCKETS // 2
"""Where a control slice begins: it and the candidate grow side by side up to 50 %, and nobody is in both."""


def route_at(route: Route, standing: Standing | None) -> Route:
    """
    Give a route as it stands.

    Where an edit of the served variant is being rolled out, the content before it becomes the baseline, under a
    name of its own.

    Args:
        route: As the file says.
        standing: Of the route's release; None leaves everything as the file says.
    """
    if standing is None:
        return route
    route = _copied_at(route, standing)
    release = route.release
    accepted = standing.accepted
    # A route that a control process before this one joined has both arms already.
    if accepted is None or accepted.name in route.variants:
        return without_fallbacks(replace(route, release=release_at(release, standing)), standing.latched)
    edited = release.arms[release.baseline].name
    arms = (Arm(edited, Role.CANDIDATE, 0), Arm(accepted.name, Role.BASELINE, BUCKETS))
    unranged = (SlotRange(0, BUCKETS, 1),)
    rollout = replace(release, kind=ReleaseKind.ROLLOUT, arms=arms, ranges=unranged)
    variants = {**route.variants, accepted.name: accepted}
    # A flag is the app's and no part of the content: before and after the edit it is the same.
    flags = tuple(
        replace(flag, values={**flag.values, accepted.name: flag.values[edited]}) if edited in flag.values else flag
        for flag in route.flags
    )
    at = replace(route, variants=variants, release=release_at(rollout, standing), flags=flags)
    return without_fallbacks(at, standing.latched)


def _copied_at(route: Route, standing: Standing) -> Route:
    """Give a route whose candidate's shadow gets the share its rollout's stage says."""
    candidate, n_buckets = route.release.candidate, standing.copied
    if n_buckets is None or candidate is None:
        return route
    name = route.release.arms[candidate].name
    return replace(
        route,
        shadows=tuple(
            replace(shadow, n_buckets=n_buckets) if shadow.variant == name else shadow for shadow in route.shadows
        ),
    )


def without_fallbacks(route: Route, arms: Iterable[str] | None) -> Route:
    """
    Give a route that does not fall back on arms that get nothing: a closed candidate saves nobody's answer.

    Args:
        route: As it stands.
        arms: As in `held`.
    """
    if not route.fallback:
        return route
    candidates = {arm.name for arm in route.release.arms if arm.role is Role.CANDIDATE}
    closed = candidates if arms is None else candidates.intersection(arms)
    return replace(route, fallback=tuple(name for name in route.fallback if name not in closed))


def release_at(release: Release, standing: Standing) -> Release:
    """
    Give a release as it stands.

    A rollout's candidate owns the lowest buckets, so whoever has it at 1 % has it at 5 %; a control slice begins
    in the middle. An experiment that divides its own traffic has the ranges that control gave it. Every other release
    keeps its own.

    Raises:
        ValueError: The standing names an arm that the release has not.
    """
    index_of = {arm.name: index for index, arm in enumerate(release.arms)}
    named = {name for _, _, name in standing.ranges or ()}
    unknown = {*dict(standing.weights), *standing.latched, *named} - index_of.keys()
    if unknown:
        msg = f"{sorted(unknown)} are no arms of release {release.name!r}"
        raise ValueError(msg)
    if standing.ranges is not None:
        return held(_divided(release, standing, standing.ranges, index_of), standing.latched)
    if release.kind is not ReleaseKind.ROLLOUT:
        return held(release, standing.latched)
    weights = dict(standing.weights)
    arms = tuple(replace(arm, weight=weights.get(arm.name, 0)) for arm in release.arms)
    candidate = release.candidate
    weight = 0 if candidate is None else arms[candidate].weight
    internal = index_of.get(standing.internal_arm) if standing.internal_arm is not None else None
    if candidate is not None and arms[candidate].name in standing.latched:
        # Nobody is compared any more, and `explain` is to say why.
        ranges: tuple[SlotRange, ...] = (SlotRange(0, BUCKETS, release.baseline, Reason.BREAKER_OPEN),)
    else:
        ranges = rollout_ranges(weight, candidate or 0, release.baseline, standing.control)
    at = replace(release, arms=arms, ranges=ranges, epoch=standing.epoch, internal_arm=internal)
    return held(at, standing.latched)


def _divided(
    release: Release, standing: Standing, ranges: Iterable[tuple[int, int, str]], index_of: Mapping[str, int]
) -> Release:
    """Give a release with the ranges, the baseline and the epoch that control gave it."""
    weights = dict.fromkeys(index_of, 0)
    for start, end, name in ranges:
        weights[name] += end - start
    baseline = standing.baseline or release.arms[release.baseline].name
    arms = tuple(
        Arm(arm.name, Role.BASELINE if arm.name == baseline else Role.CANDIDATE, weights[arm.name])
        for arm in release.arms
    )
    owned = tuple(SlotRange(start, end, index_of[name]) for start, end, name in ranges)
    return replace(release, arms=arms, ranges=owned, epoch=standing.epoch)


def held(release: Release, arms: Iterable[str] | None) -> Release:
    """
    Give a release some of whose arms get nothing: their buckets go to the baseline, for the breaker's reason.

    Args:
        release: As it stands.
        arms: Names of arms; None for every candidate. The baseline and unknown names are passed over: the last arm
            that answers is never taken away.

    >>> from gateway.domain.release import Unit
    >>> two = (Arm("old", Role.BASELINE, 9_000), Arm("new", Role.CANDIDATE, 1_000))
    >>> ranges = (SlotRange(0, 1_000, 1), SlotRange(1_000, 10_000, 0))
    >>> release = Release("support", ReleaseKind.ROLLOUT, Unit.USER, two, ranges, internal_arm=1)
    >>> after = held(release, ["new"])
    >>> after.ranges
    (SlotRange(start=0, end=1000, arm=0), SlotRange(start=1000, end=10000, arm=0))
    >>> after.ranges[0].reason, after.internal_arm
    (<Reason.BREAKER_OPEN: 'breaker_open'>, None)
    """
    named = None if arms is None else frozenset(arms)
    closed = {
        index
        for index, arm in enumerate(release.arms)
        if arm.role is Role.CANDIDATE and (named is None or arm.name in named)
    }
    if not closed:
        return release
    baseline = release.baseline
    returned = sum(release.arms[index].weight for index in closed)
    weights = [0 if index in closed else arm.weight for index, arm in enumerate(release.arms)]
    weights[baseline] += returned
    return replace(
        release,
        arms=tuple(replace(arm, weight=weight) for arm, weight in zip(release.arms, weights, strict=True)),
        ranges=tuple(
            replace(owned, arm=baseline, reason=Reason.BREAKER_OPEN) if owned.arm in closed else owned
            for owned in release.ranges
        ),
        internal_arm=None if release.internal_arm in closed else release.internal_arm,
    )


def rollout_ranges(weight: int, candidate: int, baseline: int, control: int | None) -> tuple[SlotRange, ...]:
    """Give the ranges of a rollout's (candidate, baseline) by index; `control` as in `Standing`."""
    parts = [(0, weight, candidate, Reason.BUCKET)]
    if control is None:
        parts.append((weight, BUCKETS, baseline, Reason.BUCKET))
    else:
        start = max(CONTROL_START, weight)
        end = min(start + control, BUCKETS)
        parts += [
            (weight, start, baseline, Reason.REST),
            (start, end, baseline, Reason.BUCKET),
            (end, BUCKETS, baseline, Reason.REST),
        ]
    return tuple(SlotRange(first, last, arm, reason) for first, last, arm, reason in parts if first < last)
