"""Flags: a value of one kind for every arm, or a finding that says which is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from gateway.domain.flag import Flag
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled
from gateway.settings.compile_flags import MAX_FLAGS, MAX_VALUE_BYTES

Compile = Callable[..., Compiled]
FACTORIAL = (
    "{factorial: {factors: {x: {one: {}, two: {params: {set: {seed: 1}}}}, y: {i: {}, j: {model: n}}}, base: a}}"
)


def flags_of(compiled: Compiled) -> tuple[Flag, ...]:
    """Give the flags of the only route."""
    (route,) = compiled.routes
    return route.flags


def values_of(compiled: Compiled) -> Mapping[str, bytes]:
    """Give the values of the only flag."""
    (flag,) = flags_of(compiled)
    return flag.values


def test_every_arm_has_its_value(compile_parts: Compile) -> None:
    """Values are JSON as written, in file order, and there is no warning."""
    compiled = compile_parts(route="flags: {rag: {a: {top_k: 5, f: 0.5}, b: {top_k: 8}}, on: {a: true, b: false}}")
    assert [flag.name for flag in flags_of(compiled)] == ["rag", "on"]
    assert flags_of(compiled)[0].values == {"a": b'{"top_k":5,"f":0.5}', "b": b'{"top_k":8}'}
    assert compiled.warnings == ()


def test_like_inherits(compile_parts: Compile) -> None:
    """A variant that a flag does not name has the value of the one it is like."""
    assert values_of(compile_parts(route="flags: {f: {a: 1}}")) == {"a": b"1", "b": b"1"}


def test_only_arms_need_values(compile_parts: Compile) -> None:
    """What serves nobody needs none."""
    compiled = compile_parts(b="{model: n}", release="{fixed: {variant: a}}", route="flags: {f: {a: x}}")
    assert values_of(compiled) == {"a": b'"x"'}


def test_cells_have_values(compile_parts: Compile) -> None:
    """A factorial's cell may be named itself, and else has what its base has."""
    values = values_of(compile_parts(release=FACTORIAL, route="flags: {f: {a: 1}}"))
    assert len(values) == 4 and set(values.values()) == {b"1"}
    cell = list(values)[3]
    named = values_of(compile_parts(release=FACTORIAL, route=f"flags: {{f: {{a: 1, '{cell}': 2}}}}"))
    assert [named[name] for name in values] == [b"1", b"1", b"1", b"2"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"b": "{model: n}", "route": "flags: {f: {a: 1}}"}, r"flags\.f: the flag 'f' has no value for 'b'"),
        ({"route": "flags: {f: {a: 1, c: 2}}"}, r"flags\.f\.c: there is no variant 'c'"),
        ({"route": "flags: {f: {a: 1, b: x}}"}, r"flags\.f\.b: .* is text, and the value of 'a' is a whole number"),
        ({"route": "flags: {f: {a: 0.5, b: 5}}"}, r"a whole number, .* such as 5.0 beside 0.5"),
        ({"route": "flags: {f: {a: null}}"}, r"is no value for a flag; write a boolean, a whole number"),
        ({"route": "flags: {f: {a: {x: [.inf]}}}"}, r"has no place in JSON"),
        ({"route": f"flags: {{f: {{a: {'x' * MAX_VALUE_BYTES}}}}}"}, r"the value is too large; at most 4096 bytes"),
        (
            {"route": f"flags: {{{', '.join(f'f{n}: {{a: 1}}' for n in range(MAX_FLAGS + 1))}}}"},
            r"at most 100 per route",
        ),
    ],
)
def test_wrong_flags_are_refused(compile_parts: Compile, parts: dict[str, str], words: str) -> None:
    """Each mistake is named with its place and the way out."""
    with pytest.raises(ConfigError, match=words):
        compile_parts(**parts)


def test_key_means_one_thing(compile_parts: Compile) -> None:
    """A key that is also a route's name, or another's flag, is refused; dots alone are not."""
    other = "r.f: {variants: {x: {model: m}}, release: {fixed: {variant: x}}}"
    with pytest.raises(ConfigError, match=r"the key 'r\.f' also means something of the route 'r\.f'"):
        compile_parts(route=f"flags: {{f: {{a: 1}}}}\n  {other}")
    assert len(compile_parts(route=f"flags: {{g.h: {{a: 1}}}}\n  {other}").routes) == 2
