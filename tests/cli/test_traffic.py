"""`sluice traffic` reads its flags, drives the population and says what came of it."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Iterator

import orjson
import pytest

from gateway.cli import traffic
from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.provider import SimulatedProvider


def parsed(*words: str) -> argparse.Namespace:
    """Give the flags as parsed."""
    parser = argparse.ArgumentParser()
    traffic.add_arguments(parser)
    return parser.parse_args(["--route", "m", *words])


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    """Give a provider on a loop of its own: the command runs one itself."""
    started, ended = threading.Event(), threading.Event()
    provider = SimulatedProvider()

    async def serve() -> None:
        async with provider:
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(5)
    yield provider
    ended.set()
    thread.join(5)


def test_flags_make_a_plan() -> None:
    """Rates, durations, shares and APIs as people write them."""
    words = ("--base-url", "u", "--rate", "600/m", "--duration", "1m30s", "--stream", "50%", "--api", "mixed")
    plan = traffic.plan_of(parsed(*words))
    assert (plan.rate_per_s, plan.duration_s, plan.stream_ratio, plan.responses_ratio) == (10.0, 90.0, 0.5, 0.5)


def test_feedback_is_described() -> None:
    """How much, by whom, how late and for which metric; without a share it is three in ten."""
    words = ("--base-url", "u", "--feedback", "50%", "--raters", "20%", "--feedback-delay", "5s", "--metric", "ok")
    plan = traffic.plan_of(parsed(*words))
    assert (plan.feedback_ratio, plan.raters_ratio, plan.feedback_delay_s, plan.feedback_metric) == (
        0.5,
        0.2,
        5.0,
        "ok",
    )
    shares = [traffic.plan_of(parsed("--base-url", "u", *more)).feedback_ratio for more in ((), ("--feedback",))]
    assert shares == [0.0, 0.3]


def test_requests_need_no_duration() -> None:
    """With a number of requests time does not end it; with neither, half a minute does."""
    assert traffic.plan_of(parsed("--base-url", "u", "--requests", "5")).duration_s is None
    assert traffic.plan_of(parsed("--base-url", "u")).duration_s == 30.0


@pytest.mark.parametrize(
    "words", [("--rate", "0"), ("--rate", "5/y"), ("--duration", "soon"), ("--stream", "130%"), ("--users", "0")]
)
def test_nonsense_is_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the flag and a remedy."""
    with pytest.raises(SystemExit):
        parsed("--base-url", "u", *words)
    assert words[0] in capsys.readouterr().err


def test_json_is_for_scripts(provider: SimulatedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but the summary on stdout; 0 when all were answered."""
    words = ("--base-url", provider.base_url, "--requests", "10", "--rate", "200", "--json")
    assert traffic.run(parsed(*words)) == 0
    summary = orjson.loads(capsys.readouterr().out)
    assert summary["n_requests"] == 10 and summary["users_seen_in_more_than_one_variant"] == 0


def test_people_get_a_sentence(provider: SimulatedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, the errors by kind, one sentence; 1 when some failed."""
    provider.behaviour = Behaviour(default=ModelBehaviour(error_rate=1))
    words = ("--base-url", provider.base_url, "--requests", "5", "--rate", "200", "--feedback")
    assert traffic.run(parsed(*words)) == 1
    shown = capsys.readouterr()
    assert "5 failed" in shown.out and "InternalServerError 500: 5" in shown.err
