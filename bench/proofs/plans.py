"""The plans of all types of change, as a configuration file with nothing but the type gets them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.domain.rollout import ChangeType, RolloutPlan
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_config

_HEAD = """\
version: 1
default_provider: main
providers: {main: {base_url: "http://127.0.0.1:9/v1", api_key_env: KEY}}
identity: {internal_users: [ana@example.com], segments: {plan: header:x-plan}}
metrics:
  thumbs: {kind: binary, role: satisfaction}
  task_completed: {kind: binary, role: task_completion, attribution: 4h}
routes:
"""
_ROUTE = """\
  {name}:
    variants: {{current: {{model: one}}, other: {{model: two}}}}
    release:
      name: {name}
      rollout: {{baseline: current, candidate: other, change_type: {change_type}{more}}}
"""


def compile_plans(more: str = "") -> dict[ChangeType, RolloutPlan]:
    """
    Give the plan of each type of change.

    Args:
        more: Further keys of every rollout, as YAML in one line: `on_insufficient: hold`.

    Raises:
        ConfigError: They are no such keys.
    """
    further = f", {more}" if more else ""
    text = _HEAD + "".join(
        _ROUTE.format(name=each.replace("_", "-"), change_type=each.value, more=further) for each in ChangeType
    )
    with TemporaryDirectory() as directory:
        path = Path(directory) / "sluice.yaml"
        path.write_text(text)
        compiled = compile_config(path, environ={"KEY": "none"}, version=0, seal_key=bytes(32), previous=Allocations())
    plans = (plan for plan in compiled.plans.values() if isinstance(plan, RolloutPlan))
    return {plan.change_type: plan for plan in plans}
