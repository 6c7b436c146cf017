"""Names across sections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.errors import ConfigError
from gateway.settings import names
from gateway.settings.scope import Scope

MakeScope = Callable[..., Scope]


def test_patterns_are_re2(make_scope: MakeScope) -> None:
    """What RE2 reads passes; look-around does not."""
    scope = make_scope()
    names.check_pattern(scope, ("version",), "(?i)a|b")
    scope.findings.raise_errors()
    names.check_pattern(scope, ("version",), "(?=a)")
    with pytest.raises(ConfigError, match="patterns are RE2"):
        scope.findings.raise_errors()


def test_dangling_names_are_found(make_scope: MakeScope) -> None:
    """Every section's names are looked up, and all of them are said at once."""
    scope = make_scope(route="fallback: [x]\n    shadows: [{variant: y}]", top="default_provider: z")
    names.check_document(scope)
    names.check_route(scope, ("routes", "r"), scope.document.routes["r"])
    with pytest.raises(ConfigError) as caught:
        scope.findings.raise_errors()
    assert len(caught.value.findings) == 3
