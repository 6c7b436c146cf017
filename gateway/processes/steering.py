"""
Joins the controller to the file and to the facts: what a compiled file means for it, and what it is told of.

An edit of the variant that everybody gets becomes a rollout here, for only here both contents are known: the one in
the file, and the one that the controller keeps as good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.assign.allocation import range_of
from gateway.assign.bucketing import slot_in, slot_of
from gateway.assign.standing import rollout_ranges
from gateway.control.alerts import Alerts, Post, opened_post
from gateway.control.controller import Controller
from gateway.control.ports import Keeper
from gateway.domain.alert import AlertTarget
from gateway.domain.edit import EditRule, OnEdit, plan_of_edit
from gateway.domain.metric import Metric
from gateway.domain.release import Reason
from gateway.domain.rollout import Control, Plan, RolloutPlan
from gateway.domain.route import Route
from gateway.domain.standing import Standing
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Variant
from gateway.errors import ConfigError, Finding
from gateway.processes.rollout_meters import RolloutMeter
from gateway.record.sighted import Sighted
from gateway.telemetry.accumulate import Observation

log = logging.getLogger(__name__)

ACKNOWLEDGED_WITHIN_S = 2.0
TOLD_WITHIN_S = 0.5
"""For alerts on their way when the process ends; the parent waits four seconds for all of it."""

TICK_S = 0.5
"""A candidate that fails is taken away within a second of the fact that decides it; this is half of that."""


class Published(Protocol):
    """Who knows the table in use; `control.publish` is the real one."""

    @property
    def table(self) -> RoutingTable | None:
        """Give it."""
        ...


class Fleet(Protocol):
    """Who knows which workers serve which table; `processes.link` is the real one."""

    async def wait_acknowledged(self, version: int, timeout_s: float) -> tuple[int, int]:
        """Wait until every worker uses this version; give what came of it in time."""
        ...


class Watchman(Protocol):
    """Gathers facts of the releases that are watched; `record.sighted` is the real one."""

    def watch(self, releases: Any) -> None:
        """Watch exactly these releases and their metrics."""
        ...


class Listeners(Protocol):
    """Who is told of decisions; `control.alerts` is the real one."""

    def retarget(self, targets: Sequence[AlertTarget]) -> None:
        """Tell exactly these from now on."""
        ...


class Steering:
    """Implements `control.publish.Steering`."""

    def __init__(
        self,
        controller: Controller,
        watchman: Watchman,
        *,
        config: str,
        allows_edits: bool = False,
        alerts: Listeners | None = None,
    ) -> None:
        """
        Join them.

        Args:
            controller: Decides.
            watchman: Is told what to watch.
            config: The file's name, for findings.
            allows_edits: Every edit serves everybody at once, whatever `on_edit` says: `serve --dev`.
            alerts: Is told whom to tell.
        """
        self._alerts = alerts
        self._controller = controller
        self._watchman = watchman
        self._config = config
        self._allows_edits = allows_edits
        self._watch(controller.plans)

    def check(self, compiled: Any) -> None:
        """
        See whether a file could be taken over; changes nothing.

        Raises:
            ConfigError: As of `admit`.
        """
        routes: dict[str, Route] = {route.release.name: route for route in compiled.routes}
        for release, rule in compiled.edits.items():
            self._good_of(rule, routes[release].variants[rule.variant], compiled.head.providers)

    def admit(self, compiled: Any) -> None:
        """
        Take over what a new file says, before it is published.

        Raises:
            ConfigError: An edit is being rolled out whose old content calls a provider that the file no longer has.
            StateError: What an edit comes from cannot be kept.
        """
        routes: dict[str, Route] = {route.release.name: route for route in compiled.routes}
        plans: dict[str, Plan] = dict(compiled.plans)
        served: dict[str, Variant] = {}
        for release, rule in compiled.edits.items():
            variant = served[release] = routes[release].variants[rule.variant]
            good = self._good_of(rule, variant, compiled.head.providers)
            if good is not None:
                plans[release] = self._plan_of(rule, good, variant)
        self._controller.admit(
            plans,
            served=served,
            epochs={name: route.release.epoch for name, route in routes.items()},
            config_version=compiled.head.version,
            config_hash=compiled.head.config_hash,
        )
        if self._alerts is not None:
            self._alerts.retarget(compiled.alerts)
        self._watch(plans)

    def standings(self) -> Mapping[str, Standing]:
        """Give how releases stand, by name."""
        return self._controller.standings()

    def weights_of(self, release: str, epoch: int) -> Mapping[str, int] | None:
        """Give the buckets each arm is compared by in an epoch; None where nobody knows it."""
        rollout = self._controller.rollout(release)
        if rollout is not None:
            plan = rollout.plan
            for mark in reversed(rollout.epochs):
                if mark.epoch == epoch:
                    return {plan.candidate: mark.weight, plan.baseline: mark.control}
            return None
        course = self._controller.course(release)
        if course is not None:
            return next((dict(mark.weights) for mark in reversed(course.marks) if mark.epoch == epoch), None)
        split = self._controller.split(release)
        return None if split is None else dict(split.weights)

    def is_compared(self, release: str, epoch: int, arm: str, unit_hash: int) -> bool:
        """Say whether a unit has an arm of a rollout by its bucket, in the slice that is compared in this epoch."""
        rollout = self._controller.rollout(release)
        mark = None if rollout is None else next((one for one in rollout.epochs if one.epoch == epoch), None)
        if rollout is None or mark is None:
            return True
        control = mark.control if rollout.plan.control is Control.EQUAL else None
        owned = range_of(rollout_ranges(mark.weight, 0, 1, control), slot_of(unit_hash))
        name = rollout.plan.baseline if owned.arm else rollout.plan.candidate
        return owned.reason is Reason.BUCKET and name == arm

    def _good_of(self, rule: EditRule, served: Variant, providers: Mapping[str, Any]) -> Variant | None:
        """Give the content that an edit is rolled out from; None where there is nothing to roll out."""
        if rule.on_edit is not OnEdit.ROLLOUT or self._allows_edits:
            return None
        good = self._controller.baseline_of(rule.release, served)
        if good is None:
            return None
        if good.provider not in providers:
            path = f"routes.{rule.route}.variants.{rule.variant}"
            problem = f"its edit is rolled out from a content that calls the provider {good.provider!r}, which is gone"
            remedy = "keep the provider until the rollout has ended, or write on_edit: allow"
            raise ConfigError([Finding(self._config, 1, 1, path, problem, remedy)])
        return good

    def _watch(self, plans: Mapping[str, Plan]) -> None:
        self._watchman.watch([(release, _metrics_of(plan)) for release, plan in plans.items()])

    def _plan_of(self, rule: EditRule, good: Variant, served: Variant) -> RolloutPlan:
        plan = plan_of_edit(rule, good, served)
        if rule.release not in self._controller.rollouts:
            log.warning(
                "an edit of what everybody gets becomes a rollout; `sluice promote %s --to 100%%` skips it",
                rule.route,
                extra={"release": rule.release, "change_type": str(plan.change_type), "first": plan.stages[0].label},
            )
        return plan


def _metrics_of(plan: Plan) -> dict[str, Metric]:
    watched = {signal.metric for signal in plan.signals if signal.metric is not None}
    return {name: metric for name, metric in plan.metrics.items() if name in watched}


class ArmNow:
    """Says which arm a unit has in the table in use: for feedback by user, which names none."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._table: RoutingTable | None = None
        self._routes: dict[str, str] = {}

    def __call__(self, release: str, unit_hash: int) -> tuple[int, str] | None:
        """Give the epoch and arm that a unit has now, by its hash; None where it is not compared."""
        route = self._route_of(release)
        if route is None:
            return None
        owned = range_of(route.release.ranges, slot_in(route.release, unit_hash))
        if owned.reason is not Reason.BUCKET:
            return None
        return route.release.epoch, route.release.arms[owned.arm].name

    def _route_of(self, release: str) -> Route | None:
        table = self._published.table
        if table is None:
            return None
        if table is not self._table:
            routes = [route for name in table.route_names if (route := table.route(name)) is not None]
            self._routes = {route.release.name: route.name for route in routes}
            self._table = table
        name = self._routes.get(release)
        return None if name is None else table.route(name)


