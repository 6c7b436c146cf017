"""Shadows, from the file to what the lane gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.shadow import Budget, JudgeRule, Shadow
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
JUDGE = "\n  judge: {variants: {a: {provider: p, model: j}}, release: {fixed: {variant: a}}}"
_PRICE = "price: {b: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}\n    "


def _warned(compiled: Compiled) -> list[tuple[str, str]]:
    return [(warning.key_path, warning.problem) for warning in compiled.warnings]


def test_every_key(compile_parts: Compile, tmp_path: Path) -> None:
    """Everything that can be written arrives."""
    (tmp_path / "judge.md").write_text("Be strict.")
    route = (
        _PRICE + "shadows: [{variant: b, sample: 20%, noise: 2.5%, max_in_flight: 3, timeout: 9s,"
        " budget: {usd_per_day: 25, requests_per_day: 1, tokens_per_day: 2, usd_total: 0.5,"
        " requests_total: 3, tokens_total: 4},"
        " judge: {route: judge, rubric: {file: judge.md}, sample: 50%, budget: {tokens_per_day: 6}}}]"
    )
    compiled = compile_parts(route=route + JUDGE)
    rule = JudgeRule("judge", 5000, "Be strict.", Budget(tokens_per_day=6))
    assert compiled.routes[0].shadows == (Shadow("b", 2000, 250, 3, 9.0, Budget(25, 1, 2, 0.5, 3, 4), rule),)
    assert (compiled.head.copied, compiled.warnings) == (("r",), ())


def test_defaults(compile_parts: Compile) -> None:
    """Of a shadow only the variant must be written: everybody is copied, and a tenth is asked once more."""
    assert compile_parts(route="shadows: [{variant: b}]").routes[0].shadows == (Shadow("b", 10_000, 1_000),)


@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        (
            "{variant: b}, {variant: b}",
            r"shadows\[1\].variant: 'b' has copies already, by shadows\[0\]; make one",
        ),
        ("{variant: b, sample: 0%}", r"shadows\[0\].sample: nothing would be copied; write a share such as 20%"),
        ("{variant: b, judge: {route: judge, sample: 0%}}", "judge.sample: nothing would be judged"),
        ("{variant: b, judge: {route: judge, rubric: {file: x}}}", "judge.rubric.file: cannot read 'x'"),
        ("{variant: b, timeout: 0s}", "no answer comes in no time"),
        ("{variant: b, budget: {}}", r"budget: this budget bounds nothing; write how much, as \{usd_per_day: 25\}"),
        ("{variant: b, max_in_flight: 0}", "max_in_flight"),
        ("{variant: c}", "there is no variant 'c'"),
    ],
)
def test_wrong_is_named(compile_parts: Compile, entry: str, finding: str) -> None:
    """What is wrong with a shadow is named with its place and the way out."""
    with pytest.raises(ConfigError, match=finding):
        compile_parts(route=f"shadows: [{entry}]{JUDGE}")


def test_vectors_are_not_compared(compile_parts: Compile) -> None:
    """A route for embeddings has no shadows."""
    with pytest.raises(ConfigError, match="vectors of two models say nothing about each other"):
        compile_parts(a="{model: text-embedding-3-small}", route="shadows: [{variant: b}]")


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("{usd_per_day: 1}", "no price is known for 'b', so dollars bound nothing"),
        ("{usd_total: 1, tokens_per_day: 5}", "so dollars bound nothing: its requests and tokens do"),
    ],
)
def test_dollars_need_a_price(compile_parts: Compile, budget: str, words: str) -> None:
    """A budget in dollars of what nobody knows the price of is said to bound nothing."""
    provider = "{base_url: 'http://127.0.0.1:9/v1'}"
    ((place, problem),) = _warned(
        compile_parts(provider=provider, route=f"shadows: [{{variant: b, budget: {budget}}}]")
    )
    assert place == "routes.r.shadows[0].budget"
    assert problem.endswith(words)


def test_judges_need_a_price_too(compile_parts: Compile) -> None:
    """So is the budget of a judge, of pairs or of a metric."""
    source = "metrics: {m: {kind: binary, source: {judge: judge, budget: {usd_per_day: 1}}}}"
    route = "shadows: [{variant: b, judge: {route: judge, budget: {usd_per_day: 1}}}]"
    compiled = compile_parts(provider="{base_url: 'http://127.0.0.1:9/v1'}", route=route + JUDGE, top=source)
    places = [place for place, _ in _warned(compiled)]
    assert places == ["routes.r.shadows[0].judge.budget", "metrics.m.source.budget"]


def test_priced_budgets_are_silent(compile_parts: Compile) -> None:
    """Where the price is known there is nothing to say."""
    route = _PRICE + "shadows: [{variant: b, budget: {usd_per_day: 1}}]"
    assert _warned(compile_parts(provider="{base_url: 'http://127.0.0.1:9/v1'}", route=route)) == []
