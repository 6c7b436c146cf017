"""The judge's desk in front of a judge that answers well, badly or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.clock import SettableClock
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.price import Price, Rates
from gateway.domain.shadow import Budget, JudgedMetric, JudgeRule, Shadow
from gateway.domain.variant import Api
from gateway.record.copied import Copied
from gateway.record.outcome import Outcome
from gateway.record.pair import Judged, Pair, PairKind, PairTexts, Side, Vote
from gateway.shadow.budget import BudgetLedger
from gateway.shadow.judging import DeskLimits, JudgeDesk
from gateway.simulator.describe import Behaviour, JudgeBehaviour, ModelBehaviour
from gateway.simulator.judgement import telling_words
from gateway.simulator.provider import SimulatedProvider
from tests.fakes.judge import Answer, FakeJudge, prefer, said, verdict
from tests.fakes.tables import provider, route, table, variant

RULE = JudgeRule("judge")
TEXTS = PairTexts('[{"role":"user"}]', "a plain answer", "a good answer", 0)


def _pair(number: int = 0, texts: PairTexts | None = None) -> Pair:
    side = Side("a", 200, n_chars=3)
    return Pair(
        f"sq1_{number}", PairKind.SHADOW, "next", 0, "support", "r", 1, "a", 7, True, {}, "chat/completions", False,
        side, side, texts=texts,
    )  # fmt: skip


class Desk:
    """
    A desk, its ledger and what it noted.

    Attributes:
        desk: Under test.
        ledger: Its.
        noted: Judgements.
    """

    def __init__(self, folder: Path, url: str, rule: JudgeRule = RULE, **more: Any) -> None:
        clock = SettableClock(unix_ms=86_400_000 * 20_000)
        self.ledger = BudgetLedger(folder / "shadow.json", clock=clock)
        self.noted: list[Judged] = []
        more = {"backoff_s": 0.01, "timeout_s": 2.0} | more
        self.desk = JudgeDesk(url, clock=clock, ledger=self.ledger, note_judged=self.noted.append, **more)
        price = Price(Rates(1e-3, 1e-2, 1e-3))
        shadows = (Shadow("next", 10_000, judge=rule),)
        support = route([variant("a"), variant("next")], shadows=shadows)
        judge = route([variant("only", price=price)], name="judge")
        self.desk.publish(table([provider(1)], [support, judge]))

    async def settle(self) -> dict[str, int]:
        """Wait until nothing waits, and give the counts."""
        counts = self.desk.counts()
        for _ in range(1_000):
            counts = self.desk.counts()
            if not counts["judge_waiting"] and not counts["judge_in_flight"]:
                break
            await asyncio.sleep(0.005)
        return counts


async def _judged(folder: Path, answer: Answer, rule: JudgeRule = RULE) -> tuple[Desk, FakeJudge, dict[str, int]]:
    """Have one pair judged."""
    async with FakeJudge(answer) as judge:
        desk = Desk(folder, judge.url, rule)
        desk.desk.take_pair(_pair(), TEXTS, rule)
        counts = await desk.settle()
        await desk.desk.close(1)
    return desk, judge, counts


async def test_both_orders_agree(tmp_path: Path) -> None:
    """A judge that looks at the answers prefers the same one in both orders, and what it cost is known."""
    desk, judge, counts = await _judged(tmp_path, prefer("good"))
    (judged,) = desk.noted
    judgement = judged.judgement
    assert (judgement.primary_first, judgement.shadow_first) == (Vote.SHADOW, Vote.SHADOW)
    assert (judgement.judge, judgement.reason, judgement.problem) == ("judge", "kinder", "")
    assert judgement.cost_usd == pytest.approx(2 * (100 * 1e-3 + 10 * 1e-2))
    assert (len(judge.asked), counts["judge_pairs"]) == (2, 1)


async def test_ledger_learns_the_truth(tmp_path: Path) -> None:
    """What was reserved is settled by the tokens that the answers tell of."""
    desk, _, _ = await _judged(tmp_path, prefer("good"))
    spent = desk.ledger.spent("support", "next", "judge")
    assert (spent.requests, spent.tokens, round(spent.usd, 6)) == (2, 220, 0.4)


async def test_position_bias_is_a_tie(tmp_path: Path) -> None:
    """A judge that always likes what stands first has no vote."""
    desk, _, _ = await _judged(tmp_path, lambda body, n: (200, verdict("1")))
    judgement = desk.noted[0].judgement
    assert (judgement.is_consistent, judgement.vote) == (False, Vote.TIE)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_failures_are_tried_again(tmp_path: Path, status: int) -> None:
    """A judge that is busy is asked up to three times, and failures cost nothing."""

    def answer(body: dict[str, Any], n: int) -> tuple[int, dict[str, Any]]:
        return (status, {"error": {"message": "busy"}}) if n <= 2 else (200, verdict("tie"))

    desk, judge, _ = await _judged(tmp_path, answer)
    assert (len(judge.asked), desk.noted[0].judgement.vote) == (4, Vote.TIE)
    assert desk.ledger.spent("support", "next", "judge").tokens == 220


async def test_absence_is_no_judgement(tmp_path: Path) -> None:
    """A judge that stays away leaves the pair unjudged, for another time, and gives back the second order's money."""
    desk, judge, counts = await _judged(tmp_path, lambda body, n: (503, {}))
    assert (len(judge.asked), desk.noted, counts["judge_failed"]) == (3, [], 1)
    assert desk.ledger.spent("support", "next", "judge").usd == 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (said("Both are lovely."), "no verdict"),
        (said("", refusal="No."), "judge_refused"),
        (said(""), "judge_said_nothing"),
        ({"odd": 1}, "judge_invalid_answer"),
    ],
)
async def test_nonsense_is_noted(tmp_path: Path, answer: dict[str, Any], problem: str) -> None:
    """A judge that says nothing readable is noted as such, once, and its vote is missing."""
    desk, judge, _ = await _judged(tmp_path, lambda body, n: (200, answer))
    judgement = desk.noted[0].judgement
    assert (judgement.vote, judgement.problem, len(judge.asked)) == (None, problem, 2)


