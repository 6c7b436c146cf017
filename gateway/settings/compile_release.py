"""From `release` to a release: arms, weights and the buckets each of them owns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.assign.allocation import FREE, allocate
from gateway.domain.release import BUCKETS, Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.settings.allocations import Allocation
from gateway.settings.compile_adaptive import (
    bandit_arms,
    bandit_ranges,
    factorial_arms,
    factorial_ranges,
    factors_of,
    ladder_arms,
)
from gateway.settings.document.identity import MatchSection
from gateway.settings.document.release import ReleaseSection, SplitSection
from gateway.settings.document.rollout import RolloutSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

_EPOCHS = 65_536
_UNDIVIDED = frozenset(ReleaseKind) - {ReleaseKind.SPLIT}
"""Kinds that have no buckets of their own here: control says how they stand, or all of them are always as equal."""


def compile_release(
    scope: Scope,
    path: KeyPath,
    name: str,
    section: ReleaseSection,
    variants: Iterable[str],
    previous: Allocation | None,
) -> tuple[Release, Allocation] | None:
    """Give the release and what is to be remembered of it; None, with findings, when it cannot be."""
    known = list(variants)
    audience = _compile_audience(scope, path, section)
    arms = _compile_arms(scope, path, section, known)
    if arms is None:
        return None
    weights = tuple((arm.name, arm.weight) for arm in arms)
    epoch = 0
    if previous is not None:
        epoch = previous.epoch if _same_weights(previous.weights, weights) else (previous.epoch + 1) % _EPOCHS
    ranges = _first_ranges(section, arms) or _ranges_of(arms, previous)
    spelled = tuple((one.start, one.end, arms[one.arm].name) for one in ranges)
    if section.kind in _UNDIVIDED and previous is not None:
        # A split that comes back finds its users where it left them.
        spelled = previous.ranges
    release = Release(
        name=name,
        kind=section.kind,
        unit=Unit(section.unit),
        arms=arms,
        ranges=ranges,
        audience=audience,
        epoch=epoch,
        factors=() if section.factorial is None else factors_of(section.factorial),
    )
    return release, Allocation(epoch, weights, spelled)


def _first_ranges(section: ReleaseSection, arms: tuple[Arm, ...]) -> tuple[SlotRange, ...]:
    """Give the buckets of kinds that begin the same every time; none of those that go on from where they were."""
    if section.bandit is not None:
        return bandit_ranges(arms, section.bandit)
    if section.factorial is not None:
        return factorial_ranges(arms)
    return () if section.split is not None or section.fixed is not None else _ranges_of(arms, None)


def _compile_audience(scope: Scope, path: KeyPath, section: ReleaseSection) -> tuple[tuple[str, frozenset[str]], ...]:
    segments = scope.document.identity.segments
    for name, values in section.audience.items():
        at = (*path, "audience", name)
        if name not in segments:
            scope.findings.refuse_unknown(at, "segment", name, segments, key=True)
        elif isinstance(segments[name], MatchSection) and not set(values) <= {"true", "false"}:
            scope.findings.refuse(at, f"the segment {name!r} is a pattern: true or false", f"write {name}: true")
    return tuple((name, frozenset(values)) for name, values in section.audience.items())


def _compile_arms(scope: Scope, path: KeyPath, section: ReleaseSection, known: list[str]) -> tuple[Arm, ...] | None:
    at = (*path, section.kind.value)
    if section.fixed is not None:
        if section.fixed.variant in known:
            return (Arm(section.fixed.variant, Role.BASELINE, BUCKETS),)
        scope.findings.refuse_unknown((*at, "variant"), "variant", section.fixed.variant, known)
        return None
    if section.split is not None:
        return _compile_split(scope, at, section.split, known)
    if section.rollout is not None:
        return _compile_rollout(scope, at, section.rollout, known)
    if section.bandit is not None:
        return bandit_arms(scope, at, section.bandit, known)
    if section.ladder is not None:
        return ladder_arms(scope, at, section.ladder, known)
    return None if section.factorial is None else factorial_arms(scope, at, section.factorial)


def _compile_split(scope: Scope, path: KeyPath, split: SplitSection, known: list[str]) -> tuple[Arm, ...] | None:
    findings = scope.findings
    for name in split.arms:
        if name not in known:
            findings.refuse_unknown((*path, "arms", name), "variant", name, known, key=True)
    total = sum(split.arms.values())
    if total != BUCKETS:
        findings.refuse((*path, "arms"), f"weights add up to {total / 100:g}%", "make them 100%")
    baseline = split.baseline if split.baseline is not None else next(iter(split.arms))
    if baseline not in split.arms:
        findings.refuse_unknown((*path, "baseline"), "arm", baseline, split.arms)
    if total != BUCKETS or baseline not in split.arms or not set(split.arms) <= set(known):
        return None
    return tuple(
        Arm(name, Role.BASELINE if name == baseline else Role.CANDIDATE, weight) for name, weight in split.arms.items()
    )


def _ranges_of(arms: Sequence[Arm], previous: Allocation | None) -> tuple[SlotRange, ...]:
    weights = [arm.weight for arm in arms]
    baseline = next(index for index, arm in enumerate(arms) if arm.role is Role.BASELINE)
    if previous is None:
        return allocate(weights, baseline=baseline, previous=None)
    index_of = {arm.name: index for index, arm in enumerate(arms)}
    before = tuple(SlotRange(start, end, index_of.get(name, FREE)) for start, end, name in previous.ranges)
    return allocate(weights, baseline=baseline, previous=before)


def _same_weights(before: tuple[tuple[str, int], ...], now: tuple[tuple[str, int], ...]) -> bool:
    """Compare without order, and without arms that get nothing."""
    return {name: weight for name, weight in before if weight} == {name: weight for name, weight in now if weight}


def _compile_rollout(scope: Scope, path: KeyPath, rollout: RolloutSection, known: list[str]) -> tuple[Arm, ...] | None:
    """Give the candidate and the baseline, always in this order; nobody has the candidate until control says so."""
    findings = scope.findings
    names = (rollout.candidate, rollout.baseline)
    for key, name in zip(("candidate", "baseline"), names, strict=True):
        if name not in known:
            findings.refuse_unknown((*path, key), "variant", name, known)
    if rollout.baseline == rollout.candidate:
        findings.refuse((*path, "candidate"), "baseline and candidate are the same variant", "name another variant")
        return None
    if not set(names) <= set(known):
        return None
    return (Arm(rollout.candidate, Role.CANDIDATE, 0), Arm(rollout.baseline, Role.BASELINE, BUCKETS))
