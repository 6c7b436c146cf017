"""What a variant costs: what the file says, else the list; and whom nobody knows the price of."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.domain.price import Price, Rates
from gateway.domain.route import Route
from gateway.settings.document.route import PriceSection, RouteSection
from gateway.settings.document.scalars import shown
from gateway.settings.inherit import Inherited
from gateway.settings.prices import is_near
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath


def compile_price(scope: Scope, provider: str, inherited: Inherited, section: PriceSection | None) -> Price | None:
    """Give the price of a variant's tokens; None where neither the file nor the list has one."""
    if section is not None:
        return price_of(section)
    if "model" not in inherited.whole:
        return None
    base_url = scope.document.providers[provider].base_url
    return scope.prices.find(base_url, inherited.whole["model"].value, _service_tier_of(inherited))


def price_of(section: PriceSection) -> Price:
    """Give the price that a file says."""
    cached = section.cached_input_usd_per_mtok
    cached = section.input_usd_per_mtok if cached is None else cached
    return Price(Rates(section.input_usd_per_mtok / 1e6, section.output_usd_per_mtok / 1e6, cached / 1e6))


def warn_of_unknown(scope: Scope, routes: Iterable[Route]) -> None:
    """Say once per model which ones cost nobody knows what; near ones cost nothing."""
    if scope.prices.was_missed:
        return
    warned: set[tuple[str, str]] = set()
    for route in routes:
        section = scope.document.routes[route.name]
        for variant in route.variants.values():
            if variant.price is not None or variant.model is None:
                continue
            base_url = scope.document.providers[variant.provider].base_url
            if (base_url, variant.model) in warned or is_near(base_url):
                continue
            warned.add((base_url, variant.model))
            _warn(scope, section, ("routes", route.name), variant.name, variant.model)


def _warn(scope: Scope, section: RouteSection, path: KeyPath, variant: str, model: str) -> None:
    at: KeyPath = (*path, "variants", variant)
    is_own = section.variants[variant].model is not None
    remedy = (
        f"write price: {{{variant}: {{input_usd_per_mtok: …, output_usd_per_mtok: …}}}} into the route, "
        "or update genai-prices"
    )
    problem = f"no price is known for the model {shown(model)} of {variant!r}: what it costs is not counted"
    scope.findings.warn((*at, "model") if is_own else at, problem, remedy, key=not is_own)


def _service_tier_of(inherited: Inherited) -> str | None:
    """Give the tier that the variant asks for; slower and faster ones have prices of their own."""
    for key in ("extra_body", "set"):
        written = inherited.maps[key].get("service_tier")
        if written is not None and isinstance(written.value, str):
            return written.value
    return None
