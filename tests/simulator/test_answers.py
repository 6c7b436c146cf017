"""Answers depend on seed, serial and question, and carry their quality."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest

from gateway.simulator.answers import Answer, answer, example_of, quality_from, quality_of, time_ms_of
from gateway.simulator.answers import choose_error_status as choose_status
from gateway.simulator.chance import share_of
from gateway.simulator.describe import Behaviour, ModelBehaviour, QualityPhrase
from gateway.simulator.question import Api, parse_question


def answered(behaviour: Behaviour | None = None, serial: int = 1, **more: Any) -> Answer:
    """Give the answer to a short question."""
    body = {"model": "m", "messages": [{"role": "user", "content": "nonce-7"}], **more}
    return answer(parse_question(Api.CHAT, body), behaviour or Behaviour(), seed=1, serial=serial, unix_ms=5000)


def test_answer_repeats() -> None:
    """Same seed and serial, same answer; another serial, another id."""
    assert answered() == answered()
    assert answered().serial_hex != answered(serial=2).serial_hex


def test_answer_echoes_the_question() -> None:
    """An answer given to the wrong person shows."""
    assert "nonce-7" in answered(max_tokens=1).text


def test_length_is_described() -> None:
    """Tokens are as many as described, within the spread; the client's limit cuts."""
    behaviour = Behaviour(default=ModelBehaviour(output_tokens=50, output_tokens_spread=10))
    lengths = {len(answered(behaviour, serial).tokens) for serial in range(100)}
    assert min(lengths) >= 40 and max(lengths) <= 60 and len(lengths) > 5
    assert (answered(max_tokens=3).finish, len(answered(max_tokens=3).tokens)) == ("length", 3)


@pytest.mark.parametrize("model", [ModelBehaviour(refusal_rate=0.25), ModelBehaviour(content_filter_rate=0.25)])
def test_rates_are_met(model: ModelBehaviour) -> None:
    """A described share of answers is unsafe."""
    behaviour = Behaviour(default=model)
    unsafe = [one.is_refusal or one.finish == "content_filter" for one in (answered(behaviour, n) for n in range(400))]
    assert 0.19 < fmean(unsafe) < 0.31


def test_errors_come_at_their_rate() -> None:
    """All statuses of the list come, together at the rate."""
    model = ModelBehaviour(error_rate=0.5, error_statuses=(429, 500))
    statuses = [choose_status(model, 1, serial) for serial in range(400)]
    assert set(statuses) == {None, 429, 500}
    assert 150 < sum(status is not None for status in statuses) < 250


def test_quality_is_of_model_and_prompt() -> None:
    """The same for the same wording; phrases move or set it; it stays in [0, 1]."""
    phrases = (QualityPhrase("Concise", quality=0.3), QualityPhrase("kind", shift=5.0, model="gpt-*"))
    behaviour = Behaviour(default=ModelBehaviour(quality=0.5), quality_phrases=phrases)
    assert quality_of(behaviour, "m", "") == 0.5
    assert 0.46 <= quality_of(behaviour, "m", "Be nice.") <= 0.54
    assert quality_of(behaviour, "m", "Be concise and kind.") == 0.3
    assert quality_of(behaviour, "gpt-x", "Be concise and kind.") == 1.0


def test_quality_survives_either_way() -> None:
    """Header first, then fingerprint; nonsense is none."""
    assert quality_from("0.5", "fp_q0812") == 0.5
    assert quality_from(None, answered().fingerprint) == answered().quality
    assert quality_from(None, "fp_44709d6fcb") is None
    assert quality_from("high", None) is None


def test_times_vary_around_their_mean() -> None:
    """Log-normal, with the described mean; without spread they are the mean."""
    times = [time_ms_of(100, 0.3, number) for number in range(500)]
    assert 95 < fmean(times) < 105 and min(times) > 20
    assert time_ms_of(100, 0.0, 1) == 100


def test_example_fits_schema() -> None:
    """Nested objects, arrays, enums, references and unions."""
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "inner": {"$ref": "#/$defs/Inner"},
            "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
    }
    inner = {"Inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}
    assert example_of(schema, inner) == {"kind": "a", "tags": ["simulated"], "inner": {"ok": True}, "maybe": 1}


def test_circular_schema_ends() -> None:
    """A schema that refers to itself is cut off."""
    assert example_of({"$ref": "#/$defs/A"}, {"A": {"$ref": "#/$defs/A"}}) is None


def test_share_is_even() -> None:
    """Chance is spread over [0, 1)."""
    assert 0.47 < fmean(share_of("x", number) for number in range(2000)) < 0.53
