"""Alerts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.alert import AlertKind
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def test_targets_are_compiled(compile_parts: Compile) -> None:
    """An address, what it hears of, and what signs it."""
    (target,) = compile_parts(
        top="alerts: [{webhook: 'https://h.test/x', secret_env: KEY, on: [rollback, srm]}]"
    ).alerts
    assert (target.url, target.secret) == ("https://h.test/x", "sk-secret-value")
    assert target.kinds == {AlertKind.ROLLBACK, AlertKind.SRM}


def test_open_ways_are_said(compile_parts: Compile) -> None:
    """Plain http is for this machine."""
    (warning,) = compile_parts(top="alerts: [{webhook: 'http://h.test/x', on: [srm]}]").warnings
    assert "unencrypted" in warning.problem
    assert compile_parts(top="alerts: [{webhook: 'http://127.0.0.1:9/x', on: [srm]}]").warnings == ()


@pytest.mark.parametrize(
    ("alert", "problem"),
    [
        ("{webhook_env: NONE, on: [srm]}", "the environment variable NONE is not set"),
        ("{webhook_env: KEY, on: [srm]}", "this is not the URL of a webhook"),
        ("{webhook_env: KEY, webhook: 'https://h', on: [srm]}", "one address is wanted"),
        ("{on: [srm]}", "no address is named"),
        ("{webhook: 'https://h.test', on: [rolback]}", "there is no kind of alert 'rolback'; did you mean 'rollback'"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, alert: str, problem: str) -> None:
    """And no secret is repeated."""
    with pytest.raises(ConfigError, match=problem) as caught:
        compile_parts(top=f"alerts: [{alert}]")
    assert "sk-secret" not in str(caught.value)
