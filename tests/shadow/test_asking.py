"""Asking a judge: tries, costs, and what is left spent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SettableClock
from gateway.domain.price import Price, Rates
from gateway.domain.shadow import Budget
from gateway.domain.usage import Usage
from gateway.shadow.asking import Asker, Asking, Heard, Question
from gateway.shadow.budget import BudgetLedger
from gateway.shadow.judge import pair_question
from tests.fakes.judge import Answer, FakeJudge, verdict

CHEAP, DEAR = Price(Rates(1e-6, 1e-6, 1e-6)), Price(Rates(1e-3, 1e-3, 1e-3))
QUESTION: Question = pair_question("judge", None, "[]", "one", "two", secret="s")
UNPRICED = Asking("judge", "support", "next", Budget(), {"only": None})


def _ledger(folder: Path) -> BudgetLedger:
    return BudgetLedger(folder / "shadow.json", clock=SettableClock(unix_ms=86_400_000 * 20_000))


async def _ask(folder: Path, answer: Answer, budget: Budget, timeout_s: float = 2.0) -> tuple[Heard, FakeJudge, int]:
    """Ask once, and give what is spent in requests."""
    ledger = _ledger(folder)
    asking = Asking("judge", "support", "next", budget, {"only": DEAR})
    async with FakeJudge(answer) as judge:
        asker = Asker(judge.url, ledger=ledger, timeout_s=timeout_s, backoff_s=0.01)
        heard = await asker.ask(asking, QUESTION, asker.reserve(asking, QUESTION)[0])
        await asker.close()
    return heard, judge, ledger.spent("support", "next", "judge").requests


def test_the_dearest_is_expected() -> None:
    """Before the answer the dearest variant's price counts, after it the one that served; none is no cost."""
    asking = Asking("judge", "r", "v", Budget(), {"cheap": CHEAP, "dear": DEAR, "free": None})
    usage = Usage(1000, 0, 0, 0)
    costs = [asking.cost_usd(usage, served) for served in (None, "cheap", "free", "unknown")]
    assert costs == [pytest.approx(1.0), pytest.approx(0.001), None, pytest.approx(1.0)]
    assert UNPRICED.cost_usd(usage) is None


async def test_every_try_is_a_request(tmp_path: Path) -> None:
    """Tries are bounded by the budget too: when it is spent there is no further one, and nothing was said."""
    heard, judge, n = await _ask(tmp_path, lambda body, n: (500, {}), Budget(requests_per_day=2))
    assert (heard, len(judge.asked), n) == (Heard(None, 0.0, "over_budget", is_away=True), 2, 2)


async def test_all_or_nothing_is_reserved(tmp_path: Path) -> None:
    """Where one of several questions is over the budget none is reserved."""
    ledger = _ledger(tmp_path)
    asker = Asker("http://127.0.0.1:9", ledger=ledger, timeout_s=1.0, backoff_s=0.01)
    asking = Asking("judge", "support", "next", Budget(requests_total=1), {"only": None})
    assert asker.reserve(asking, QUESTION, QUESTION) == []
    assert ledger.spent("support", "next", "judge").requests == 0
    assert len(asker.reserve(asking, QUESTION)) == 1


@pytest.mark.parametrize(("status", "is_away", "n"), [(400, False, 1), (401, True, 1), (404, True, 1), (502, True, 3)])
async def test_refusals_are_told_apart(tmp_path: Path, status: int, is_away: bool, n: int) -> None:
    """What is wrong with the question stays wrong; what is wrong with the judge may be mended."""
    heard, judge, _ = await _ask(tmp_path, lambda body, n: (status, {"error": {"message": "no"}}), Budget())
    assert (heard.is_away, heard.problem, len(judge.asked)) == (is_away, f"judge_{status}", n)


async def test_a_judge_that_is_not_there(tmp_path: Path) -> None:
    """Where nobody listens nothing is spent."""
    ledger = _ledger(tmp_path)
    asker = Asker("http://127.0.0.1:9", ledger=ledger, timeout_s=1.0, backoff_s=0.01)
    heard = await asker.ask(UNPRICED, QUESTION, asker.reserve(UNPRICED, QUESTION)[0])
    await asker.close()
    assert (heard.is_away, heard.usd, ledger.spent("support", "next", "judge").tokens) == (True, 0.0, 0)


async def test_silence_may_have_cost(tmp_path: Path) -> None:
    """An answer that does not come in time keeps what was set aside, for each try."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    ledger = _ledger(tmp_path)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asker = Asker(url, ledger=ledger, timeout_s=0.05, backoff_s=0.01)
    heard = await asker.ask(UNPRICED, QUESTION, asker.reserve(UNPRICED, QUESTION)[0])
    await asker.close()
    server.close()
    assert (heard.usd, heard.is_away, asker.n_tries) == (None, True, 3)
    assert ledger.spent("support", "next", "judge").tokens > 500


async def test_large_answers_are_no_answers(tmp_path: Path) -> None:
    """A judge that floods is cut off."""

    def answer(body: dict[str, Any], n: int) -> tuple[int, dict[str, Any]]:
        return 200, verdict("1", "x" * 2_000_000)

    heard, _, _ = await _ask(tmp_path, answer, Budget())
    assert (heard.text, heard.problem) == (None, "ValueError")
