"""Routes with flags, and contexts that ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from gateway.assign.flags import FlagSource
from gateway.assign.identity import CompiledIdentity
from gateway.domain.flag import Flag, FlagProblem
from gateway.domain.identity import Identity
from gateway.domain.release import Unit
from gateway.domain.request_view import RequestView
from gateway.domain.route import Expose, Route
from gateway.wire.ofrep import parse_context
from tests.fakes.tables import route, variant

RAG = Flag("rag", {"current": b'{"top_k":5}', "concise": b'{"top_k":8}'})


def flagged(name: str = "support", *, arms: int = 2, unit: Unit = Unit.USER, is_shown: bool = True) -> Route:
    """Give a route of which `current` and `concise` have half of the users each, with the flag `rag`."""
    made = route([variant("current"), variant("concise")], name=name, arms=arms, expose=Expose(variant=is_shown))
    return replace(made, flags=(RAG,), release=replace(made.release, unit=unit))


def source(routes: Iterable[Route], identity: Identity | None = None) -> FlagSource:
    """Give these routes' flags."""
    by_name = {each.name: each for each in routes}
    return FlagSource(tuple(by_name), by_name.get, CompiledIdentity(identity or Identity()))


def context_body(user: str | None = None, **attributes: Any) -> bytes:
    """Give the request that asks for this user."""
    key = {} if user is None else {"targetingKey": user}
    return msgspec.json.encode({"context": key | attributes})


def context(user: str | None = None, **attributes: Any) -> RequestView:
    """Give that request's context."""
    parsed = parse_context(context_body(user, **attributes))
    assert not isinstance(parsed, FlagProblem)
    return parsed
