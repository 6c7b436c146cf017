"""What a file would change of a running gateway: which users move, and which rollouts begin again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from gateway.cli.client import OperatorsClient
from gateway.domain.edit import OnEdit
from gateway.domain.release import Release, ReleaseKind
from gateway.domain.rollout import RolloutPlan
from gateway.processes.rollout_views import plan_view
from gateway.settings.compile import Compiled
from gateway.settings.edits import Serving

_NOT_COMPARED = frozenset({"is_edit"})


@dataclass(frozen=True, slots=True)
class Change:
    """
    What becomes of one route.

    Attributes:
        route: Its name.
        moved_pct: Share of its buckets that get another arm, in [0, 100].
        sentence: What that means.
    """

    route: str
    moved_pct: float
    sentence: str


class Running:
    """What a gateway says about itself: its configuration, and its rollouts where it steers any."""

    def __init__(self, client: OperatorsClient) -> None:
        """Ask; raises UnreachableError."""
        self._client = client
        config = client.get("/api/config")
        self.routes: Mapping[str, Any] = config.body.get("routes", {})
        self.config_hash: str = config.body.get("config_hash", "")
        steering = client.get("/api/rollouts")
        listed = steering.body.get("rollouts", []) if steering.status == 200 else []
        self.rollouts: dict[str, Any] = {each["release"]: each for each in listed}

    @property
    def serving(self) -> Serving:
        """Give the content of every arm, by release."""
        return {
            route["release"]["name"]: {
                arm["variant"]: route["variants"][arm["variant"]]["content_hash"]
                for arm in route["release"]["arms"]
                if arm["variant"] in route["variants"]
            }
            for route in self.routes.values()
        }

    def plan(self, release: str) -> Mapping[str, Any] | None:
        """Give the plan of a running rollout; None where it cannot be had."""
        reply = self._client.get(f"/api/rollouts/{quote(f'release:{release}', safe='')}")
        plan = reply.body.get("plan") if reply.status == 200 else None
        return plan if isinstance(plan, dict) else None


def changes_of(compiled: Compiled, running: Running) -> list[Change]:
    """Give what becomes of every route, in the file's order; then of those that it no longer has."""
    changes = []
    for route in compiled.routes:
        before = running.routes.get(route.name)
        if before is None:
            changes.append(Change(route.name, 0.0, "is new"))
            continue
        contents = {name: variant.content_hash for name, variant in route.variants.items()}
        changes.append(_change(compiled, running, route.name, before, route.release, contents))
    gone = [name for name in running.routes if name not in {route.name for route in compiled.routes}]
    return changes + [Change(name, 100.0, "is gone: its callers get the default provider, or 404") for name in gone]


def _change(
    compiled: Compiled,
    running: Running,
    name: str,
    before: Mapping[str, Any],
    release: Release,
    contents: Mapping[str, str],
) -> Change:
    weights = {arm["variant"]: arm["weight_pct"] for arm in before["release"]["arms"]}
    is_renamed = before["release"]["name"] != release.name
    after = {arm.name: arm.weight / 100 for arm in release.arms}
    if release.kind is ReleaseKind.ROLLOUT:
        return _rollout_change(compiled, running, name, before, release, contents, weights)
    served = {arm: before["variants"].get(arm, {}).get("content_hash") for arm in weights}
    edited = [arm for arm in after if arm in served and served[arm] != contents[arm]]
    if release.kind is ReleaseKind.FIXED:
        only = release.arms[0].name
        rule = compiled.edits[release.name]
        in_rollout = before["release"]["kind"] == "rollout" and release.name in running.rollouts
        is_edit = in_rollout and running.rollouts[release.name].get("is_edit")
        if is_edit and not edited:
            return Change(name, 0.0, f"goes on rolling out the edit of {only!r}; nobody moves")
        if edited and rule.on_edit is OnEdit.ROLLOUT:
            moved = weights.get(only, 0.0) if is_edit else 0.0
            again = "begins a rollout of the edit anew" if is_edit else "turns the edit into a rollout"
            return Change(name, moved, f"{again}: nobody gets the new {only!r} at once")
    moved = shuffled(weights, after) if is_renamed else moved_between(weights, after)
    sentence = "moves nobody" if not moved else "changes arms"
    if is_renamed and moved:
        sentence = f"has a new release name, and divides its users anew ({before['release']['name']} → {release.name})"
    if edited:
        sentence += f"; {', '.join(edited)} answers differently at once"
    return Change(name, moved, sentence)


def _rollout_change(
    compiled: Compiled,
    running: Running,
    name: str,
    before: Mapping[str, Any],
    release: Release,
    contents: Mapping[str, str],
    weights: Mapping[str, float],
) -> Change:
    plan = compiled.plans[release.name]
    assert isinstance(plan, RolloutPlan)
    held = {arm: share for arm, share in weights.items() if arm != plan.baseline}
    is_running = before["release"]["name"] == release.name and release.name in running.rollouts
    served = {arm: before["variants"].get(arm, {}).get("content_hash") for arm in weights}
    is_same = is_running and all(served.get(arm.name) == contents[arm.name] for arm in release.arms)
    if not is_same:
        moved = sum(held.values())
        if is_running:
            what = "begins its rollout again: what it rolls out was changed"
        else:
            what = f"begins a rollout of {plan.candidate!r} at its first stage"
        return Change(name, moved, f"{what}; whoever had another arm gets {plan.baseline!r}")
    known = running.plan(release.name)
    if known is None or _spelled(known) == _spelled(orjson.loads(orjson.dumps(plan_view(plan)))):
        return Change(name, 0.0, "goes on with its rollout; nobody moves")
    return Change(name, 0.0, "goes on with its rollout under a changed plan; nobody moves")


def moved_between(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """
    Give the percent of users that change arm: as few as the shares allow.

    >>> moved_between({"a": 90.0, "b": 10.0}, {"a": 70.0, "b": 30.0})
    20.0
    """
    arms = before.keys() | after.keys()
    return round(sum(max(0.0, before.get(arm, 0.0) - after.get(arm, 0.0)) for arm in arms), 2)


def shuffled(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """
    Give the percent of users that change arm when they are divided anew.

    >>> shuffled({"a": 50.0, "b": 50.0}, {"a": 50.0, "b": 50.0})
    50.0
    """
    return round(100 - sum(share * after.get(arm, 0.0) for arm, share in before.items()) / 100, 2)


def _spelled(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plan.items() if key not in _NOT_COMPARED}