class ServedTable:
    """Waits until the workers serve the table in use."""

    def __init__(self, published: Published, fleet: Fleet) -> None:
        self._published = published
        self._fleet = fleet

    async def __call__(self) -> tuple[int, int, int]:
        """Give its version, how many workers serve it, and how many should."""
        table = self._published.table
        if table is None:
            return 0, 0, 0
        version = table.head.version
        n_acked, n_slots = await self._fleet.wait_acknowledged(version, ACKNOWLEDGED_WITHIN_S)
        return version, n_acked, n_slots


class OpenedOnce:
    """Posts alerts over the network; opened when there is the first to post."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._post: Post | None = None

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post, and give the status."""
        if self._post is None:
            self._post = await self._stack.enter_async_context(opened_post())
        return await self._post(url, body, headers)

    async def close(self) -> None:
        """Close every connection."""
        await self._stack.aclose()


@dataclass(frozen=True, slots=True)
class Steered:
    """
    What watches over rollouts, from the first table on.

    Attributes:
        controller: Decides.
        steering: Joins it to the file.
        keeper: Keeps what it decided, and the journal.
        sighted: Gathers what it decides from.
        alerts: Tells people.
        post: How webhooks are told.
        meter: Counts decisions.
        left_out: Gives how many facts no watch was told, by why.
    """

    controller: Controller
    steering: Steering
    keeper: Keeper
    sighted: Sighted
    alerts: Alerts
    post: OpenedOnce
    meter: RolloutMeter
    left_out: Callable[[], Mapping[str, int]] = dict

    def observe(self) -> Iterator[Observation]:
        """Give what metrics tell of rollouts."""
        return self.meter.observe(self.controller, self.alerts.tally)

    async def keep(self) -> None:
        """Look every half second, until cancelled; whatever goes wrong once is tried again."""
        self.alerts.open()
        while True:
            try:
                await self.controller.tick()
            except Exception:  # Nothing may end the watch over what users get.
                log.exception("the controller failed; trying again")
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Keep what was counted, and tell what is left to tell."""
        await self.controller.close()
        await self.alerts.drain(TOLD_WITHIN_S)
        await self.alerts.close()
        await self.post.close()
