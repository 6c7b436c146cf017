"""
A simulated judge, and prose that it can tell apart.

A model that `shows_quality` makes its answers of sentences that help and sentences that do not; each helps with the
probability that is the model's quality. The judge counts them, as a real one would read: it knows no model, no header
and no number. Which sentences an answer is made of changes from request to request, so that the same model asked twice
is sometimes better than itself.
"""

from __future__ import annotations

import re

import orjson

from gateway.simulator.chance import share_of
from gateway.simulator.describe import JudgeBehaviour, ModelBehaviour
from gateway.simulator.question import Question

REFUSAL = "I'm sorry, but I can't help with that request."

JUDGE_NAME = "sim-judge"
_ANY_JUDGE = JudgeBehaviour()

_HELPFUL = (
    "Open Billing , choose the order , and press Return .",
    "Your parcel leaves our house within two days .",
    "The refund reaches your account by Friday .",
    "Sign out , then in again to see it .",
    "Keep the label , because the courier scans it .",
    "You can change the address until it ships .",
)
_USELESS = (
    "There are many things one could say here .",
    "As everybody knows , it depends on much .",
    "Please consider looking somewhere else for that .",
    "Things like this happen from time to time .",
    "It may or may not be the case .",
    "We value every question that reaches us .",
)
_MATERIAL = re.compile(r"<<<(\w+) (ANSWER(?: [12])?)\n(.*?)\n<<<\1 END OF \2(?:\n|\Z)", re.DOTALL)
_RANGE = re.compile(r'"value": a number from (-?[\d.e+]+) to (-?[\d.e+]+)')


def judge_of(name: str, model: ModelBehaviour) -> JudgeBehaviour | None:
    """Give how a model judges; None where it does not."""
    if model.judge is not None:
        return model.judge
    return _ANY_JUDGE if name.startswith(JUDGE_NAME) else None


def telling_words(quality: float, n_words: int, seed: int, serial: int) -> list[str]:
    """Give at least so many words in sentences, of which a share of `quality` helps."""
    words: list[str] = []
    number = 0
    while len(words) < n_words:
        kind = _HELPFUL if share_of("helps", seed, serial, number) < quality else _USELESS
        sentence = kind[int(share_of("sentence", seed, serial, number) * len(kind))]
        words += sentence.split(" ")
        number += 1
    return words


def worth_of(text: str) -> float:
    """
    Give what a text is worth to a judge: the share of its sentences that help, a half where it has none of ours.

    A refusal is worth less than anything.

    >>> worth_of("It may or may not be the case. The refund reaches your account by Friday.")
    0.5
    """
    if REFUSAL in text:
        return -1.0
    n_helpful, n_useless = (sum(text.count(_start_of(one)) for one in kind) for kind in (_HELPFUL, _USELESS))
    return n_helpful / (n_helpful + n_useless) if n_helpful + n_useless else 0.5


def judged(question: Question, judge: JudgeBehaviour, seed: int, serial: int) -> str | None:
    """Give the verdict or the score that a judge's question asks for, as JSON; None where it is no such question."""
    shown = {match[2]: worth_of(match[3]) for match in _MATERIAL.finditer(question.user_text)}
    is_right = share_of("judge", seed, serial) < judge.accuracy
    if "ANSWER 1" in shown and "ANSWER 2" in shown:
        return _verdict(shown["ANSWER 1"], shown["ANSWER 2"], judge, is_right, (seed, serial))
    if "ANSWER" in shown:
        return _score(question.system_text, max(0.0, shown["ANSWER"]), is_right)
    return None


def _verdict(first: float, second: float, judge: JudgeBehaviour, is_right: bool, labels: tuple[int, int]) -> str:
    winner, reason = "tie", "Both help as much."
    if first != second:
        is_first = (first > second) is is_right
        winner, reason = ("1" if is_first else "2"), "More of its sentences say what to do."
    if share_of("place", *labels) < judge.position_bias:
        winner, reason = "1", "It reads well from the start."
    return orjson.dumps({"reason": reason, "winner": winner}).decode()


def _score(system_text: str, worth: float, is_right: bool) -> str:
    worth = worth if is_right else 1 - worth
    found = _RANGE.search(system_text)
    if found is None:
        return orjson.dumps({"reason": "By its sentences.", "value": worth >= 0.5}).decode()
    low, high = float(found[1]), float(found[2].rstrip("."))
    return orjson.dumps({"reason": "By its sentences.", "value": round(low + worth * (high - low), 4)}).decode()


def _start_of(sentence: str) -> str:
    # The words before the first mark: how marks are spaced is the wire's business, and an end may be cut.
    return sentence.partition(" ,")[0].removesuffix(" .")
