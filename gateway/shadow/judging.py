"""
The judge's desk: has pairs compared and live answers scored by a route of this same gateway.

Theory of operation
===================
The judge is asked over HTTP at the gateway's own public port, as any app would ask: so its keys, its retries, its
costs and its traces are those of its route. A pair is asked in both orders, one after the other. What waits is bounded
and what does not fit is dropped and counted; four are asked at once. Each try is reserved in the ledger before it is
sent and settled by the tokens the answer tells of.

A pair whose judge was away stays unjudged and may be asked again after the next start; one whose judge said nothing
that can be read is noted as such, and is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

from gateway.clock import Clock
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.release import BUCKETS
from gateway.domain.route import Route
from gateway.domain.shadow import Budget, JudgedMetric, JudgeRule
from gateway.domain.table import RoutingTable
from gateway.errors import BadRequestError
from gateway.record.copied import Copied, judged_slot
from gateway.record.pair import Judged, Judgement, Pair, PairKey, PairTexts, Vote, key_of
from gateway.shadow.answering import primary_parts, shown
from gateway.shadow.asking import Asker, Asking, Heard
from gateway.shadow.budget import BudgetLedger
from gateway.shadow.judge import Said, pair_question, parse_score, parse_verdict, score_question, vote_of
from gateway.tasks import TaskGroup
from gateway.wire.body import parse_fields
from gateway.wire.excerpt import prompt_excerpt

log = logging.getLogger(__name__)

_PAIR_SEED = 0x9A12_5EED
"""Of its own: which pairs are judged has nothing to do with which requests are copied or sent twice."""


@dataclass(frozen=True, slots=True)
class DeskLimits:
    """
    What may wait, and how much is asked at once.

    Attributes:
        max_waiting: Pairs and live answers.
        max_waiting_bytes: Of their words.
        max_in_flight: Pairs and live answers that are being judged.
        max_resumed: Pairs of an earlier life that may wait beside them.
    """

    max_waiting: int = 256
    max_waiting_bytes: int = 16 * 1024 * 1024
    max_in_flight: int = 4
    max_resumed: int = 10_000


@dataclass(frozen=True, slots=True)
class _PairJob:
    key: PairKey
    route: str
    texts: PairTexts
    rule: JudgeRule

    @property
    def size(self) -> int:
        return 1024 + len(self.texts.prompt) + len(self.texts.primary) + len(self.texts.shadow)


@dataclass(frozen=True, slots=True)
class _LiveJob:
    request_id: str
    prompt: str
    answer: str
    judged: JudgedMetric

    @property
    def size(self) -> int:
        return 1024 + len(self.prompt) + len(self.answer)


_Job = _PairJob | _LiveJob


class JudgeDesk:
    """Made inside a running loop; `publish` comes before it asks anybody."""

    def __init__(
        self,
        public: str,
        *,
        clock: Clock,
        ledger: BudgetLedger,
        note_judged: Callable[[Judged], None],
        timeout_s: float = 60.0,
        backoff_s: float = 1.0,
        limits: DeskLimits | None = None,
    ) -> None:
        """
        Set out the desk.

        Args:
            public: URL of the gateway's public port, without `/v1`.
            clock: For the time of judgements.
            ledger: Bounds what judging costs.
            note_judged: Takes each judgement of a pair; returns at once.
            timeout_s: For one whole answer of the judge.
            backoff_s: Before the second try; the third waits twice that.
            limits: What may wait.
        """
        self._clock = clock
        self._note_judged = note_judged
        self._limits = limits or DeskLimits()
        self._asker = Asker(public, ledger=ledger, timeout_s=timeout_s, backoff_s=backoff_s)
        self._tasks = TaskGroup()
        self._table: RoutingTable | None = None
        self._queue: deque[_Job] = deque()
        self._resumed: deque[Pair] = deque()
        self._known: set[PairKey] | None = set()
        self._waiting_bytes = self._in_flight = 0
        self._counts: Counter[str] = Counter()
        self._is_closed = False
        self._idle = asyncio.Event()

    def __repr__(self) -> str:
        """Give how much waits."""
        return f"<JudgeDesk: {len(self._queue)} waiting, {self._in_flight} asked>"

    def publish(self, table: RoutingTable) -> None:
        """Ask the judges of this table from now on."""
        self._table = table
        self._asker.forget()
        self._pump()

    def take_pair(self, pair: Pair, texts: PairTexts, rule: JudgeRule) -> None:
        """Have a pair judged, if it is sampled; both of its sides are whole answers. Returns at once."""
        if self._known is not None and len(self._known) < self._limits.max_resumed:
            self._known.add(key_of(pair))
        if _pair_slot(pair.request_id) < rule.n_buckets:
            self._queue_up(_PairJob(key_of(pair), pair.route, texts, rule))

    def take_live(self, copied: Copied, route: Route) -> None:
        """Have a live answer scored for each of the route's judged metrics it is sampled for. Returns at once."""
        outcome = copied.outcome
        slot = judged_slot(outcome.request_id)
        wanted = [judged for judged in route.judged if slot < judged.n_buckets]
        parts = primary_parts(copied) if wanted and outcome.api is not None else None
        if parts is None or outcome.api is None:
            return
        try:
            prompt = prompt_excerpt(outcome.api, parse_fields(copied.body))
        except BadRequestError:
            return
        for judged in wanted:
            self._queue_up(_LiveJob(outcome.request_id, prompt, shown(parts), judged))

    def resume(self, pairs: Sequence[Pair]) -> None:
        """Judge pairs that an earlier life kept with their words and did not judge; once, at the beginning."""
        known, self._known = self._known or set(), None
        wanted = [pair for pair in pairs if pair.texts is not None and key_of(pair) not in known]
        room = self._limits.max_resumed - len(self._resumed)
        self._counts["queue_full"] += max(0, len(wanted) - room)
        self._resumed.extend(wanted[:room])
        self._pump()

    def counts(self) -> dict[str, int]:
        """Give plain counters for the process's status."""
        return {
            "judge_waiting": len(self._queue) + len(self._resumed),
            "judge_waiting_bytes": self._waiting_bytes,
            "judge_in_flight": self._in_flight,
            "judge_tries": self._asker.n_tries,
        } | {f"judge_{result}": n for result, n in self._counts.items()}

    async def close(self, timeout_s: float) -> None:
        """Drop what waits, and break off what is asked after that time: it is resumed where its words are kept."""
        self._is_closed = True
        self._counts["leaving"] += len(self._queue) + len(self._resumed)
        self._queue.clear()
        self._resumed.clear()
        self._waiting_bytes = 0
        if self._in_flight:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._idle.wait()
            except TimeoutError:
                self._counts["leaving"] += self._in_flight
        await self._tasks.close()
        await self._asker.close()

    # Queue

    def _queue_up(self, job: _Job) -> None:
        limits = self._limits
        is_full = len(self._queue) >= limits.max_waiting or self._waiting_bytes + job.size > limits.max_waiting_bytes
        if is_full or self._is_closed:
            self._counts["leaving" if self._is_closed else "queue_full"] += 1
            return
        self._queue.append(job)
        self._waiting_bytes += job.size
        self._pump()

    def _pump(self) -> None:
        while self._in_flight < self._limits.max_in_flight and self._table is not None and not self._is_closed:
            job = self._next_job()
            if job is None:
                return
            self._in_flight += 1
            self._idle.clear()
            # A task that is cancelled before its first step never gets to a `finally`.
            self._tasks.spawn(self._judge(job)).add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._in_flight -= 1
        if not task.cancelled() and task.exception() is not None:
            self._counts["failed"] += 1
        if not self._in_flight:
            self._idle.set()
        self._pump()

    def _next_job(self) -> _Job | None:
        """Give what came now before what was left over from earlier."""
        if self._queue:
            job = self._queue.popleft()
            self._waiting_bytes -= job.size
            return job
        while self._resumed:
            pair = self._resumed.popleft()
            rule = self._rule_of(pair)
            if rule is not None and pair.texts is not None and _pair_slot(pair.request_id) < rule.n_buckets:
                return _PairJob(key_of(pair), pair.route, pair.texts, rule)
        return None

    def _rule_of(self, pair: Pair) -> JudgeRule | None:
        route = None if self._table is None else self._table.route(pair.route)
        shadows = () if route is None else route.shadows
        return next((one.judge for one in shadows if one.variant == pair.shadow_variant), None)

    # One judgement

    async def _judge(self, job: _Job) -> None:
        if isinstance(job, _PairJob):
            await self._judge_pair(job)
        else:
            await self._judge_live(job)

    async def _judge_pair(self, job: _PairJob) -> None:
        asking = self._asking(job.rule.route, job.route, job.key.shadow_variant, job.rule.budget)
        # Half a pair is no judgement, so nothing is asked unless there is money for both orders.
        reserved = [] if asking is None else self._asker.reserve(asking, *self._questions(job))
        if asking is None or not reserved:
            self._counts["over_budget" if asking is not None else "no_route"] += 1
            return
        said: list[Said] = []
        usd: float | None = 0.0
        try:
            for question in self._questions(job):
                heard = await self._asker.ask(asking, question, reserved.pop(0))
                usd = None if usd is None or heard.usd is None else usd + heard.usd
                if heard.is_away:
                    self._count_away(heard)
                    return
                said.append(Said(None, problem=heard.problem) if heard.text is None else parse_verdict(heard.text))
        finally:
            self._asker.release(reserved)
        self._note(job, said, usd)

    def _note(self, job: _PairJob, said: Sequence[Said], usd: float | None) -> None:
        in_order, swapped = said
        votes: tuple[Vote | None, Vote | None] = (
            vote_of(in_order.winner, is_shadow_first=False),
            vote_of(swapped.winner, is_shadow_first=True),
        )
        problem = in_order.problem or swapped.problem
        self._counts["unreadable" if problem else "pairs"] += 1
        now_ms = self._clock.unix_ms()
        judgement = Judgement(job.rule.route, now_ms, *votes, reason=in_order.reason, cost_usd=usd, problem=problem)
        self._note_judged(Judged(job.key.request_id, job.key.kind, job.key.shadow_variant, judgement))

    def _questions(self, job: _PairJob) -> Iterator[dict[str, object]]:
        """Give the pair in both orders: the primary's answer first, then the shadow's."""
        texts, rule = job.texts, job.rule
        for first, second in ((texts.primary, texts.shadow), (texts.shadow, texts.primary)):
            yield pair_question(rule.route, rule.rubric, texts.prompt, first, second, secret=job.key.request_id)

    async def _judge_live(self, job: _LiveJob) -> None:
        judged = job.judged
        metric = judged.metric
        # The budget is the metric's, whatever route was asked.
        asking = self._asking(judged.route, judged.route, f"metric:{metric.name}", judged.budget)
        question = score_question(judged.route, judged.rubric, metric, job.prompt, job.answer, secret=job.request_id)
        reserved = [] if asking is None else self._asker.reserve(asking, question)
        if asking is None or not reserved:
            self._counts["over_budget" if asking is not None else "no_route"] += 1
            return
        heard = await self._asker.ask(asking, question, reserved[0])
        if heard.is_away:
            self._count_away(heard)
            return
        value = None if heard.text is None else parse_score(heard.text, metric).value
        if value is None:
            self._counts["unreadable"] += 1
            return
        is_told = await self._asker.tell(_feedback(job.request_id, metric, value))
        self._counts["scores" if is_told else "untold"] += 1

    def _asking(self, judge: str, route: str, variant: str, budget: Budget) -> Asking | None:
        """Give who is asked and for whose money; None where the table has no such judge any more."""
        found = None if self._table is None else self._table.route(judge)
        if found is None:
            return None
        prices = {arm.name: found.variants[arm.name].price for arm in found.release.arms if arm.name in found.variants}
        return Asking(judge, route, variant, budget, prices)

    def _count_away(self, heard: Heard) -> None:
        self._counts["over_budget" if heard.problem == "over_budget" else "failed"] += 1
        if heard.problem != "over_budget":
            log.warning("the judge gives no answer", extra={"cause": heard.problem, "storm": "judge_away"})


def _feedback(request_id: str, metric: Metric, value: float) -> dict[str, object]:
    # Of our own making and the same after a restart, so that a saying counts once.
    said_id = f"judge-{xxh3_64_hexdigest(request_id.encode())}-{xxh3_64_hexdigest(metric.name.encode())}"
    told: float | bool = bool(value) if metric.kind is MetricKind.BINARY else value
    return {"request_id": request_id, "metric": metric.name, "value": told, "id": said_id}


def _pair_slot(request_id: str) -> int:
    return xxh3_64_intdigest(request_id.encode(), seed=_PAIR_SEED) * BUCKETS >> 64