async def test_refused_fields_are_left_out(tmp_path: Path) -> None:
    """A model without structured answers or temperature is asked without, from then on."""

    def answer(body: dict[str, Any], n: int) -> tuple[int, dict[str, Any]]:
        for name in ("temperature", "response_format"):
            if name in body:
                return 400, {"error": {"message": f"Unsupported: '{name}'", "param": name}}
        return 200, verdict("2")

    desk, judge, _ = await _judged(tmp_path, answer)
    assert (len(judge.asked), desk.noted[0].judgement.problem) == (4, "")


async def test_budget_holds_for_both_orders(tmp_path: Path) -> None:
    """Half a pair is not asked: without money for two questions there is none."""
    rule = JudgeRule("judge", budget=Budget(requests_per_day=3))
    async with FakeJudge(prefer("good")) as judge:
        desk = Desk(tmp_path, judge.url, rule, limits=DeskLimits(max_in_flight=1))
        for number in range(3):
            desk.desk.take_pair(_pair(number), TEXTS, rule)
        counts = await desk.settle()
        await desk.desk.close(1)
    assert (len(judge.asked), len(desk.noted), counts["judge_over_budget"]) == (2, 1, 2)


async def test_sample_is_by_request(tmp_path: Path) -> None:
    """About the share that is written is judged, and the same requests whenever they are asked for."""
    rule = JudgeRule("judge", n_buckets=3_000)
    async with FakeJudge(prefer("good")) as judge:
        desk = Desk(tmp_path, judge.url, rule)
        for number in [*range(200), *range(200)]:
            desk.desk.take_pair(_pair(number), TEXTS, rule)
        await desk.settle()
        await desk.desk.close(1)
    names = [one.request_id for one in desk.noted]
    assert len(names) == 2 * len(set(names))
    assert 40 <= len(set(names)) <= 80


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """What does not fit, by number or by size, is dropped and counted; what waits at the end leaves."""
    desk = Desk(tmp_path, "http://127.0.0.1:9", limits=DeskLimits(max_waiting=2, max_in_flight=0))
    for number in range(5):
        desk.desk.take_pair(_pair(number), TEXTS, RULE)
    small = Desk(tmp_path, "http://127.0.0.1:9", limits=DeskLimits(max_waiting_bytes=10, max_in_flight=0))
    small.desk.take_pair(_pair(), TEXTS, RULE)
    assert (desk.desk.counts()["judge_queue_full"], small.desk.counts()["judge_queue_full"]) == (3, 1)
    await small.desk.close(1)
    await desk.desk.close(1)
    assert desk.desk.counts()["judge_leaving"] == 2


