"""
What was compiled before, so that an edit costs what it changed.

A route is compiled again when anything it was compiled from is another: its section, what it names in
other sections, how its release was divided, files and variables it read. Only routes without errors
are kept; their warnings are told again, because they may stand on another line by now. With and
without a memo the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.domain.route import Route
from gateway.settings.allocations import Allocation
from gateway.settings.document.route import RouteSection
from gateway.settings.findings import Warned
from gateway.settings.scope import Scope

_NOT_READ_BY_ROUTES = frozenset({"routes", "alerts"})
_NOT_READ_OF_PROVIDERS = frozenset({"timeouts", "retries", "max_connections", "keepalive"})
_NOT_READ_OF_IDENTITY = frozenset({"internal_users"})


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A compiled route and what it was compiled from.

    Attributes:
        written: The route's section, spelled out.
        around: What routes read of other sections, spelled out.
        section: The section, its shape known to be right.
        route: What it became.
        release_name: Whose buckets these are.
        previous: How the release had been divided; None for never.
        allocation: How it is divided now. Divided once more it would be the same.
        texts: Named files and what was in them.
        secrets: The same of files that hold secrets.
        variables: The environment's variables that were read; None for one that was not set.
        warned: The warnings that were given.
    """

    written: bytes
    around: bytes
    section: RouteSection
    route: Route
    release_name: str
    previous: Allocation | None
    allocation: Allocation
    texts: Mapping[str, bytes] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    variables: Mapping[str, str | None] = field(repr=False)
    warned: tuple[Warned, ...] = ()

    def is_still_right(self, scope: Scope, previous: Allocation | None, written: bytes, around: bytes) -> bool:
        """Tell whether compiling again would give the same; reads the files it was compiled from."""
        if (written, around) != (self.written, self.around) or previous not in (self.allocation, self.previous):
            return False
        if any(scope.environ.get(name) != value for name, value in self.variables.items()):
            return False
        try:
            return all(scope.files.read_bytes(name) == raw for name, raw in self.texts.items()) and all(
                scope.files.read_secret_bytes(name) == raw for name, raw in self.secrets.items()
            )
        except OSError:
            return False


class Memo:
    """
    The routes of the last file, by name. Belongs to one compiler.

    A compilation takes `kept` once and replaces it whole at its end: one that was given up and still
    runs somewhere disturbs no other.
    """

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: Mapping[str, Kept] = {}

    def __repr__(self) -> str:
        """Give the count."""
        return f"<Memo of {len(self.kept)} routes>"


def spell_routes(root: Any) -> dict[str, bytes]:
    """Give every route's section spelled out, by name; what is not the shape of one, or too deep, is left out."""
    routes = root.get("routes") if isinstance(root, dict) else None
    if not isinstance(routes, dict):
        return {}
    spelled = {name: _spell(section) for name, section in routes.items()}
    return {name: written for name, written in spelled.items() if written is not None}


def spell_around(root: Mapping[str, Any]) -> bytes | None:
    """Give what routes read of other sections, spelled out; None when it is too deep."""
    around = _without(root, _NOT_READ_BY_ROUTES)
    if isinstance(providers := around.get("providers"), dict):
        around["providers"] = {name: _without(one, _NOT_READ_OF_PROVIDERS) for name, one in providers.items()}
    if "identity" in around:
        around["identity"] = _without(around["identity"], _NOT_READ_OF_IDENTITY)
    return _spell(around)


def spell_names(routes: Iterable[str]) -> bytes:
    """Give the names of all routes spelled out: a shadow's judge is one of them."""
    return orjson.dumps(sorted(routes))


def _without(section: Any, keys: frozenset[str]) -> Any:
    if not isinstance(section, dict):
        return section
    return {key: value for key, value in section.items() if key not in keys}


def _spell(value: Any) -> bytes | None:
    # Not ==: 1, 1.0 and true are one to Python and three to a provider.
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return None
