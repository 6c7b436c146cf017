"""What an experiment measures."""

from __future__ import annotations

from gateway.domain.metric import Metric, MetricKind
from gateway.gates.experiment import Harm, Question, Scale
from gateway.gates.experiment_metrics import OF_REQUESTS, measures_of

THUMBS = Metric("thumbs", MetricKind.BINARY)
EDITS = Metric("edits", MetricKind.COUNT)
NOTE = Metric("note", MetricKind.TEXT)
FAITH = Metric("faith", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
ALL = {metric.name: metric for metric in (THUMBS, EDITS, NOTE, FAITH)}


def test_primary_comes_first() -> None:
    """The primary metric is the first, whatever the file's order; text cannot be compared."""
    found = measures_of(ALL, "edits")
    assert (found[0].name, found[0].question) == ("edits", Question.PRIMARY)
    assert "note" not in {each.name for each in found}
    assert [each.question for each in found].count(Question.PRIMARY) == 1


def test_tail_guards() -> None:
    """Catastrophes of a score are a guardrail of their own, the more the worse."""
    tail = next(each for each in measures_of(ALL, "faith") if each.name == "faith:catastrophic")
    assert (tail.question, tail.harm, tail.is_rate) == (Question.GUARDRAIL, Harm.UP, True)


def test_counts_have_no_better() -> None:
    """Nobody knows whether more edits are better: such a metric is told and judges nothing."""
    assert next(each for each in measures_of(ALL, None) if each.name == "edits").harm is Harm.NEITHER


def test_requests_tell_without_metrics() -> None:
    """Errors, safety, latency, cost and length are measured without a word of feedback."""
    assert measures_of({}, None) == OF_REQUESTS
    assert {each.scale for each in OF_REQUESTS} == {Scale.SHARE, Scale.MS, Scale.USD, Scale.TOKENS}


def test_unknown_primary() -> None:
    """A primary that the file does not name is none."""
    assert all(each.question is not Question.PRIMARY for each in measures_of(ALL, "smiles"))
