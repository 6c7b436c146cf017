"""Compiling an edit gives what compiling the file anew would give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text
from gateway.settings.memo import Memo, spell_around, spell_routes

Answer = tuple[object, ...]
Environ = dict[str, str]

_FILE = """\
version: 1
{top}
providers:
  p: {{base_url: {url}, timeouts: {{idle: {idle}}}}}
  q: {{base_url: 'https://q/v1', headers: {{x-org: {{env: ORG}}}}}}
identity:
  internal_users: [{internal}]
  segments: {{tier: header:x-tier, {segment}: header:x-app}}
routes:
  one:
    variants:
      a: {{provider: p, model: {model}, system_prompt: {{replace: {{file: prompt.md}}}}}}
      b: {{like: a, params: {{set: {{temperature: {temperature}}}}}}}
    release: {{audience: {{tier: [pro]}}, {kind}}}
    {extra}
  {second}:
    variants: {{c: {{provider: q, headers: {{x-key: {{env: KEY}}}}}}}}
    release: {{fixed: {{variant: c}}}}
"""
_PARTS: dict[str, tuple[str, ...]] = {
    "top": (
        "",
        "# a comment\n\n",
        "default_provider: q",
        "default_provider: z",
        "metrics: {m: {kind: binary}}",
        "metrics: {m: {kind: binary, source: {judge: two, rubric: {file: prompt.md}}}}",
    ),
    "url": ("'https://p/v1'", "'http://p/v1'", "'ftp://p'"),
    "idle": ("1m", "2m", "soon"),
    "internal": ("", "ann"),
    "segment": ("app", "client"),
    "model": ("m", "n", "text-embedding-3"),
    "temperature": ("1", "1.0", "true", "0.2", "hot"),
    "kind": (
        "split: {arms: {a: 50%, b: 50%}}",
        "split: {arms: {a: 40%, b: 50%}}",
        "rollout: {baseline: a, candidate: b, change_type: new_feature}",
        "rollout: {baseline: a, candidate: b, stages: [{at: 5%}, {at: 100%}]}",
    ),
    "extra": (
        "",
        "fallback: [b]",
        "fallback: [none]",
        "samples: {keep: 1%}",
        "price: {a: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}",
        "shadows: [{variant: b, judge: {route: two}}]",
        "shadows: [{variant: b, judge: {route: three, rubric: {file: prompt.md}}}]",
        "shadows: [{variant: a, sample: 0%}]",
        "guards: [{kind: moderation, provider: q}]",
        "guards: [{kind: pattern, pattern: x, action: block}]",
        "unknown: 1",
    ),
    "second": ("two", "three", "one"),
}
_EDITS = st.fixed_dictionaries({name: st.sampled_from(choices) for name, choices in _PARTS.items()})
_OUTSIDE = st.fixed_dictionaries(
    {"KEY": st.sampled_from(["k", "l", ""]), "ORG": st.just("o"), "prompt": st.sampled_from(["Hi", "Ho", None])}
)


def _text(**parts: str) -> str:
    return _FILE.format(**{**{name: choices[0] for name, choices in _PARTS.items()}, **parts})


def _answer(text: str, folder: Path, environ: Environ, previous: Allocations, memo: Memo | None) -> Answer:
    """Give everything a compilation says, or everything that it finds wrong."""
    try:
        compiled = compile_text(
            text, name="f", folder=folder, environ=environ, version=1, seal_key=bytes(32), previous=previous, memo=memo
        )
    except ConfigError as error:
        return ([str(finding) for finding in error.findings], tuple(error.files))
    warnings = [str(warning) for warning in compiled.warnings]
    plans = (compiled.plans, compiled.edits)
    return (compiled.head, compiled.routes, compiled.files, warnings, compiled.allocations, compiled.fingerprint, plans)


@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.tuples(_EDITS, _OUTSIDE), min_size=2, max_size=5))
def test_same_as_anew(tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[Environ, dict[str, str]]]) -> None:
    """Whatever is edited, the table, the findings, their places and the buckets are those of a cold start."""
    folder, memo, previous = tmp_path_factory.mktemp("memo"), Memo(), Allocations()
    for parts, outside in edits:
        (folder / "prompt.md").unlink(missing_ok=True)
        if outside["prompt"] is not None:
            (folder / "prompt.md").write_text(outside["prompt"])
        warm = _answer(_text(**parts), folder, outside, previous, memo)
        assert warm == _answer(_text(**parts), folder, outside, previous, None)
        if len(warm) == 7:  # published: the next one starts from these buckets
            assert isinstance(warm[4], Allocations)
            previous = warm[4]


@pytest.fixture
def compile_parts_of(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Give a function that compiles with one memo throughout, and gives the routes by name."""
    memo = Memo()
    (tmp_path / "prompt.md").write_text("Hi")

    def compile_it(key: str = "k", **parts: str) -> dict[str, object]:
        answer = _answer(_text(**parts), tmp_path, {"KEY": key, "ORG": "o"}, Allocations(), memo)
        assert len(answer) == 7, answer
        return {route.name: route for route in answer[1]}  # type: ignore[attr-defined]

    return compile_it


