"""The price list."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.domain.usage import Usage
from gateway.settings.prices import PriceList, is_near

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"


class Calendar:
    """A clock that stands on a day."""

    def __init__(self, unix_s: int) -> None:
        self.unix_s = unix_s

    def now_s(self) -> float:
        """Give monotonic seconds."""
        return 0.0

    def unix_ms(self) -> int:
        """Give the day's time."""
        return self.unix_s * 1000


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        (OPENAI, "gpt-4.1-mini"),
        (OPENAI, "gpt-4.1-mini-2025-04-14"),
        ("https://team.openai.azure.com/openai/v1", "gpt-4o"),
        (ANTHROPIC, "claude-sonnet-4-5"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"),
    ],
)
@pytest.mark.parametrize("n_input", [1_000, 300_000])
def test_agrees_with_the_library(base_url: str, model: str, n_input: int) -> None:
    """Our multiplication gives what the library's own, a hundred times slower, gives; tiers included."""
    import genai_prices

    price = PriceList().find(base_url, model)
    assert price is not None
    theirs = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=n_input, cache_read_tokens=300, output_tokens=700),
        model_ref=model,
        provider_api_url=base_url,
    )
    assert price.cost_usd(Usage(n_input, 700, 300)) == pytest.approx(float(theirs.total_price), rel=1e-12)


def test_tiers_and_service_tiers_are_read() -> None:
    """Long prompts and other service tiers have their own rates."""
    prices = PriceList()
    long = prices.find(ANTHROPIC, "claude-sonnet-4-5")
    assert long is not None
    assert [tier.above_input_tokens for tier in long.tiers] == [200_000]
    flex, standard = prices.find(OPENAI, "gpt-5.1", "flex"), prices.find(OPENAI, "gpt-5.1")
    assert flex is not None
    assert standard is not None
    assert flex.rates.input_usd < standard.rates.input_usd


def test_price_is_of_noon() -> None:
    """A price that changes during the day is the same whenever a table is compiled."""
    hours = [PriceList(Calendar(1_790_000_000 + 3600 * hour)) for hour in range(0, 24, 6)]
    found = {prices.find("https://api.deepseek.com", "deepseek-chat") for prices in hours}
    assert len(found) == 1
    assert None not in found


@pytest.mark.parametrize(("base_url", "model"), [(OPENAI, "gpt-none"), ("https://llm.example.com/v1", "gpt-4.1")])
def test_unknown_has_no_price(base_url: str, model: str) -> None:
    """Neither a strange model nor a strange host is guessed at."""
    assert PriceList().find(base_url, model) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:9000", True),
        ("[::1]:1", True),
        ("10.1.2.3", True),
        ("vllm:8000", True),
        ("llm.svc.cluster.local", True),
        ("8.8.8.8", False),
        ("api.openai.com", False),
        ("localhost.example.com", False),
    ],
)
def test_near(host: str, expected: bool) -> None:
    """Addresses of this machine and network, and names that only resolve there, are near."""
    assert is_near(f"https://{host}/v1") is expected


def test_found_is_kept() -> None:
    """A second look gives what the first gave, without looking."""
    prices = PriceList()
    assert prices.find(OPENAI, "gpt-4.1") is prices.find(OPENAI, "gpt-4.1") is not None
    assert prices.find(OPENAI, "gpt-none") is None
    assert repr(prices) == "<PriceList, 2 looked up>"


@pytest.mark.parametrize(
    "promise",
    [
        # Who has only local providers does not pay for the list.
        "PriceList().find('http://127.0.0.1/v1', 'm'); sys.exit('genai_prices' in sys.modules)",
        # A look-up reaches for nothing outside.
        "sys.addaudithook(lambda event, _: sys.exit(3) if event.startswith('socket.') else None);"
        "sys.exit(PriceList().find('https://api.openai.com/v1', 'gpt-4o') is None)",
    ],
    ids=["nothing is loaded", "nothing is fetched"],
)
def test_in_a_process_of_its_own(promise: str) -> None:
    """Near providers load no list, and the list needs no network."""
    script = f"import sys; from gateway.settings.prices import PriceList; {promise}"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0
