"""What a variant costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.price import Price, Rates
from gateway.settings.allocations import Allocations
from gateway.settings.compile import Compiled, compile_text
from gateway.settings.memo import Memo
from gateway.settings.prices import PriceList

Compile = Callable[..., Compiled]
OPENAI = "{base_url: 'https://api.openai.com/v1'}"
LISTED = f"""\
version: 1
providers: {{p: {OPENAI}}}
routes: {{r: {{variants: {{a: {{model: gpt-4.1}}, b: {{like: a}}}}, release: {{split: {{arms: {{a: 50%, b: 50%}}}}}}}}}}
"""


def _prices(compiled: Compiled) -> list[Price | None]:
    return [variant.price for variant in compiled.routes[0].variants.values()]


def test_list_price(compile_parts: Compile) -> None:
    """A known model of a known provider has its price, and says nothing."""
    compiled = compile_parts(provider=OPENAI, a="{model: gpt-4.1-mini}", b="{model: gpt-4.1}")
    first, second = _prices(compiled)
    assert first is not None
    assert second is not None
    assert first.rates.input_usd < second.rates.input_usd
    assert compiled.warnings == ()


def test_file_wins(compile_parts: Compile) -> None:
    """What the file says is what it costs, for that variant alone."""
    route = "price: {b: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}}"
    first, second = _prices(compile_parts(provider=OPENAI, a="{model: gpt-4.1}", route=route))
    assert second == Price(Rates(2e-6, 8e-6, 2e-6)) != first
    cached = "price: {b: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, cached_input_usd_per_mtok: 0}}"
    assert _prices(compile_parts(route=cached)) == [None, Price(Rates(2e-6, 8e-6, 0.0))]


def test_unknown_model_is_said_once(compile_parts: Compile) -> None:
    """Two variants of one model are one warning, with its place and the way out."""
    (warning,) = compile_parts(provider=OPENAI, a="{model: gpt-none}").warnings
    assert str(warning).startswith("sluice.yaml:7:")
    assert "'gpt-none' of 'a'" in warning.problem
    assert "price: {a: {input_usd_per_mtok" in warning.remedy


@pytest.mark.parametrize(
    "parts", [{}, {"provider": OPENAI, "a": "{}"}, {"provider": "{base_url: 'http://127.0.0.1:9/v1'}"}]
)
def test_nothing_is_said_where_there_is_no_price(compile_parts: Compile, parts: dict[str, str]) -> None:
    """Local providers and the client's own choice of model are no matter for a warning."""
    compiled = compile_parts(**parts)
    assert (compiled.warnings, _prices(compiled)) == ((), [None, None])


def test_prices_may_come_later(tmp_path: Path) -> None:
    """A start need not wait for the list: the same file compiled again once it is there is another table."""
    memo = Memo(PriceList(is_deferred=True))
    early = _compiled(tmp_path, memo)
    assert (_prices(early), early.warnings, memo.prices.was_missed) == ([None, None], (), True)
    memo.prices.load()
    late = _compiled(tmp_path, memo)
    assert None not in _prices(late)
    assert early.fingerprint != late.fingerprint
    assert _compiled(tmp_path, memo).routes[0] is late.routes[0]


def _compiled(folder: Path, memo: Memo) -> Compiled:
    return compile_text(
        LISTED, name="x", folder=folder, environ={}, version=1, seal_key=bytes(32), previous=Allocations(), memo=memo
    )


def test_price_is_no_content(compile_parts: Compile) -> None:
    """Another price is the same variant; another service tier is another variant at another price."""
    route = "price: {a: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}}"
    plain, priced = compile_parts(), compile_parts(route=route)
    assert plain.routes[0].variants["a"].content_hash == priced.routes[0].variants["a"].content_hash
    flex = _prices(
        compile_parts(provider=OPENAI, a="{model: gpt-5.1}", b="{like: a, extra_body: {service_tier: flex}}")
    )
    assert flex[0] != flex[1]
