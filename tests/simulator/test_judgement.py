"""A simulated judge finds what is better in words that simulated models write."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import orjson
import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.shadow.judge import pair_question, parse_score, parse_verdict, score_question
from gateway.simulator.answers import answer
from gateway.simulator.describe import Behaviour, JudgeBehaviour, ModelBehaviour, parse_behaviour
from gateway.simulator.judgement import REFUSAL, judge_of, telling_words, worth_of
from gateway.simulator.question import Api, parse_question

TALKERS = Behaviour(
    models={
        "good": ModelBehaviour(shows_quality=True, quality=0.9, output_tokens=60),
        "poor": ModelBehaviour(shows_quality=True, quality=0.3, output_tokens=60),
        "fair": ModelBehaviour(judge=JudgeBehaviour(accuracy=1.0)),
        "swayed": ModelBehaviour(judge=JudgeBehaviour(accuracy=1.0, position_bias=1.0)),
        "wrong": ModelBehaviour(judge=JudgeBehaviour(accuracy=0.0)),
    }
)


def _said(body: dict[str, Any], serial: int = 1) -> str:
    return answer(parse_question(Api.CHAT, body), TALKERS, seed=1, serial=serial, unix_ms=5000).text


def _talk(model: str, serial: int = 1) -> str:
    return _said({"model": model, "messages": [{"role": "user", "content": "Where is it?"}]}, serial)


def _winner(judge: str, first: str, second: str) -> int | None:
    return parse_verdict(_said(pair_question(judge, None, "[]", first, second, secret="s"))).winner


def test_words_tell_of_quality() -> None:
    """The share of sentences that help is the model's quality, and differs from answer to answer."""
    worths = [worth_of(_talk("good", serial)) for serial in range(200)]
    assert 0.85 < fmean(worths) < 0.95
    assert len(set(worths)) > 2
    assert 0.25 < fmean(worth_of(_talk("poor", serial)) for serial in range(200)) < 0.35


def test_length_is_kept() -> None:
    """Prose that tells is as long as any other."""
    body = {"model": "good", "messages": [{"role": "user", "content": "Hi"}]}
    found = answer(parse_question(Api.CHAT, body), TALKERS, seed=1, serial=1, unix_ms=5000)
    assert (len(found.tokens), found.finish) == (60, "stop")
    assert len(telling_words(0.5, 40, 1, 1)) >= 40


@pytest.mark.parametrize(("judge", "winners"), [("fair", (1, 2)), ("swayed", (1, 1)), ("wrong", (2, 1))])
def test_judges_are_as_described(judge: str, winners: tuple[int, int]) -> None:
    """An accurate judge finds the better one in both orders, a swayed one the first, a wrong one the worse."""
    good, poor = " ".join(telling_words(1.0, 30, 1, 1)), " ".join(telling_words(0.0, 30, 1, 1))
    assert (_winner(judge, good, poor), _winner(judge, poor, good)) == winners


def test_equals_are_tied() -> None:
    """What helps as much is a tie, and a refusal is worse than anything."""
    assert _winner("fair", "Hello.", "Good day.") == 0
    assert _winner("fair", REFUSAL, " ".join(telling_words(0.0, 30, 1, 1))) == 2


def test_scores_are_of_words() -> None:
    """One answer is scored by its sentences, in the metric's range or as yes and no."""
    score, binary = Metric("f", MetricKind.SCORE, range=(0, 10)), Metric("ok", MetricKind.BINARY)
    good = " ".join(telling_words(1.0, 30, 1, 1))
    said = [_said(score_question("fair", None, metric, "[]", good, secret="s")) for metric in (score, binary)]
    assert (parse_score(said[0], score).value, parse_score(said[1], binary).value) == (10.0, 1.0)


def test_judges_are_known_by_name() -> None:
    """`sim-judge` judges undescribed, other models do not, and a judge that is asked something else answers it."""
    plain = ModelBehaviour()
    assert judge_of("sim-judge-2", plain) == JudgeBehaviour()
    assert judge_of("gpt-5.1", plain) is None
    assert _talk("fair").startswith("You asked: Where is it?")


def test_judges_are_described_in_yaml() -> None:
    """Accuracy and bias are read from a description."""
    found = parse_behaviour("models: {j: {judge: {accuracy: 0.7, position_bias: 0.2}}}").model("j")
    assert found is not None
    assert found.judge == JudgeBehaviour(0.7, 0.2)


def test_verdicts_are_json() -> None:
    """A verdict has a winner and a reason."""
    text = _said(pair_question("fair", None, "[]", "a", "b", secret="s"))
    assert set(orjson.loads(text)) == {"winner", "reason"}
