"""Guards, from the file to what workers get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def _guards(compiled: Compiled, variant: str = "a") -> tuple[Guard, ...]:
    return compiled.routes[0].variants[variant].guards


def test_every_kind(compile_parts: Compile, tmp_path: Path) -> None:
    """Patterns, schemas inline and from files, and lengths arrive as they are written."""
    (tmp_path / "s.json").write_text('{"type": "object"}')
    route = (
        "guards: [{name: ssn, kind: pattern, pattern: x, action: block, buffer: true},"
        " {kind: json_schema, schema: {file: s.json}}, {kind: length, max_chars: 9}]"
    )
    assert _guards(compile_parts(route=route)) == (
        Guard("ssn", GuardKind.PATTERN, GuardAction.BLOCK, is_buffered=True, pattern="x"),
        Guard("json_schema-2", GuardKind.JSON_SCHEMA, schema=b'{"type":"object"}'),
        Guard("length-3", GuardKind.LENGTH, max_chars=9),
    )


def test_variants_add_theirs(compile_parts: Compile) -> None:
    """A variant's guards come behind the route's, are inherited, and can be taken away."""
    route = "guards: [{kind: pattern, pattern: x}]"
    a = "{model: m, guards: [{kind: pattern, pattern: y}]}"
    compiled = compile_parts(a=a, route=route)
    assert [guard.name for guard in _guards(compiled)] == ["pattern-1", "a-pattern-1"]
    assert _guards(compiled, "b") == _guards(compiled)
    bare = compile_parts(a=a, b="{like: a, guards: []}", route=route)
    assert [guard.name for guard in _guards(bare, "b")] == ["pattern-1"]


def test_guards_are_no_content(compile_parts: Compile) -> None:
    """A changed guard is the same variant."""
    guarded = compile_parts(route="guards: [{kind: pattern, pattern: x}]")
    assert guarded.routes[0].variants["a"].content_hash == compile_parts().routes[0].variants["a"].content_hash


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        (
            "{kind: pattern, pattern: '(?=x)'}",
            r"sluice\.yaml:10:\d+ routes\.r\.guards\[0\]\.pattern: .*; patterns are RE2",
        ),
        ("{kind: pattern}", r"a pattern guard without `pattern`; write `pattern`"),
        ("{kind: length}", r"without `min_chars` or `max_chars`"),
        ("{kind: length, min_chars: 3, max_chars: 2}", r"min_chars is above max_chars"),
        ("{kind: length, max_chars: 0}", r"max_chars"),
        ("{kind: pattern, pattern: x, schema: {}}", r"a pattern guard has no `schema`; take it out"),
        ("{kind: pattern, pattern: x, sample: 10%}", r"has no `sample`; .* moderation"),
        ("{kind: pattern, pattern: x, buffer: true}", r"only flags holds nothing back; write action: block"),
        ("{kind: json_schema, schema: 3}", r"not a JSON Schema"),
        ("{kind: json_schema, schema: {type: nope}}", r"guards\[0\]\.schema: the JSON Schema does not compile: "),
        ("{kind: json_schema, schema: {pattern: '(?=x)'}}", r"without look-around"),
        ("{kind: json_schema, schema: {$ref: 'http://127.0.0.1:9/'}}", r"nothing is fetched"),
        ("{kind: json_schema, schema: {file: none.json}}", r"cannot read .*none\.json"),
        ("{kind: moderation, provider: nobody}", r"there is no provider 'nobody'"),
        ("{kind: moderation, provider: p, action: block}", r"not yet: nothing would be blocked"),
        (
            "{name: n, kind: pattern, pattern: x}, {name: n, kind: length, max_chars: 1}",
            r"two guards called 'n'; .*name",
        ),
    ],
)
def test_what_is_wrong_is_said(compile_parts: Compile, guard: str, message: str) -> None:
    """Each error has its place and the way out."""
    with pytest.raises(ConfigError, match=message):
        compile_parts(route=f"guards: [{guard}]")


def test_name_taken_by_the_route(compile_parts: Compile) -> None:
    """A variant's guard cannot take the name of one of its route's."""
    with pytest.raises(ConfigError, match=r"variants\.a\.guards\[0\]: there are two guards called 'n'"):
        compile_parts(
            a="{guards: [{name: n, kind: length, max_chars: 1}]}",
            route="guards: [{name: n, kind: pattern, pattern: x}]",
        )


@pytest.mark.parametrize(
    ("guard", "n_warnings"),
    [
        ("{kind: json_schema, schema: {}, action: block}", 1),
        ("{kind: json_schema, schema: {}, action: block, buffer: true}", 0),
        ("{kind: length, max_chars: 3, action: block}", 0),
        ("{kind: length, min_chars: 3, action: block}", 1),
        ("{kind: moderation, provider: p}", 1),
    ],
)
def test_what_is_unwise_is_said(compile_parts: Compile, guard: str, n_warnings: int) -> None:
    """What can be blocked only when it is out already is worth a warning, and so is moderation, which is not yet."""
    assert len(compile_parts(route=f"guards: [{guard}]").warnings) == n_warnings