async def test_unjudged_pairs_are_resumed(tmp_path: Path) -> None:
    """Pairs of an earlier life are judged; those without words, without a rule or already taken are not."""
    async with FakeJudge(prefer("good")) as judge:
        desk = Desk(tmp_path, judge.url)
        desk.desk.take_pair(_pair(1), TEXTS, RULE)
        desk.desk.resume([_pair(number, TEXTS) for number in (1, 2)] + [_pair(3)])
        await desk.settle()
        await desk.desk.close(1)
    assert sorted(one.request_id for one in desk.noted) == ["sq1_1", "sq1_2"]


async def test_close_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A judge that is being asked is broken off, and what it may have cost stays spent."""
    async with FakeJudge(prefer("good")) as judge:
        hanging = asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        server = await hanging
        port = server.sockets[0].getsockname()[1]
        desk = Desk(tmp_path, f"http://127.0.0.1:{port}", timeout_s=30.0)
        desk.desk.take_pair(_pair(), TEXTS, RULE)
        await asyncio.sleep(0.05)
        await desk.desk.close(0.05)
        server.close()
        assert judge.asked == []
    assert (desk.noted, desk.ledger.spent("support", "next", "judge").requests) == ([], 1)


def _copied() -> Copied:
    outcome = Outcome(request_id="sq1_9", route="support", arm="a", api=Api.CHAT, status=200)
    body = b'{"model":"support","messages":[{"role":"user","content":"Hi"}]}'
    return Copied(outcome, 7, True, 0, "ana", b"", [], body, orjson.dumps(said("Hello.")), False)


async def _scored(folder: Path, metric: Metric, text: str, status: int = 200) -> tuple[FakeJudge, dict[str, int]]:
    judged = JudgedMetric(metric, "judge", 10_000)
    async with FakeJudge(lambda body, n: (200, said(text)), feedback_status=status) as judge:
        desk = Desk(folder, judge.url)
        desk.desk.take_live(_copied(), route([variant("a")], judged=(judged,)))
        counts = await desk.settle()
        await desk.desk.close(1)
    return judge, counts


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        (Metric("solved", MetricKind.BINARY), '{"value": true}', True),
        (Metric("faith", MetricKind.SCORE, range=(0, 5)), '{"value": 3.5}', 3.5),
    ],
)
async def test_live_answers_are_scored(tmp_path: Path, metric: Metric, text: str, value: float) -> None:
    """A score is said as feedback about the request, under an id that is the same after a restart."""
    (judge, counts), (again, _) = await _scored(tmp_path, metric, text), await _scored(tmp_path, metric, text)
    assert judge.told == again.told
    (told,) = judge.told
    assert (told["request_id"], told["metric"], told["value"]) == (_copied().outcome.request_id, metric.name, value)
    assert (told["id"].startswith("judge-"), counts["judge_scores"]) == (True, 1)


async def test_unreadable_scores_are_not_told(tmp_path: Path) -> None:
    """A judge without a score says nothing about the answer, and feedback that is refused is counted."""
    metric = Metric("solved", MetricKind.BINARY)
    judge, counts = await _scored(tmp_path, metric, "perhaps")
    assert (judge.told, counts["judge_unreadable"]) == ([], 1)
    _, counts = await _scored(tmp_path, metric, '{"value": false}', status=400)
    assert counts["judge_untold"] == 1


async def test_simulated_judge_finds_the_better(tmp_path: Path) -> None:
    """`sluice provider` judges through the desk: a better variant wins, and one against itself wins as often as not."""
    judge = ModelBehaviour(judge=JudgeBehaviour(accuracy=0.95))
    async with SimulatedProvider(Behaviour(models={"judge": judge}), seed=3) as provider:
        desk = Desk(tmp_path, f"http://127.0.0.1:{provider.port}")
        for number in range(200):
            good, same, poor = (" ".join(telling_words(q, 60, at, number)) for at, q in enumerate((0.8, 0.8, 0.5)))
            desk.desk.take_pair(_pair(number), PairTexts("[]", good, poor if number < 100 else same, 0), RULE)
        await desk.settle()
        await desk.desk.close(1)
    votes = {one.request_id: one.judgement.vote for one in desk.noted}
    against = [votes[f"sq1_{number}"] for number in range(200)]
    assert against[:100].count(Vote.PRIMARY) > 2 * against[:100].count(Vote.SHADOW)
    assert 20 < against[100:].count(Vote.PRIMARY) < 65
