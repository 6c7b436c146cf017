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

from gateway.domain.rollout import Plan
from gateway.domain.route import Route
from gateway.settings.allocations import Allocation
from gateway.settings.document.route import RouteSection
from gateway.settings.findings import Warned
from gateway.settings.prices import PriceList
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
        around: What it read of other sections, spelled out.
        providers: The providers its variants name, spelled out.
        section: The section, its shape known to be right.
        route: What it became.
        plan: Of its release; None where it has none.
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
    providers: Mapping[str, bytes]
    section: RouteSection
    route: Route
    plan: Plan | None
    release_name: str
    previous: Allocation | None
    allocation: Allocation
    texts: Mapping[str, bytes] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    variables: Mapping[str, str | None] = field(repr=False)
    warned: tuple[Warned, ...] = ()

    def is_still_right(self, scope: Scope, previous: Allocation | None, written: bytes, around: Around) -> bool:
        """Tell whether compiling again would give the same; reads the files it was compiled from."""
        if (written, around.seen_by(self.section)) != (self.written, self.around):
            return False
        if any(around.providers.get(name) != spelled for name, spelled in self.providers.items()):
            return False
        if previous not in (self.allocation, self.previous):
            return False
        if any(scope.environ.get(name) != value for name, value in self.variables.items()):
            return False
        try:
            return all(scope.files.read_bytes(name) == raw for name, raw in self.texts.items()) and all(
                scope.files.read_secret_bytes(name) == raw for name, raw in self.secrets.items()
            )
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Around:
    """
    What routes read of other sections, spelled out.

    Attributes:
        everywhere: All of it but the following.
        providers: Each, by name: a route reads those that its variants name.
        routes: The names of all routes: a shadow's judge is one of them.
    """

    everywhere: bytes
    providers: Mapping[str, bytes]
    routes: bytes

    def seen_by(self, section: RouteSection) -> bytes:
        """Give what this route reads beside providers."""
        return self.everywhere + self.routes if section.shadows else self.everywhere


class Memo:
    """
    The routes of the last file, by name, and what was looked up of prices. Belongs to one compiler.

    A compilation takes `kept` once and replaces it whole at its end: one that was given up and still
    runs somewhere disturbs no other.
    """

    __slots__ = ("kept", "prices")

    def __init__(self, prices: PriceList | None = None) -> None:
        self.kept: Mapping[str, Kept] = {}
        self.prices = prices or PriceList()

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


def spell_around(root: Mapping[str, Any], judging: Iterable[str] = ()) -> Around | None:
    """
    Give what routes read of other sections; None when it is too deep to be spelled out.

    Args:
        root: The file's values.
        judging: What routes read of judges that is not in other sections: their names, and rubrics out of files.
    """
    sections = _without(root, _NOT_READ_BY_ROUTES)
    if "identity" in sections:
        sections["identity"] = _without(sections["identity"], _NOT_READ_OF_IDENTITY)
    providers = sections.get("providers")
    spelled: dict[str, bytes | None] = {}
    if isinstance(providers, dict):
        spelled = {name: _spell(_without(one, _NOT_READ_OF_PROVIDERS)) for name, one in providers.items()}
        sections["providers"] = list(providers)
    everywhere, routes = _spell([sections, list(judging)]), _spell(sorted(root["routes"]))
    known = {name: one for name, one in spelled.items() if one is not None}
    if everywhere is None or routes is None or len(known) < len(spelled):
        return None
    return Around(everywhere, known, routes)


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
