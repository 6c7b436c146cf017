"""Descriptions are read whole, or refused with the place and the reason."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.simulator.describe import Behaviour, ModelBehaviour, merge_behaviour, parse_behaviour, render_behaviour

TEXT = """
key: sk-sim
default: {latency_ms: 60}
models:
  gpt-fast: {latency_ms: 20, quality: 0.7}
  gpt-*: {error_rate: 0.01, error_statuses: [500, 503]}
quality_phrases:
  - {phrase: step by step, shift: 0.08}
"""


def test_yaml_is_read() -> None:
    """A model takes its own entry, else the first pattern, else the default."""
    behaviour = parse_behaviour(TEXT)
    assert behaviour.model("gpt-fast") == ModelBehaviour(latency_ms=20, quality=0.7)
    assert behaviour.model("gpt-x") == ModelBehaviour(error_rate=0.01, error_statuses=(500, 503))
    assert behaviour.model("other") == ModelBehaviour(latency_ms=60)


def test_only_listed_models_exist() -> None:
    """With `only_listed` an undescribed model is none."""
    assert parse_behaviour("{only_listed: true, models: {a: {}}}").model("b") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models:\n  a:\n    latency_ms: fast\n", "f.yaml:3:5 models.a.latency_ms"),
        ("models:\n  a: {quality: 1.5}\n", "f.yaml:2:7 models.a.quality"),
        ("default:\n  latencyms: 3\n", "unknown field `latencyms`"),
        ("models: [\n", "f.yaml:2:1"),
        ("- a list\n", "Expected `object`"),
    ],
)
def test_wrong_text_names_the_place(text: str, says: str) -> None:
    """A finding has line, column and key path."""
    with pytest.raises(ConfigError) as caught:
        parse_behaviour(text, file="f.yaml")
    assert says in str(caught.value)


def test_patch_lies_over() -> None:
    """A patch changes what it names and nothing else."""
    behaviour = merge_behaviour(parse_behaviour(TEXT), {"models": {"gpt-fast": {"error_rate": 1}}})
    assert behaviour.model("gpt-fast") == ModelBehaviour(latency_ms=20, quality=0.7, error_rate=1)
    assert behaviour.key == "sk-sim"


def test_bad_patch_is_refused() -> None:
    """What would not be a behaviour raises."""
    with pytest.raises(ConfigError, match="patch"):
        merge_behaviour(Behaviour(), {"default": {"error_rate": 2}})


def test_key_is_not_rendered() -> None:
    """The key stays out of what is shown."""
    assert "sk-sim" not in str(render_behaviour(parse_behaviour(TEXT)))


def test_empty_text_describes_defaults() -> None:
    """An empty file is the obedient provider."""
    assert parse_behaviour("") == Behaviour()
