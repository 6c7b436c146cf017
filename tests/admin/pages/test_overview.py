"""The first page."""

from __future__ import annotations

from gateway.control.rollout import RolloutPhase
from tests.fakes.busy_operations import HOSTILE, BusyOperations, LiveFacts, arm_of, live_numbers, live_route
from tests.fakes.operators_port import OperatorsPort
from tests.fakes.quiet_operations import QuietOperations
from tests.processes.rollout_toys import ToyController, latch, rollout


async def overview(operations: QuietOperations) -> str:
    """Give the page."""
    async with OperatorsPort(operations) as port:
        status, text = await port.get("/")
    assert status == 200
    return text


async def test_every_route_is_on_it() -> None:
    """With its release, stage, shares and numbers, and a link to more."""
    operations = BusyOperations()
    operations.live = live_numbers()
    text = await overview(operations)
    assert 'href="/routes/support"' in text and "14 h more at 10%" in text and 'aria-label="Users: current 90 %' in text
    assert "1.27" not in text and "1.3 ×" in text and 'data-stream="/api/live"' in text


async def test_names_are_only_names() -> None:
    """A name that looks like markup is shown, never taken for it."""
    text = await overview(BusyOperations())
    assert HOSTILE not in text and "<img src=x" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text


async def test_nothing_yet() -> None:
    """No routes: the page says what to write."""
    text = await overview(QuietOperations())
    assert "No route is configured yet." in text and "sluice init" in text and "variants:" in text


async def test_no_traffic_yet() -> None:
    """Routes without requests: the page says how to send one."""
    operations = BusyOperations()
    operations.routes = {"support": operations.routes["support"]}
    idle = [arm_of(name, "baseline", 50, n_requests=0) for name in ("current", "concise")]
    operations.live = LiveFacts(live_route("support", *idle, series=[]))
    text = await overview(operations)
    assert (
        "curl" in text
        and "x-user-id" in text
        and "&#34;model&#34;: &#34;support&#34;"
        in text.replace('"model"', "&#34;model&#34;").replace('"support"', "&#34;support&#34;")
    )


async def test_bad_news_is_on_top() -> None:
    """A refused file with its place, a stopped candidate, requests without a user, a provider that is left out."""
    operations = BusyOperations(ToyController(a=rollout(RolloutPhase.ROLLED_BACK, weight=0, reason="5xx 7.2 %")))
    operations.controller.latches = (latch(),)
    operations.findings = [
        {
            "file": "s.yaml",
            "line": 4,
            "column": 7,
            "key_path": "routes",
            "problem": "unknown field",
            "remedy": "drop it",
        }
    ]
    ejected = {"provider": "acme", "state": "open", "until_unix_ms": None}
    operations.live = live_numbers(providers=[ejected], warnings=["31 % of requests carry no user: user="])
    text = await overview(operations)
    order = ["s.yaml:4:7", "5xx 7.2 %", "Provider", "carry no user"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


async def test_without_live_numbers() -> None:
    """Nothing moves and nothing is made up."""
    text = await overview(BusyOperations())
    assert "no live numbers yet" in text and "data-stream=" not in text
