"""The section `routes`."""

from __future__ import annotations

from gateway.domain.route import DEFAULT_MAX_BODY_BYTES
from gateway.settings.document.route import RouteSection


def test_variants_and_release_suffice() -> None:
    """Everything else has a default."""
    route = RouteSection.model_validate({"variants": {"a": {}}, "release": {"fixed": {"variant": "a"}}})
    assert (route.limits.body, route.expose.model, route.fallback) == (DEFAULT_MAX_BODY_BYTES, "served", [])
