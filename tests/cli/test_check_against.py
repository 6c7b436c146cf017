"""What a file would change of a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.assign.standing import route_at
from gateway.cli.check_against import Running, changes_of
from gateway.cli.client import OperatorsClient, Reply
from gateway.domain.rollout import RolloutPlan
from gateway.domain.standing import Standing
from gateway.domain.table import decode_table, encode_table
from gateway.processes.operations import config_json
from gateway.processes.rollout_views import plan_view
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text

_FILE = """\
version: 1
providers: {{p: {{base_url: 'https://h/v1'}}}}
routes:
  r:
    variants: {{a: {{model: {a}}}, b: {{model: {b}}}}}
    release: {release}
    on_edit: {on_edit}
"""
SPLIT = "{split: {arms: {a: 90%, b: 10%}}}"
ROLLOUT = "{rollout: {baseline: a, candidate: b, quality_metrics: [], stages: [{at: 10%}, {at: 100%}]}}"
FIXED = "{fixed: {variant: a}}"


class _Client(OperatorsClient):
    """Answers as a gateway on one file would."""

    def __init__(self, compiled: Compiled, weight: int) -> None:
        super().__init__("http://gateway.test")
        standing = Standing("r", (("b", weight), ("a", 10_000 - weight))) if compiled.plans else None
        route = compiled.routes[0]
        if route.release.kind == "rollout":
            route = route_at(route, standing)
        self._config = config_json(decode_table(encode_table(compiled.head, [route])))
        self._plan = compiled.plans.get("r")

    def get(self, path: str) -> Reply:
        body: dict[str, Any] = self._config
        if path.startswith("/api/rollouts"):
            is_rollout = self._config["routes"]["r"]["release"]["kind"] == "rollout"
            body = {"rollouts": [{"release": "r", "is_edit": False}] if is_rollout else []}
        if path.startswith("/api/rollouts/"):
            assert isinstance(self._plan, RolloutPlan)
            body = {"plan": plan_view(self._plan)}
        return Reply(200, orjson.loads(orjson.dumps(body)))


def _compile(release: str, a: str = "m", b: str = "n", on_edit: str = "rollout") -> Compiled:
    return compile_text(
        _FILE.format(release=release, a=a, b=b, on_edit=on_edit),
        name="f",
        folder=Path(),
        environ={},
        version=1,
        seal_key=bytes(32),
        previous=Allocations(),
    )


def _change(before: Compiled, after: Compiled) -> tuple[float, str]:
    (change,) = changes_of(after, Running(_Client(before, 1_000)))
    return change.moved_pct, change.sentence


@pytest.mark.parametrize(
    ("before", "after", "moved", "says"),
    [
        (_compile(SPLIT), _compile(SPLIT), 0, "moves nobody"),
        (_compile(SPLIT), _compile(SPLIT.replace("90", "70").replace("10%", "30%")), 20, "changes arms"),
        (_compile(SPLIT), _compile(SPLIT.replace("{split", "{name: x, split")), 18, "divides its users anew"),
        (_compile(SPLIT), _compile(SPLIT, a="o", on_edit="allow"), 0, "a answers differently at once"),
        (_compile(FIXED), _compile(FIXED, a="o"), 0, "turns the edit into a rollout"),
        (_compile(SPLIT), _compile(ROLLOUT), 10, "begins a rollout of 'b'"),
        (_compile(ROLLOUT), _compile(ROLLOUT), 0, "goes on with its rollout; nobody moves"),
        (_compile(ROLLOUT), _compile(ROLLOUT.replace("at: 10%", "at: 20%")), 0, "under a changed plan"),
        (_compile(ROLLOUT), _compile(ROLLOUT, b="o"), 10, "begins its rollout again"),
    ],
)
def test_every_change_is_told(before: Compiled, after: Compiled, moved: float, says: str) -> None:
    """Who moves, and whether a rollout begins again."""
    share, sentence = _change(before, after)
    assert share == moved
    assert says in sentence


def test_serving_is_what_the_compiler_wants() -> None:
    """By release and arm."""
    compiled = _compile(SPLIT)
    variants = compiled.routes[0].variants
    serving = Running(_Client(compiled, 0)).serving
    assert serving == {"r": {name: variant.content_hash for name, variant in variants.items()}}
