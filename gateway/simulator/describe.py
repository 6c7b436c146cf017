"""
How simulated models behave, as a person describes it, and the reading of that description.

A description is YAML or JSON:

    key: sk-sim                       # asked of every request under /v1, when given
    only_listed: false                # true: a model not described is a 404
    default: {latency_ms: 60, ttft_ms: 90, tokens_per_s: 200}
    models:
      gpt-fast: {latency_ms: 20, output_tokens: 30, output_tokens_spread: 10, quality: 0.7}
      gpt-*:    {error_rate: 0.01, error_statuses: [500, 503]}
      talker:   {shows_quality: true, quality: 0.8, refusal_rate: 0.02}
      sim-judge: {judge: {accuracy: 0.9, position_bias: 0.1}}
    quality_phrases:                  # what a system prompt says moves its quality
      - {phrase: "step by step", shift: 0.08}
      - {phrase: "answer in one word", quality: 0.3, model: "gpt-*"}

A model takes the entry of its own name, else the first pattern that fits, else `default`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta

from gateway.errors import ConfigError, Finding

Ratio = Annotated[float, Meta(ge=0, le=1)]
Milliseconds = Annotated[float, Meta(ge=0, le=3_600_000)]
T = TypeVar("T")


class JudgeBehaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    How a model judges, when it is asked as `gateway.shadow.judge` asks.

    Attributes:
        accuracy: Share of verdicts that name the better answer, where one is better; the others name the worse.
        position_bias: Share of verdicts that name answer 1 without a look at either.
    """

    accuracy: Ratio = 0.9
    position_bias: Ratio = 0.0


class ModelBehaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    One model's described behaviour. Every default is the fastest and most obedient one.

    Attributes:
        latency_ms: To the response headers; a unary answer adds the time its tokens take.
        ttft_ms: From the request to the first token of a stream; below `latency_ms` it means `latency_ms`.
        spread_ratio: How much both times vary: the standard deviation of their logarithm.
        tokens_per_s: 0 is as fast as possible.
        output_tokens: Mean length of an answer.
        output_tokens_spread: Answers are this many tokens longer or shorter at most.
        error_rate: Share of requests answered with one of `error_statuses`, in turn by chance.
        error_statuses: 400 to 599.
        refusal_rate: Share of answers that refuse.
        content_filter_rate: Share of answers a content filter ends.
        shows_quality: Its prose is as good as its quality: that share of its sentences helps, the others do not.
        judge: How it judges; None asks the name (`sim-judge*` does), and others answer a judge's question as any.
        quality: The latent quality with an empty system prompt; None derives one from the model's name.
        is_reasoner: Refuses `max_tokens` and odd temperatures; None asks the name (`reasoner*`).
        rejects_stream_options: Answers 400 to `stream_options`, as some local servers do.
        fault: A fault (`reset@mid`) that befalls this model's answers, see `gateway.simulator.faults`.
        fault_rate: Share of requests it befalls.
    """

    latency_ms: Milliseconds = 0.0
    ttft_ms: Milliseconds = 0.0
    spread_ratio: Ratio = 0.0
    tokens_per_s: Annotated[float, Meta(ge=0)] = 0.0
    output_tokens: Annotated[int, Meta(ge=1, le=100_000)] = 24
    output_tokens_spread: Annotated[int, Meta(ge=0, le=100_000)] = 0
    error_rate: Ratio = 0.0
    error_statuses: Annotated[tuple[Annotated[int, Meta(ge=400, le=599)], ...], Meta(min_length=1)] = (500,)
    refusal_rate: Ratio = 0.0
    content_filter_rate: Ratio = 0.0
    shows_quality: bool = False
    judge: JudgeBehaviour | None = None
    quality: Ratio | None = None
    is_reasoner: bool | None = None
    rejects_stream_options: bool = False
    fault: str | None = None
    fault_rate: Ratio = 1.0


class QualityPhrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    What a phrase in the system prompt does to an answer's quality.

    Attributes:
        phrase: Looked for in any case.
        quality: The quality from then on, or None to move it by `shift`.
        shift: Added, then held to [0, 1].
        model: Pattern of the models it works on.
    """

    phrase: Annotated[str, Meta(min_length=1)]
    quality: Ratio | None = None
    shift: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    model: str = "*"


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole provider's described behaviour; see the top of this file."""

    models: Mapping[str, ModelBehaviour] = {}
    default: ModelBehaviour = ModelBehaviour()
    quality_phrases: tuple[QualityPhrase, ...] = ()
    key: str | None = None
    only_listed: bool = False

    def model(self, name: str) -> ModelBehaviour | None:
        """Give the behaviour of the model of this name; None when only listed models exist and it is not."""
        found = self.models.get(name)
        if found is not None:
            return found
        for pattern, behaviour in self.models.items():
            if fnmatchcase(name, pattern):
                return behaviour
        return None if self.only_listed else self.default


LIFELIKE = Behaviour(default=ModelBehaviour(latency_ms=60, ttft_ms=90, spread_ratio=0.25, tokens_per_s=250))
"""What `sluice provider` does undescribed: slow enough to look like a model, quick enough to watch."""


def parse_behaviour(text: str, *, file: str = "behaviour") -> Behaviour:
    """
    Give the behaviour a YAML or JSON text describes.

    Raises:
        ConfigError: It is not YAML, or says something that cannot be; names the line and the key path.
    """
    try:
        document = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError([Finding(file, line, column, "", str(problem))]) from error
    return _compiled({} if document is None else document, node, file)


def merge_behaviour(behaviour: Behaviour, patch: object) -> Behaviour:
    """
    Give `behaviour` with the values of `patch` over it, object by object; lists are replaced whole.

    Raises:
        ConfigError: The result would not be a behaviour.
    """
    return _compiled(_laid_over(msgspec.to_builtins(behaviour), patch), None, "patch")


def render_behaviour(behaviour: Behaviour) -> dict[str, Any]:
    """Give plain objects for JSON, without the key and without what is default."""
    rendered: dict[str, Any] = msgspec.to_builtins(behaviour)
    rendered.pop("key", None)
    return rendered


def _laid_over(under: object, over: object) -> object:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {name: _laid_over(under.get(name), value) for name, value in over.items()}


def _compiled(document: object, node: yaml.Node | None, file: str) -> Behaviour:
    # Model by model, because msgspec's message does not say which key of a mapping it stopped at.
    if isinstance(document, dict) and isinstance(models := document.get("models"), dict):
        for name, model in models.items():
            _converted(model, ModelBehaviour, ("models", str(name)), node, file)
    return _converted(document, Behaviour, (), node, file)


def _converted(document: object, shape: type[T], path: tuple[str, ...], node: yaml.Node | None, file: str) -> T:
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        keys = path + tuple(part for part in place.rstrip("`").strip(".").split(".") if part)
        line, column = _place_of(node, keys)
        raise ConfigError([Finding(file, line, column, ".".join(keys), problem)]) from error


def _place_of(node: yaml.Node | None, keys: tuple[str, ...]) -> tuple[int, int]:
    """Give line and column of the deepest of `keys` that the document has."""
    place = (1, 1)
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((name, value) for name, value in node.value if name.value == key.partition("[")[0]), None)
        if found is None:
            break
        name, node = found
        place = (name.start_mark.line + 1, name.start_mark.column + 1)
    return place
