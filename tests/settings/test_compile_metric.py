"""Metrics: what feedback may say."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def top(metric: str) -> str:
    """Give the section with one metric."""
    return f"metrics:\n  m: {metric}"


def test_all_of_it(compile_parts: Compile) -> None:
    """Everything the file says of a metric reaches the table."""
    written = "{kind: score, role: quality, attribution: 4h, range: [0, 10], good: 7, catastrophic: 2}"
    assert compile_parts(top=top(written)).head.metrics == {
        "m": Metric("m", MetricKind.SCORE, "quality", 14_400.0, (0.0, 10.0), 7.0, 2.0)
    }


@pytest.mark.parametrize("kind", ["binary", "count", "duration", "text"])
def test_kind_is_enough(compile_parts: Compile, kind: str) -> None:
    """Every kind but the score needs nothing else, and nothing is said about it."""
    compiled = compile_parts(top=top(f"{{kind: {kind}}}"))
    assert compiled.head.metrics == {"m": Metric("m", MetricKind(kind))} and not compiled.warnings


@pytest.mark.parametrize(
    ("metric", "finding"),
    [
        ("{kind: score}", r":12:3 metrics\.m: a score needs a range; add range: \[lowest, highest\]"),
        ("{kind: score, range: [1, 0]}", r":12:27 metrics\.m\.range: the range does not rise; write \[lowest"),
        ("{kind: score, range: [1, 1]}", "the range does not rise"),
        ("{kind: score, range: [0, 1e300]}", "the range is too wide; stay between"),
        ("{kind: score, range: [0, 1], good: 2}", r"good: 2 is outside the range; write a score from 0 to 1"),
        ("{kind: score, range: [0, 1], catastrophic: -1}", r"catastrophic: -1 is outside the range"),
        (
            "{kind: score, range: [0, 1], good: 0.5, catastrophic: 0.5}",
            r"catastrophic: what is catastrophic would be good too; write a score below good, which is 0\.5",
        ),
        ("{kind: binary, range: [0, 1]}", r"range: range says nothing about a binary metric; take it out"),
        ("{kind: count, good: 3}", "good says nothing about a count metric"),
        ("{kind: text, catastrophic: 3}", "catastrophic says nothing about a text metric"),
        ("{kind: text, source: {judge: r}}", "judges give scores, not words; write kind: score"),
        ("{kind: binary, attribution: 0s}", "no feedback would count; write how long"),
        ("{kind: stars}", "metrics.m.kind"),
    ],
)
def test_wrong_is_named(compile_parts: Compile, metric: str, finding: str) -> None:
    """What is wrong is named with its place and the way out."""
    with pytest.raises(ConfigError, match=r"sluice\.yaml") as caught:
        compile_parts(top=top(metric))
    assert re.search(finding, str(caught.value))


def test_judged_metrics_take_feedback(compile_parts: Compile) -> None:
    """A metric that a judge fills in is taken as feedback too."""
    assert "m" in compile_parts(top=top("{kind: binary, source: {judge: r}}")).head.metrics