@pytest.mark.parametrize("edit", [{"internal": "ann"}, {"top": "# moved down\n"}, {"idle": "2m"}])
def test_unread_edits_cost_nothing(compile_parts_of: Callable[..., dict[str, object]], edit: Environ) -> None:
    """What no route reads compiles no route again."""
    before = compile_parts_of()
    after = compile_parts_of(**edit)
    assert all(after[name] is before[name] for name in before)


@pytest.mark.parametrize(
    "edit",
    [
        {"model": "n"},
        {"extra": "fallback: [b]"},
        {"kind": "split: {arms: {a: 50.0%, b: 50%}}"},
        {"url": "'https://other/v1'"},
    ],
)
def test_only_the_edited_route(compile_parts_of: Callable[..., dict[str, object]], edit: Environ) -> None:
    """The route that was edited is compiled, and no other."""
    before, after = compile_parts_of(), compile_parts_of(**edit)
    assert after["one"] is not before["one"]
    assert after["two"] is before["two"]


def test_rotated_variable_is_seen(compile_parts_of: Callable[..., dict[str, object]]) -> None:
    """A header's value comes from the environment of now."""
    before, after = compile_parts_of("k"), compile_parts_of("rotated")
    assert after["two"] != before["two"]
    assert after["one"] is before["one"]


@pytest.mark.parametrize(
    "parts",
    [
        {"extra": "shadows: [{variant: b, judge: {route: two, rubric: {file: rubric.md}}}]"},
        {"top": "metrics: {m: {kind: binary, source: {judge: two, rubric: {file: rubric.md}}}}"},
    ],
)
def test_rubrics_are_read_again(tmp_path: Path, parts: dict[str, str]) -> None:
    """A rubric that changes in its file reaches the routes that were kept."""
    memo, found = Memo(), set[str]()
    (tmp_path / "prompt.md").write_text("Hi")
    for rubric in ("strict", "kind"):
        (tmp_path / "rubric.md").write_text(rubric)
        route = _answer(_text(**parts), tmp_path, {"KEY": "k", "ORG": "o"}, Allocations(), memo)[1][0]  # type: ignore[index]
        found |= {one.judge.rubric for one in route.shadows} | {one.rubric for one in route.judged}
    assert found == {"strict", "kind"}


def test_kinds_of_numbers_differ() -> None:
    """One, 1.0 and true are equal to Python and not to a provider."""
    spelled = {spell_routes({"routes": {"r": value}})["r"] for value in (1, 1.0, True)}
    assert len(spelled) == 3


@pytest.mark.parametrize("root", [None, [], {"routes": 3}, {}])
def test_odd_shapes_are_not_kept(root: object) -> None:
    """What is not the shape of a file has no routes to keep."""
    assert spell_routes(root) == {}


@pytest.mark.parametrize("providers", [1, [], {"p": 2}])
def test_odd_sections_are_spelled(providers: object) -> None:
    """Sections of the wrong shape are spelled as they stand; the document refuses them."""
    around = spell_around({"providers": providers, "identity": [2], "routes": {}})
    assert around is not None
    assert b'"identity":[2]' in around.everywhere
