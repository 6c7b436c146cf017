"""Which arm a user gets, and why, for people who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from unicodedata import normalize

from gateway.assign.choose import choose
from gateway.assign.identity import CompiledIdentity
from gateway.domain.table import RoutingTable


def explain_assignment(
    table: RoutingTable, route_name: str, user: str, segments: Mapping[str, str]
) -> dict[str, Any] | None:
    """Give which arm `user` gets on a route and why, or None when there is no such route."""
    route = table.route(route_name)
    if route is None:
        return None
    unit_key = normalize("NFC", user.strip())
    internal_users = CompiledIdentity(table.head.identity).internal_users
    assignment = choose(
        route.release, unit_key or None, user=unit_key, segments=segments, internal_users=internal_users
    )
    arm = route.release.arms[assignment.arm]
    return {
        "route": route_name,
        "release": route.release.name,
        "unit": str(route.release.unit),
        "user": unit_key,
        "segments": dict(segments),
        "arm": arm.name,
        "role": str(arm.role),
        "reason": str(assignment.reason),
        "slot": assignment.slot,
        "epoch": route.release.epoch,
        "ranges": [asdict(slots) for slots in route.release.ranges],
        "version": table.head.version,
        "config_hash": table.head.config_hash,
    }
