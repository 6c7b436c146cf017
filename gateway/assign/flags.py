"""
What a flag is for a user: the arm that the gateway itself would give, and that arm's value.

A context stands in for a request. Where the arm would follow from something that only the request has, the answer is
a problem and never a guess: a user who is told one arm and answered by another is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from unicodedata import normalize

import msgspec

from gateway.assign.choose import choose
from gateway.assign.identity import CompiledIdentity
from gateway.domain.flag import Evaluation, Flag, FlagErrorCode, FlagProblem
from gateway.domain.identity import WithoutUser
from gateway.domain.release import Assignment, Reason, Release, Unit
from gateway.domain.request_view import RequestView
from gateway.domain.route import Route

TARGETING_KEY = "targetingKey"
"""OpenFeature's name for the user id."""

CONVERSATION = "conversation"
"""The attribute that names the conversation, for releases that divide those."""

MAX_NAME_CHARS = 64
"""Of a route's name: what comes later in a key is a flag's."""

REASONS = {
    Reason.BUCKET: "SPLIT",
    Reason.REST: "SPLIT",
    Reason.ONLY_ARM: "STATIC",
    Reason.NO_USER: "DEFAULT",
    Reason.NOT_IN_AUDIENCE: "DEFAULT",
    Reason.INTERNAL: "TARGETING_MATCH",
    Reason.OVERRIDE: "TARGETING_MATCH",
    Reason.BREAKER_OPEN: "DISABLED",
}
"""OpenFeature's word for each of ours."""


class FlagSource(NamedTuple):
    """
    Where flags are looked up: one table, as whoever answers holds it.

    Attributes:
        route_names: Every route's.
        route_of: Gives a route as it stands; None where there is none.
        identity: The table's, compiled.
    """

    route_names: tuple[str, ...]
    route_of: Callable[[str], Route | None]
    identity: CompiledIdentity


def find_flag(source: FlagSource, key: str) -> tuple[Route, Flag | None] | None:
    """
    Give the route and the flag that a key means, or None.

    A route's own name is its own flag, whose value is the arm; `route.flag` is one of its flags. Both may have dots
    in them: the configuration has no two flags of one key.
    """
    route = source.route_of(key)
    if route is not None:
        return (route, None) if route.expose.variant else None
    at = key.find(".")
    while 0 <= at <= MAX_NAME_CHARS:
        route, name = source.route_of(key[:at]), key[at + 1 :]
        if route is not None:
            for flag in route.flags:
                if flag.name == name:
                    return route, flag
        at = key.find(".", at + 1)
    return None


def evaluate_flag(source: FlagSource, key: str, context: RequestView) -> Evaluation | FlagProblem:
    """Give what a flag is for whom the context describes."""
    found = find_flag(source, key)
    if found is None:
        problem = f"there is no flag {key[:200]!r}; flags are called ROUTE or ROUTE.FLAG"
        return FlagProblem(FlagErrorCode.FLAG_NOT_FOUND, problem)
    route, flag = found
    assigned = assign_context(route.release, source.identity, context)
    return assigned if isinstance(assigned, FlagProblem) else _evaluation(route, flag, assigned)


def evaluate_route(
    source: FlagSource, route: Route, context: RequestView
) -> Iterator[tuple[str, Evaluation | FlagProblem]]:
    """Give every flag of a route with its key, its own first: one choice for all of them."""
    flags: tuple[Flag | None, ...] = (None, *route.flags) if route.expose.variant else route.flags
    if not flags:
        return
    assigned = assign_context(route.release, source.identity, context)
    for flag in flags:
        told = assigned if isinstance(assigned, FlagProblem) else _evaluation(route, flag, assigned)
        yield key_of(route, flag), told


def assign_context(release: Release, identity: CompiledIdentity, context: RequestView) -> Assignment | FlagProblem:
    """
    Give the arm that a request of this user would get.

    Args:
        release: How the route's traffic is divided now.
        identity: The table's, compiled.
        context: Its `body` gives attributes by name; nothing else is asked.

    Returns:
        A problem where the request would be divided by something that the context does not say.
    """
    user = _text(context, TARGETING_KEY)
    unit_key = {Unit.USER: user, Unit.CONVERSATION: _text(context, CONVERSATION), Unit.REQUEST: None}[release.unit]
    segments = segments_of(identity, context)
    assignment = choose(release, unit_key, user=user, segments=segments, internal_users=identity.internal_users)
    if assignment.reason is not Reason.NO_USER:
        return assignment
    return _why_unknown(release, identity) or assignment


def segments_of(identity: CompiledIdentity, context: RequestView) -> dict[str, str]:
    """Give each segment from the attribute of its name; one with a pattern is `true` only where that says so."""
    values: dict[str, str] = {}
    for segment in identity.identity.segments:
        value = _text(context, segment.name)
        if segment.pattern is not None:
            values[segment.name] = "true" if value == "true" else "false"
        elif value is not None:
            values[segment.name] = value
    return values


def key_of(route: Route, flag: Flag | None) -> str:
    """Give what apps ask for."""
    return route.name if flag is None else f"{route.name}.{flag.name}"


def _why_unknown(release: Release, identity: CompiledIdentity) -> FlagProblem | None:
    """Say why a context without a unit does not tell the arm; None where such requests get the baseline."""
    if release.unit is Unit.REQUEST:
        problem = f"release {release.name!r} divides requests one by one: no user has an arm before the request"
        return FlagProblem(FlagErrorCode.GENERAL, problem)
    if release.unit is Unit.CONVERSATION:
        problem = f"release {release.name!r} divides conversations: send the attribute {CONVERSATION!r}"
        return FlagProblem(FlagErrorCode.INVALID_CONTEXT, problem)
    if identity.identity.without_user is not WithoutUser.BASELINE:
        problem = "requests without a user are divided by something else here: send a targetingKey"
        return FlagProblem(FlagErrorCode.TARGETING_KEY_MISSING, problem)
    return None


def _evaluation(route: Route, flag: Flag | None, assignment: Assignment) -> Evaluation | FlagProblem:
    arm = route.release.arms[assignment.arm].name
    value = msgspec.json.encode(arm) if flag is None else flag.values.get(arm)
    if value is None:
        return FlagProblem(FlagErrorCode.GENERAL, f"the flag {key_of(route, flag)!r} has no value for this user's arm")
    metadata = {"route": route.name, "why": str(assignment.reason)}
    if route.expose.variant:
        metadata["release"] = route.release.name
    variant = arm if route.expose.variant else ""
    return Evaluation(key_of(route, flag), value, variant, REASONS[assignment.reason], metadata)


def _text(context: RequestView, name: str) -> str | None:
    """Give an attribute in the form identity gives: stripped, in NFC, never empty."""
    value = (context.body((name,)) or "").strip()
    return normalize("NFC", value) or None
