"""
Where prices come from: the list of genai-prices, and above it what the file says.

The list is bundled with that library: nothing is fetched, here or later. It takes a quarter of a second
to load, which nobody pays whose providers are all on this machine or in this network: those have no
list price. What was looked up is kept, so that an edit of the file costs nothing.

A price is that of the day on which the table was compiled. Where it changes with the time of day, noon
UTC counts, which for those few is the full price.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from gateway.clock import Clock, SystemClock
from gateway.domain.price import Price, PriceTier, Rates

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

_NEAR = ("localhost", ".localhost", ".local", ".internal", ".lan", ".svc", ".cluster.local")
_MTOK = Decimal(1_000_000)
_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok")


class _Wanted(NamedTuple):
    base_url: str
    model: str
    service_tier: str | None
    day: int


class PriceList:
    """
    The bundled list; loaded when first needed, and what was looked up is kept.

    Args:
        clock: Says which day it is.
        is_deferred: Give no prices before `load` was called: for a start that must not wait for them.

    Attributes:
        was_missed: A price was asked for that only the list can tell, before it was loaded.
    """

    __slots__ = ("_clock", "_found", "_is_deferred", "was_missed")

    def __init__(self, clock: Clock | None = None, *, is_deferred: bool = False) -> None:
        self._clock = clock or SystemClock()
        self._found: dict[_Wanted, Price | None] = {}
        self._is_deferred = is_deferred
        self.was_missed = False

    def __repr__(self) -> str:
        """Give the count."""
        return f"<PriceList, {len(self._found)} looked up>"

    def load(self) -> None:
        """Load the list, which blocks for a quarter of a second; from now on prices are given."""
        _snapshot()
        self._is_deferred = self.was_missed = False

    def find(self, base_url: str, model: str, service_tier: str | None = None) -> Price | None:
        """
        Give today's price of a model.

        Args:
            base_url: The provider's; says whose model it is.
            model: As it is sent.
            service_tier: "flex", "priority" …, where a request asks for one.

        Returns:
            The price, or None where the list has none, or the provider is in our own network.
        """
        if is_near(base_url):
            return None
        if self._is_deferred:
            self.was_missed = True
            return None
        wanted = _Wanted(base_url, model, service_tier, self._clock.unix_ms() // 86_400_000)
        if wanted not in self._found:
            self._found[wanted] = _look_up(wanted)
        return self._found[wanted]


def is_near(base_url: str) -> bool:
    """
    Tell whether a provider is on this machine or in this network, where tokens have no list price.

    >>> is_near("http://vllm:8000/v1"), is_near("https://api.openai.com/v1")
    (True, False)
    """
    try:
        host = (urlsplit(base_url).hostname or "").rstrip(".")
    except ValueError:
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_NEAR)


def _look_up(wanted: _Wanted) -> Price | None:
    try:
        _, model = _snapshot().find_provider_model(wanted.model, None, None, wanted.base_url)
    except LookupError:
        return None
    noon = datetime.fromtimestamp(wanted.day * 86_400 + 43_200, tz=UTC)
    return _price_of(_prices_of(model, noon, wanted.service_tier))


def _snapshot() -> DataSnapshot:
    # Loads a list of 1.6 MB, and an HTTP client that is never asked.
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _prices_of(model: ModelInfo, noon: datetime, service_tier: str | None) -> ModelPrice:
    return model.get_prices(noon, {"service_tier": service_tier} if service_tier is not None else None)


def _price_of(prices: ModelPrice) -> Price | None:
    listed = [getattr(prices, key) for key in _KEYS]
    if listed[0] is None:
        return None
    starts = {tier.start for price in listed for tier in getattr(price, "tiers", ())}
    tiers = (PriceTier(start, _rates_of(listed, start + 1)) for start in sorted(starts, reverse=True))
    return Price(_rates_of(listed, 0), tuple(tiers))


def _rates_of(listed: list[Decimal | TieredPrices | None], input_tokens: int) -> Rates:
    input_usd, output_usd, cached_usd = (_usd_per_token(price, input_tokens) for price in listed)
    return Rates(input_usd or 0.0, output_usd or 0.0, (input_usd or 0.0) if cached_usd is None else cached_usd)


def _usd_per_token(price: Decimal | TieredPrices | None, input_tokens: int) -> float | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return float(price / _MTOK)
    usd = price.base
    for tier in price.tiers:
        if input_tokens > tier.start:
            usd = tier.price
    return float(usd / _MTOK)
