"""Cells of factors: every combination of levels, each a patch of the base."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.variant import Api
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
_TOP = "metrics: {m: {kind: binary}}"
_FACTORS = "{model: {big: m, small: n}, prompt: {plain: {}, kind: {system_prompt: {append: Be kind.}}}}"


def _release(factors: str = _FACTORS, more: str = "") -> str:
    return f"{{factorial: {{base: a, primary_metric: m, factors: {factors}{more}}}}}"


def test_every_combination_is_a_variant(compile_parts: Compile) -> None:
    """A cell has what each of its levels changes, and the rest of the base."""
    variants = compile_parts(release=_release(), top=_TOP).routes[0].variants
    cells = [name for name in variants if "=" in name]
    assert cells == [
        "model=big,prompt=plain",
        "model=big,prompt=kind",
        "model=small,prompt=plain",
        "model=small,prompt=kind",
    ]
    kind = variants["model=small,prompt=kind"]
    assert (kind.model, kind.rewrites[Api.CHAT].system is None) == ("n", False)
    assert variants["model=big,prompt=plain"].content_hash == variants["a"].content_hash


def test_plain_values_are_parameters(compile_parts: Compile) -> None:
    """A factor that is called after a parameter sets it."""
    variants = compile_parts(release=_release("{temperature: {low: 0.2, high: 0.9}}"), top=_TOP).routes[0].variants
    sets = [dict(variants[name].rewrites[Api.CHAT].set) for name in ("temperature=low", "temperature=high")]
    assert [one[("temperature",)] for one in sets] == [b"0.2", b"0.9"]


@pytest.mark.parametrize(
    ("factors", "problem"),
    [
        ("{one: {x: {model: m}, y: {model: n}}, two: {x: {model: o}, y: {}}}", "'two' changes model, which 'one'"),
        ("{t: {x: {params: {set: {temperature: 0}}}, y: {}}, temperature: {a: 1, b: 2}}", "parameter temperature"),
        ("{one: {x: {like: b}, y: {}}}", "a level is a patch of `base`"),
        ("{one: {'x=1': {}, y: {}}}", "cannot name a factor or a level"),
        (f"{{one: {{{'x' * 40}: {{}}, {'y' * 62}: {{}}}}}}", "has a name of more than 64 bytes"),
        ("{one: {x: {modle: m}, y: {}}}", "unknown key 'modle'"),
        ("{one: {x: {}}}", "one"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, factors: str, problem: str) -> None:
    """With the place and the way out."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(release=_release(factors), top=_TOP)


def test_too_many_cells(compile_parts: Compile) -> None:
    """More cells than anybody's traffic can feed are no experiment."""
    levels = ", ".join(f"l{number}: {number / 100}" for number in range(9))
    factors = f"{{temperature: {{{levels}}}, top_p: {{{levels}}}}}"
    with pytest.raises(ConfigError, match="81 cells; there may be 64"):
        compile_parts(release=_release(factors), top=_TOP)


def test_base_has_to_be_there(compile_parts: Compile) -> None:
    """A patch needs something to patch."""
    with pytest.raises(ConfigError, match="there is no variant 'c'"):
        compile_parts(release=_release().replace("base: a", "base: c"), top=_TOP)


def test_prices_of_the_base(compile_parts: Compile) -> None:
    """A cell costs what its base does, unless another model answers."""
    route = "price: {a: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}"
    variants = compile_parts(release=_release(), top=_TOP, route=route).routes[0].variants
    assert variants["model=big,prompt=kind"].price == variants["a"].price is not None
    assert variants["model=small,prompt=kind"].price is None


def test_embeddings_do_not_differ_by_cell(compile_parts: Compile) -> None:
    """Vectors of two models cannot be compared, also where a level says so."""
    with pytest.raises(ConfigError, match="variants of an embeddings route differ in model"):
        compile_parts(
            a="{model: text-embedding-3-small}",
            release=_release("{model: {small: text-embedding-3-small, big: text-embedding-3-large}}"),
            top=_TOP,
        )


def test_levels_that_are_one(compile_parts: Compile) -> None:
    """Two levels with the same patch compare nothing, which is worth saying."""
    compiled = compile_parts(release=_release("{model: {x: m, y: m}}"), top=_TOP)
    assert "'y' changes what 'x' does" in str(compiled.warnings[0])
