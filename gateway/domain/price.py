"""What a variant's tokens cost: one price, resolved when the table was compiled."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Rates:
    """
    USD per token.

    Attributes:
        input_usd: One token of the prompt.
        output_usd: One token of the answer, reasoning included.
        cached_input_usd: One token of the prompt that was read from a cache.
    """

    input_usd: float
    output_usd: float
    cached_input_usd: float


@dataclass(frozen=True, slots=True)
class PriceTier:
    """
    Rates for long prompts. They hold for every token of the request, not only for those above.

    Attributes:
        above_input_tokens: The prompt has more tokens than this.
        rates: What then holds.
    """

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """
    What a model costs at a provider.

    Attributes:
        rates: USD per token.
        tiers: What holds for long prompts instead; the longest first.
    """

    rates: Rates
    tiers: tuple[PriceTier, ...] = ()

    def cost_usd(self, usage: Usage) -> float:
        """
        Give what one answer cost, in USD.

        >>> Price(Rates(2e-6, 8e-6, 1e-6)).cost_usd(Usage(input_tokens=1000, output_tokens=500, cached_tokens=200))
        0.0058
        """
        n_input, n_output, n_cached, _ = usage
        rates = self.rates
        for tier in self.tiers:
            if n_input > tier.above_input_tokens:
                rates = tier.rates
                break
        # A provider that counts cached tokens apart from the prompt's must not earn us a refund.
        if n_cached > n_input:
            n_cached = n_input
        return (n_input - n_cached) * rates.input_usd + n_cached * rates.cached_input_usd + n_output * rates.output_usd
