"""Who judges what, and judges that cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.shadow import Budget, JudgedMetric
from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text
from gateway.settings.compile_judge import buckets_of

Compile = Callable[[str], Compiled]

_FILE = """\
version: 1
providers:
  p: {{base_url: 'https://h/v1'}}
  theirs: {{base_url: 'https://h/v1', auth: client}}
{top}
routes:
  r:
    variants: {{a: {{provider: p, model: m}}, b: {{like: a, model: n}}}}
    release: {{fixed: {{variant: a}}}}
    {route}
  index:
    variants: {{a: {{provider: p, model: text-embedding-3-small}}}}
    release: {{fixed: {{variant: a}}}}
  judge:
    variants: {{only: {{provider: {provider}, model: m}}, other: {{provider: p, model: n}}}}
    release: {release}
    {judge}
"""
_JUDGED = "metrics: {{m: {{kind: {kind}, source: {{judge: {judge}, sample: 5%{more}}}}}}}"


@pytest.fixture
def compile_file(tmp_path: Path) -> Callable[..., Compiled]:
    """Give a function that compiles a file with a judge's route."""
    (tmp_path / "rubric.md").write_text("Look for kindness.")

    def compile_it(**parts: str) -> Compiled:
        defaults = {"top": "", "route": "", "release": "{fixed: {variant: only}}", "judge": "", "provider": "p"}
        return compile_text(
            _FILE.format(**{**defaults, **parts}),
            name="sluice.yaml",
            folder=tmp_path,
            environ={},
            version=1,
            seal_key=bytes(32),
            previous=Allocations(),
        )

    return compile_it


def _judged(kind: str = "binary", judge: str = "judge", more: str = "") -> str:
    return _JUDGED.format(kind=kind, judge=judge, more=more)


def test_every_route_is_judged(compile_file: Callable[..., Compiled]) -> None:
    """Every route that answers in words gets the metric; the judge's own does not."""
    compiled = compile_file(top=_judged(more=", rubric: {file: rubric.md}, budget: {tokens_total: 7}"))
    judged = JudgedMetric(compiled.head.metrics["m"], "judge", 500, "Look for kindness.", Budget(tokens_total=7))
    assert [route.judged for route in compiled.routes] == [(judged,), (), ()]
    assert compiled.head.copied == ("r",)


@pytest.mark.parametrize(
    ("parts", "finding"),
    [
        ({"top": _judged(kind="text")}, "metrics.m.source: judges give scores, not words"),
        ({"top": _judged(kind="count")}, "metrics.m.source: judges give scores or yes and no, not a count"),
        ({"top": _judged().replace("5%", "0%")}, "metrics.m.source.sample: nothing would be judged"),
        ({"top": _judged(more=", rubric: {file: gone.md}")}, "metrics.m.source.rubric.file: cannot read 'gone.md'"),
        ({"top": _judged(judge="jude")}, "there is no route 'jude'; did you mean 'judge'?"),
        ({"top": _judged(judge="index")}, "answers in vectors; name a route whose model answers in words"),
        ({"top": _judged(more=", budget: {}")}, "this budget bounds nothing"),
        ({"route": "shadows: [{variant: b, judge: {route: r}}]"}, "'r' would judge itself.*; name another route"),
        (
            {
                "route": "shadows: [{variant: b, judge: {route: judge}}]",
                "judge": "shadows: [{variant: other, judge: {route: r}}]",
            },
            "'r' and 'judge' would judge each other without end; take the shadows of 'judge' out",
        ),
    ],
)
def test_wrong_is_named(compile_file: Callable[..., Compiled], parts: dict[str, str], finding: str) -> None:
    """What is wrong with a judge is named with its place and the way out."""
    with pytest.raises(ConfigError) as caught:
        compile_file(**parts)
    assert re.search(finding, str(caught.value))


def test_client_keys_do_not_judge(compile_file: Callable[..., Compiled]) -> None:
    """The gateway asks judges itself, so that a client's own key is not at hand."""
    route = "shadows: [{variant: b, judge: {route: judge}}]"
    with pytest.raises(ConfigError, match="with the client's own key, and there is no client; use a provider with"):
        compile_file(route=route, provider="theirs")


def test_judges_stay_as_they_are(compile_file: Callable[..., Compiled]) -> None:
    """A judge that may change midway is worth a warning, and one that has shadows of its own is not."""
    route = "shadows: [{variant: b, judge: {route: judge}}]"
    split = "{split: {arms: {only: 50%, other: 50%}}}"
    (warning,) = [one for one in compile_file(route=route, release=split).warnings if "midway" in one.problem]
    assert (warning.key_path, warning.remedy) == ("routes.r.shadows[0].judge.route", "give 'judge' a fixed release")
    assert not any(
        "judge" in one.problem for one in compile_file(route=route, judge="shadows: [{variant: other}]").warnings
    )


def test_fine_shares_are_kept() -> None:
    """A share finer than a bucket is one bucket, and none is none."""
    assert [buckets_of(share) for share in (0.0, 0.00001, 0.5, 1.0)] == [0, 1, 5000, 10_000]
