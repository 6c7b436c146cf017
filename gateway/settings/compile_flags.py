"""From `flags` to flags: every arm gets a value of one kind, so that no user meets an app that cannot read it."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain.flag import Flag
from gateway.domain.release import Release
from gateway.settings.document.route import RouteSection
from gateway.settings.document.scalars import shown
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

MAX_FLAGS = 100
"""Of one route."""

MAX_VALUE_BYTES = 4 * 1024
"""Of one value as JSON: a flag is a setting, and every app holds all of them."""

_KINDS = {bool: "a boolean", int: "a whole number", float: "a number", str: "text", dict: "an object", list: "a list"}


def compile_flags(scope: Scope, path: KeyPath, section: RouteSection, release: Release) -> tuple[Flag, ...]:
    """
    Give a route's flags, with a value for each arm of its release; what is wrong with one leaves findings.

    An arm that a flag does not name has the value of the variant it is `like`, a factorial's cell that of its base.
    """
    if len(section.flags) > MAX_FLAGS:
        scope.findings.refuse(path, f"{len(section.flags)} flags", f"at most {MAX_FLAGS} per route", key=True)
        return ()
    arms = [arm.name for arm in release.arms]
    for name, settings in section.flags.items():
        _check_variants(scope, (*path, name), settings, {*section.variants, *arms})
        _check_values(scope, (*path, name), settings)
    return tuple(_flag(scope, path, section, name, arms) for name in section.flags)


def check_flag_keys(scope: Scope) -> None:
    """Refuse a key that means two things, of any two routes: only where a route's name has a dot can there be one."""
    routes = scope.document.routes
    if not any("." in route for route in routes):
        return
    taken = {route: route for route in routes}
    for route, section in routes.items():
        for name in section.flags:
            key = f"{route}.{name}"
            if (other := taken.setdefault(key, route)) != route:
                problem = f"the key {key!r} also means something of the route {other!r}"
                scope.findings.refuse(("routes", route, "flags", name), problem, "rename the flag", key=True)


def _flag(scope: Scope, path: KeyPath, section: RouteSection, name: str, arms: list[str]) -> Flag:
    values: dict[str, bytes] = {}
    for arm in arms:
        written = _written_for(section, name, arm)
        if written is None:
            problem = f"the flag {name!r} has no value for {arm!r}, whose users ask for it too"
            scope.findings.refuse((*path, name), problem, f"give {arm!r} a value", key=True)
        else:
            values[arm] = msgspec.json.encode(section.flags[name][written])
    return Flag(name, values)


def _written_for(section: RouteSection, flag: str, arm: str) -> str | None:
    """Give under which variant's name the arm's value is written."""
    at: str | None = arm
    if arm not in section.variants and arm not in section.flags[flag] and section.release.factorial is not None:
        at = section.release.factorial.base
    seen: set[str] = set()
    while at is not None and at not in section.flags[flag] and at not in seen:
        seen.add(at)
        variant = section.variants.get(at)
        at = None if variant is None else variant.like
    return at if at in section.flags[flag] else None


def _check_variants(scope: Scope, path: KeyPath, settings: dict[str, Any], known: set[str]) -> None:
    for variant in settings:
        if variant not in known:
            scope.findings.refuse_unknown((*path, variant), "variant", variant, sorted(known), key=True)


def _check_values(scope: Scope, path: KeyPath, settings: dict[str, Any]) -> None:
    """Refuse what JSON or a typed client cannot carry."""
    first: tuple[str, str] | None = None
    for variant, value in settings.items():
        kind = _KINDS.get(type(value))
        at = (*path, variant)
        if kind is None:
            scope.findings.refuse(at, f"{shown(value)} is no value for a flag", f"write {', '.join(_KINDS.values())}")
        elif len(msgspec.json.encode(value)) > MAX_VALUE_BYTES:
            scope.findings.refuse(at, "the value is too large", f"at most {MAX_VALUE_BYTES} bytes as JSON")
        elif first is None:
            first = (variant, kind)
        elif kind != first[1]:
            problem = f"{shown(value)} is {kind}, and the value of {first[0]!r} is {first[1]}: apps read one kind"
            scope.findings.refuse(at, problem, "write both alike, such as 5.0 beside 0.5")
