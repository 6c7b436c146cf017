"""Routes as a whole: what their variants and their release must agree on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.route import SampleRule
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


def test_samples_and_redaction(compile_parts: Compile) -> None:
    """What is kept of texts, and what is taken out of them before, in the words of the domain; and no warning."""
    compiled = compile_parts(route="samples: {keep: 2.5%, for: 12h}\n    redact: [phone, email, phone]")
    (route,) = compiled.routes
    assert (route.samples, route.redact) == (SampleRule(250, 43_200.0), ("phone", "email"))
    assert compiled.warnings == ()


@pytest.mark.parametrize(("keep", "rule"), [("0.001%", SampleRule(1, 604_800.0)), ("0%", None)])
def test_smallest_samples(compile_parts: Compile, keep: str, rule: SampleRule | None) -> None:
    """However small a share is written, some requests are in it; none at all is what 0 % says."""
    (route,) = compile_parts(route=f"samples: {{keep: {keep}}}").routes
    assert route.samples == rule


@pytest.mark.parametrize(
    ("route", "finding"),
    [
        (
            "redact: [email, iban]",
            r"sluice.yaml:10:21 routes.r.redact\[1\]: 'iban' cannot be redacted; known: email, card, phone",
        ),
        ("samples: {keep: 1%, for: 0s}", r"sluice.yaml:10:30 .*samples kept for no time"),
    ],
)
def test_samples_that_cannot_be(compile_parts: Compile, route: str, finding: str) -> None:
    """What cannot be redacted, or kept for no time, is refused where it is written."""
    with pytest.raises(ConfigError, match=finding):
        compile_parts(route=route)
