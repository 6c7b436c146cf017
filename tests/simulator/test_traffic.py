"""The population drives a real server through the real client."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.population import TrafficPlan
from gateway.simulator.provider import SimulatedProvider
from gateway.simulator.tally import Result, Summary
from gateway.simulator.traffic import drive
from tests.fakes.feedback_gateway import FeedbackGateway

PLAN = TrafficPlan(route="m", n_users=20, rate_per_s=400, n_requests=40, stream_ratio=0.5, responses_ratio=0.5)


async def driven(provider: SimulatedProvider, plan: TrafficPlan) -> tuple[Summary, list[Result]]:
    """Give what came of `plan`."""
    results: list[Result] = []
    summary = await drive(plan, base_url=provider.base_url, on_result=results.append)
    return summary, results


async def test_everything_is_asked(provider: SimulatedProvider) -> None:
    """Each planned request comes, with its user, by both APIs, whole and streamed; each has its quality."""
    summary, results = await driven(provider, PLAN)
    assert (summary.n_requests, summary.errors, len(results)) == (40, {}, 40)
    kinds = Counter((entry.path, entry.json["stream"]) for entry in provider.received)
    assert len(kinds) == 4
    users = Counter(entry.headers.get("x-user-id") for entry in provider.received)
    assert users == Counter(one.planned.person and one.planned.person.user_id for one in results)
    assert all(one.quality is not None for one in results)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", "RateLimitError 429"),
        ("reset", "APIConnectionError"),
        ("truncated", "UnfinishedError"),
        ("hang", "TimeoutError"),
    ],
)
async def test_errors_are_results(provider: SimulatedProvider, fault: str, error: str) -> None:
    """By their kind, also the half answers that no client notices."""
    provider.behaviour = Behaviour(default=ModelBehaviour(fault=fault))
    plan = replace(PLAN, n_requests=4, stream_ratio=1.0, responses_ratio=0.0, timeout_s=0.3)
    summary, _ = await driven(provider, plan)
    assert summary.errors == {error: 4}


async def test_feedback_needs_an_id(provider: SimulatedProvider) -> None:
    """Without a gateway that gives request ids, thumbs are drawn and kept."""
    summary, results = await driven(provider, replace(PLAN, feedback_ratio=1.0))
    assert (summary.n_feedback_given, summary.feedback_errors) == (0, {"the answer has no request id": 40})
    assert {one.thumb for one in results} == {True, False}


ACKNOWLEDGED = b'{"object":"list","data":[]}'
REFUSED = b'{"error":{"message":"no","type":"invalid_request_error","param":"metric","code":"unknown_metric"}}'


async def thumbs_given(status: int, body: bytes, **changes: Any) -> tuple[Summary, list[dict[str, Any]]]:
    """Give what came of ten requests to a gateway that answers feedback so, and the feedback it got."""
    async with FeedbackGateway(status, body, first_alone=status == 404) as gateway:
        plan = replace(PLAN, n_requests=10, stream_ratio=0.0, responses_ratio=0.0, feedback_ratio=1.0, **changes)
        summary = await drive(plan, base_url=gateway.base_url, on_result=lambda _: None)
        return summary, gateway.feedback


async def test_feedback_is_given() -> None:
    """Each thumb goes to the endpoint with its answer's request id, and is counted when acknowledged."""
    summary, feedback = await thumbs_given(200, ACKNOWLEDGED, feedback_metric="liked")
    assert (summary.n_feedback_given, summary.n_feedback_kept) == (10, 0)
    assert {one["request_id"] for one in feedback} == {f"sq1_{number}" for number in range(10)}
    assert {one["metric"] for one in feedback} == {"liked"} and {one["value"] for one in feedback} <= {True, False}


async def test_late_feedback_is_waited_for() -> None:
    """The traffic ends with the last thumb, not with the last answer."""
    summary, _ = await thumbs_given(200, ACKNOWLEDGED, feedback_delay_s=0.1)
    assert summary.n_feedback_given == 10


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "unknown_metric"), (404, "there is no place for it"), (409, "unknown_metric")]
)
async def test_refused_feedback_is_told(status: int, reason: str) -> None:
    """What is not acknowledged is counted by its reason; where there is no endpoint nobody keeps asking."""
    summary, feedback = await thumbs_given(status, REFUSED)
    assert (summary.n_feedback_given, summary.feedback_errors) == (0, {reason: 10})
    assert len(feedback) == (1 if status == 404 else 10)


async def test_full_house_sends_no_more(provider: SimulatedProvider) -> None:
    """Arrivals beyond the bound are counted, not queued."""
    provider.behaviour = Behaviour(default=ModelBehaviour(latency_ms=300))
    summary, _ = await driven(provider, replace(PLAN, max_in_flight=5))
    assert summary.n_requests + summary.n_unsent == 40 and summary.n_unsent > 0


async def test_cancelling_ends_all(provider: SimulatedProvider) -> None:
    """Nothing is left asking."""
    provider.behaviour = Behaviour(default=ModelBehaviour(fault="hang"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await driven(provider, PLAN)
    await asyncio.sleep(0.05)
    assert provider.stats.n_in_flight == 0
