"""Edits of what is being served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.domain.edit import OnEdit
from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text

Compile = Callable[..., Compiled]
_FILE = """\
version: 1
providers: {{p: {{base_url: 'https://h/v1'}}}}
routes:
  r:
    variants: {{a: {{model: {model}}}, b: {{model: {other}}}}}
    release: {release}
    {route}
"""
FIXED, SPLIT = "{fixed: {variant: a}}", "{split: {arms: {a: 50%, b: 50%}}}"
ROLLOUT = "{rollout: {baseline: a, candidate: b, stages: [{at: 10%, gates: []}, {at: 100%}]}}"


def _compile(
    release: str,
    route: str = "",
    model: str = "m",
    other: str = "o",
    serving: Mapping[str, Mapping[str, str]] | None = None,
    allows_edits: bool = False,
) -> Compiled:
    return compile_text(
        _FILE.format(release=release, route=route, model=model, other=other),
        name="f",
        folder=Path(),
        environ={},
        version=1,
        seal_key=bytes(32),
        previous=Allocations(),
        serving=serving,
        allows_edits=allows_edits,
    )


def _serving(compiled: Compiled) -> dict[str, dict[str, str]]:
    (route,) = compiled.routes
    return {"r": {arm.name: route.variants[arm.name].content_hash for arm in route.release.arms}}


@pytest.mark.parametrize(
    ("release", "route", "problem"),
    [
        (SPLIT, "", "'a' is an arm of a split, and was edited while it is compared; .*'a-2'.* on_edit: allow"),
        (ROLLOUT, "", "'a' is the baseline of a rollout"),
        (FIXED, "on_edit: refuse", "'a' is served to everybody, and was edited; .*'a-2'"),
    ],
)
def test_edits_with_no_way_are_refused(release: str, route: str, problem: str) -> None:
    """With the variant's place and the way out."""
    serving = _serving(_compile(release, route))
    with pytest.raises(ConfigError, match=rf"f:5:16 .*{problem}"):
        _compile(release, route, model="n", serving=serving)


@pytest.mark.parametrize(
    ("release", "route", "model", "other"),
    [
        (FIXED, "", "n", "o"),
        (ROLLOUT, "", "m", "n"),
        (SPLIT, "on_edit: allow", "n", "o"),
        (FIXED, "on_edit: refuse", "m", "n"),
        (SPLIT, "", "m", "o"),
    ],
)
def test_other_edits_pass(release: str, route: str, model: str, other: str) -> None:
    """What becomes a rollout, begins one again, is allowed, or is not served at all."""
    serving = _serving(_compile(release, route))
    assert _compile(release, route, model, other, serving=serving).routes


def test_developers_are_let_through() -> None:
    """`serve --dev` means allow."""
    serving = _serving(_compile(SPLIT))
    assert _compile(SPLIT, model="n", serving=serving, allows_edits=True).routes
    assert _compile(FIXED, allows_edits=True).edits["r"].on_edit is OnEdit.ALLOW


def test_shadows_are_no_content() -> None:
    """A shadow, its judge or its budget may change in a reload, and nothing is rolled out for it."""
    shadows = "shadows: [{variant: b, sample: 20%, noise: 5%, budget: {requests_per_day: 9}}]"
    before, after = _compile(SPLIT), _compile(SPLIT, shadows, serving=_serving(_compile(SPLIT)))
    assert _serving(before) == _serving(after)
    assert before.head.config_hash != after.head.config_hash
    assert [one.contents for one in before.plans.values()] == [one.contents for one in after.plans.values()]  # type: ignore[union-attr]


def test_rules_are_for_fixed_releases() -> None:
    """Control learns what to do when the variant that everybody gets is edited."""
    rule = _compile(FIXED).edits["r"]
    assert (rule.route, rule.variant, rule.on_edit) == ("r", "a", OnEdit.ROLLOUT)
    assert _compile(SPLIT).edits == {}


def test_vectors_are_not_rolled_out() -> None:
    """An embedding model's edit would mix two kinds of vectors in one index."""
    small, large = "text-embedding-3-small", "text-embedding-3-large"
    compiled = _compile(FIXED, "", small, small)
    assert compiled.edits["r"].on_edit is OnEdit.REFUSE
    with pytest.raises(ConfigError, match="vectors of two contents"):
        _compile(FIXED, "", large, large, serving=_serving(compiled))
