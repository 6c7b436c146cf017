"""What tokens cost."""

from __future__ import annotations

import pytest

from gateway.domain.price import Price, PriceTier, Rates
from gateway.domain.usage import Usage

FLAT = Price(Rates(2e-6, 8e-6, 1e-6))
TIERED = Price(Rates(1e-6, 2e-6, 1e-7), (PriceTier(500, Rates(5e-6, 6e-6, 7e-6)), PriceTier(200, Rates(3e-6, 4e-6, 0))))


def test_each_token_has_its_rate() -> None:
    """Cached tokens are part of the prompt's and cost their own."""
    assert FLAT.cost_usd(Usage(1000, 500, 200)) == pytest.approx(800 * 2e-6 + 200 * 1e-6 + 500 * 8e-6)
    assert FLAT.cost_usd(Usage(0, 0)) == 0


@pytest.mark.parametrize(("n_input", "rate"), [(200, 1e-6), (201, 3e-6), (500, 3e-6), (501, 5e-6)])
def test_tier_holds_for_every_token(n_input: int, rate: float) -> None:
    """A prompt longer than a tier's start pays that tier for all of itself."""
    assert TIERED.cost_usd(Usage(n_input, 0)) == pytest.approx(n_input * rate)


def test_cost_is_never_negative() -> None:
    """A provider that counts cached tokens beside the prompt's earns us no refund."""
    assert FLAT.cost_usd(Usage(10, 0, 1000)) == pytest.approx(10 * 1e-6)
