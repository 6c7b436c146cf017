"""What does not act yet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


@pytest.mark.parametrize(
    "route", ["limits: {usd_per_day: 1}", "guards: [{kind: moderation, provider: p, action: block}]"]
)
def test_protection_is_refused(compile_parts: Compile, route: str) -> None:
    """What would protect and does not is an error that says what to write."""
    with pytest.raises(ConfigError, match=r"not yet: .*; .+"):
        compile_parts(route=route)


def test_watching_is_warned_of(compile_parts: Compile) -> None:
    """What only watches is accepted, and said."""
    (warning,) = compile_parts(route="guards: [{kind: moderation, provider: p}]").warnings
    assert warning.problem.startswith("not yet: ")


def test_default_is_silent(compile_parts: Compile) -> None:
    """What acts is not warned of, whichever way it is set."""
    assert compile_parts(route="on_edit: refuse").warnings == () == compile_parts().warnings
