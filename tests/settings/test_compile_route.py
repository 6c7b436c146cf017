"""Routes as a whole: what their variants and their release must agree on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled
from gateway.settings.compile_route import Known, compile_routes
from gateway.settings.scope import Scope

Compile = Callable[..., Compiled]
MakeScope = Callable[..., Scope]


def test_routes_in_file_order(make_scope: MakeScope) -> None:
    """Each comes with the buckets to be remembered, and with what it was compiled from."""
    scope = make_scope(top="  s: {variants: {a: {}}, release: {name: exp, fixed: {variant: a}}}")
    compiled = compile_routes(scope, Allocations(), Known())
    assert [(name, one.release_name) for name, one in compiled.items()] == [("r", "r"), ("s", "exp")]
    assert compiled["r"].allocation.weights == (("a", 5_000), ("b", 5_000))


def test_buckets_stay(make_scope: MakeScope) -> None:
    """Divided once more by the same weights nothing moves: a kept route counts on it."""
    once = compile_routes(make_scope(), Allocations(), Known())["r"]
    again = compile_routes(make_scope(), Allocations({"r": once.allocation}), Known())["r"]
    assert (again.route, again.allocation) == (once.route, once.allocation)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"provider": "{base_url: 'https://h', auth: client}", "route": "fallback: [b]"}, "with the client's own key"),
        ({"a": "{model: text-embedding-3}", "b": "{model: m}"}, "variants of an embeddings route differ"),
    ],
)
def test_contradictions_are_refused(compile_parts: Compile, parts: dict[str, str], problem: str) -> None:
    """What is right in each part and wrong in the whole is found."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(**parts)
