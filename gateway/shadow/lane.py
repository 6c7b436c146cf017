"""
The lane: takes copies from all workers, and has each answered by its route's shadows, or says why it was not.

Theory of operation
===================
Per route and shadow there is a queue with a bound and a number of copies that may be on their way. What does not fit
is dropped, the newest first, and counted. Nothing waits for anything but its own answer: a provider that hangs fills
its own queue and no other. A provider that asks to be left alone is: its copies are dropped until then, for asking
later would only ask more at once.

Every copy ends in exactly one result for each shadow it was for. Copies to the variant that served the primary, which
show how much that differs from itself, are counted apart, with `noise_` before the result.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from msgspec.structs import replace
from xxhash import xxh3_64_intdigest

from gateway.clock import Clock
from gateway.domain.provider import Provider
from gateway.domain.release import BUCKETS
from gateway.domain.route import Route
from gateway.domain.shadow import JudgeRule, Shadow
from gateway.domain.table import RoutingTable
from gateway.domain.variant import Api
from gateway.errors import BadRequestError
from gateway.record.copied import Copied
from gateway.record.pair import Pair, PairKind, PairTexts
from gateway.record.shadowed import Shadowed
from gateway.shadow.answering import Answered, likely_usage, pair_of, primary_parts, texts_for
from gateway.shadow.budget import BudgetLedger, Reservation
from gateway.shadow.sender import Sender, Target, Written
from gateway.tasks import TaskGroup
from gateway.wire.body import Fields, parse_fields
from gateway.wire.mirror import UNSUPPORTED, Skip, copy_of

log = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
_NOISE_SEED = 0x0015_E5ED
"""Of its own: which copies are sent twice has nothing to do with which are sampled or judged."""


class JudgeDesk(Protocol):
    """Whoever has pairs and live answers judged; all of it returns at once."""

    def take_pair(self, pair: Pair, texts: PairTexts, rule: JudgeRule) -> None:
        """Take a pair with its words; both sides are whole answers, and the pair has been noted."""
        ...

    def take_live(self, copied: Copied, route: Route) -> None:
        """Take a copy of a route with judged metrics."""
        ...


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """
    What may wait.

    Attributes:
        max_waiting: Copies per route and shadow.
        max_waiting_bytes: Of all of them together.
    """

    max_waiting: int = 256
    max_waiting_bytes: int = 32 * 1024 * 1024


class _Job(NamedTuple):
    copied: Copied
    api: Api
    fields: Fields
    kind: PairKind
    size: int


class _Queue:
    """The copies for one shadow of one route."""

    __slots__ = ("in_flight", "jobs", "max_in_flight", "route", "variant")

    def __init__(self, route: str, variant: str) -> None:
        self.route = route
        self.variant = variant
        self.jobs: deque[_Job] = deque()
        self.in_flight = 0
        self.max_in_flight = 1


class _Spoken(NamedTuple):
    """Who is asked, and for whom."""

    route: Route
    shadow: Shadow
    target: Target


class Lane:
    """Made inside a running loop; `publish` comes first."""

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: BudgetLedger,
        note_pair: Callable[[Pair], None],
        note_results: Callable[[Shadowed], None],
        judge: JudgeDesk | None = None,
        sender: Sender | None = None,
        limits: LaneLimits | None = None,
    ) -> None:
        """`note_pair` and `note_results` return at once; `sender` is for tests."""
        self._clock = clock
        self._ledger = ledger
        self._note_pair = note_pair
        self._note_results = note_results
        self._judge = judge
        self._sender = sender or Sender(clock)
        self._limits = limits or LaneLimits()
        self._tasks = TaskGroup()
        self._table: RoutingTable | None = None
        self._targets: dict[tuple[str, str], Target] = {}
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._waiting_bytes = self._in_flight = self._n_taken = 0
        self._paused_until_s: dict[Provider, float] = {}
        self._untold: dict[tuple[str, str, str], tuple[int, float]] = {}
        self._results: Counter[str] = Counter()
        self._is_closed = False
        self._idle = asyncio.Event()
        for (route, variant, purpose), n in ledger.take_lost().items():
            if purpose == "copy":
                self._count(route, variant, "lost", n)
        self._tasks.spawn(self._tell_often())

    def publish(self, table: RoutingTable) -> None:
        """Send from this table from now on; what waits for a shadow that is gone is dropped."""
        self._table = table
        self._targets.clear()
        for (name, variant), queue in list(self._queues.items()):
            shadow = _shadow_of(table.route(name), variant)
            if shadow is None:
                self._drop_all(queue)
                if not queue.in_flight:
                    del self._queues[name, variant]
            else:
                queue.max_in_flight = max(1, shadow.max_in_flight)
                self._pump(queue)
        providers = frozenset(table.head.providers.values())
        self._paused_until_s = {who: at for who, at in self._paused_until_s.items() if who in providers}
        for gone in self._sender.keep(providers):
            self._tasks.spawn(self._sender.retire(gone))

    def take(self, copied: Copied) -> None:
        """Queue a copy for every shadow that wants it, or count why not; never waits."""
        self._n_taken += 1
        route = None if self._table is None else self._table.route(copied.outcome.route or "")
        if route is None or self._is_closed:
            self._count(copied.outcome.route or "", "", "leaving")
            return
        self._show_judge(copied, route)
        wanted = [shadow for shadow in route.shadows if copied.slot < shadow.n_buckets]
        if not wanted:
            return
        api = copied.outcome.api
        fields = _fields_of(copied, api)
        for shadow in wanted:
            if api is None or isinstance(fields, Skip):
                reason = fields.reason if isinstance(fields, Skip) else UNSUPPORTED
                self._count(route.name, shadow.variant, reason)
                continue
            size = len(copied.body) + len(copied.answer) + 2048
            self._queue_up(route, shadow, _Job(copied, api, fields, PairKind.SHADOW, size))
            if _is_for_noise(copied, shadow):
                self._queue_up(route, shadow, _Job(copied, api, fields, PairKind.NOISE, size))

    def note_skipped(self, route: str, reason: str, n: int) -> None:
        """Count copies that a worker did not send."""
        self._count(route, "", reason, n)

    def counts(self) -> dict[str, int]:
        """Give plain counters for the process's status; results since birth among them."""
        return {
            "shadow_taken": self._n_taken,
            "shadow_in_flight": self._in_flight,
            "shadow_waiting": sum(len(queue.jobs) for queue in self._queues.values()),
            "shadow_waiting_bytes": self._waiting_bytes,
            "shadow_paused_providers": sum(at > self._clock.now_s() for at in self._paused_until_s.values()),
        } | {f"shadow_result_{result}": n for result, n in self._results.items()}

    async def wait_idle(self) -> None:
        """Wait until nothing waits or is under way."""
        # Whatever waits follows what is under way, at once.
        while self._in_flight:
            self._idle.clear()
            await self._idle.wait()

    async def close(self, timeout_s: float) -> None:
        """Drop what waits, let what is under way end for half the time, break the rest off, and tell all of it."""
        self._is_closed = True
        for queue in self._queues.values():
            self._drop_all(queue)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s / 2):
                await self.wait_idle()
        await self._tasks.close()
        await self._sender.close()
        self._tell()

    # Queues

    def _queue_up(self, route: Route, shadow: Shadow, job: _Job) -> None:
        key = (route.name, shadow.variant)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(*key)
            queue.max_in_flight = max(1, shadow.max_in_flight)
        limits = self._limits
        spoken = self._spoken(queue, job)
        if spoken is not None and not spoken.target.has_key:
            self._count_job(queue, job, "no_key")
        elif spoken is not None and self._is_paused(spoken.target.provider):
            self._count_job(queue, job, "paused")
        elif len(queue.jobs) >= limits.max_waiting or self._waiting_bytes + job.size > limits.max_waiting_bytes:
            self._count_job(queue, job, "queue_full")
        else:
            queue.jobs.append(job)
            self._waiting_bytes += job.size
            self._pump(queue)

    def _pump(self, queue: _Queue) -> None:
        while queue.jobs and queue.in_flight < queue.max_in_flight and not self._is_closed:
            job = queue.jobs.popleft()
            self._waiting_bytes -= job.size
            queue.in_flight += 1
            self._in_flight += 1
            task = self._tasks.spawn(self._answer(queue, job))
            # A task that is cancelled before its first step never gets to a `finally`.
            task.add_done_callback(partial(self._note_end, queue, job))

    def _drop_all(self, queue: _Queue) -> None:
        while queue.jobs:
            job = queue.jobs.popleft()
            self._waiting_bytes -= job.size
            self._count_job(queue, job, "leaving")

    def _note_end(self, queue: _Queue, job: _Job, task: asyncio.Task[tuple[str, float]]) -> None:
        """Count what became of a copy; a fault of ours, which the task group logs, costs this copy and no other."""
        queue.in_flight -= 1
        self._in_flight -= 1
        result, usd = ("leaving", 0.0) if task.cancelled() else ("failed", 0.0) if task.exception() else task.result()
        self._count_job(queue, job, result, usd)
        self._pump(queue)
        if not self._in_flight:
            self._idle.set()

    # One copy

    async def _answer(self, queue: _Queue, job: _Job) -> tuple[str, float]:
        """Have one copy answered, and give its result and what it cost."""
        spoken = self._spoken(queue, job)
        if spoken is None:
            return "leaving", 0.0
        provider = spoken.target.provider
        if self._is_paused(provider):
            return "paused", 0.0
        may_ask = self._sender.asks_usage(provider)
        written = spoken.target.write(job.copied, job.api, job.fields, may_ask_usage=may_ask)
        if isinstance(written, Skip):
            return written.reason, 0.0
        reservation = self._reserve(spoken, job)
        if reservation is None:
            return "over_budget", 0.0
        answered: Answered | None = None
        try:
            answered = await self._send(spoken, job, written)
        finally:
            # Also when it was broken off: what nobody knows stays as it was reserved.
            usd, n_tokens = (None, None) if answered is None else (answered.spent_usd, answered.n_tokens)
            self._ledger.settle(reservation, usd, n_tokens)
        if answered.retry_after_s is not None:
            self._paused_until_s[provider] = self._clock.now_s() + answered.retry_after_s
        self._hand_on(spoken, job, answered)
        return answered.result, reservation.usd if usd is None else usd

    async def _send(self, spoken: _Spoken, job: _Job, written: Written) -> Answered:
        target, timeout_s = spoken.target, spoken.shadow.timeout_s
        answered = await self._sender.send(target, job.copied, job.api, written, timeout_s)
        if not (written.asks_usage and answered.refuses_usage):
            return answered
        # Refused for what we added: no work was done, and this provider is not asked for usage again.
        self._sender.note_refused_usage(target.provider)
        again = target.write(job.copied, job.api, job.fields, may_ask_usage=False)
        if isinstance(again, Skip):
            return answered
        return await self._sender.send(target, job.copied, job.api, again, timeout_s)

    def _reserve(self, spoken: _Spoken, job: _Job) -> Reservation | None:
        usage = likely_usage(job.copied)
        price = spoken.target.variant.price
        return self._ledger.reserve(
            spoken.route.name,
            spoken.shadow.variant,
            "copy",
            spoken.shadow.budget,
            usd=None if price is None else price.cost_usd(usage),
            tokens=usage.input_tokens + usage.output_tokens,
        )

    def _hand_on(self, spoken: _Spoken, job: _Job, answered: Answered) -> None:
        copied, route, shadow = job.copied, spoken.route, spoken.shadow
        primary = primary_parts(copied)
        pair = pair_of(copied, job.kind, shadow.variant, primary, answered)
        is_judged = self._judge is not None and shadow.judge is not None and pair.likeness is not None
        is_kept = copied.keeps_texts and route.samples is not None
        texts: PairTexts | None = None
        if is_judged or is_kept:
            keep_for_s = 0.0 if route.samples is None else route.samples.keep_for_s
            texts = texts_for(copied, job.fields, primary, answered, keep_for_s=keep_for_s)
        if is_kept:
            pair = replace(pair, texts=texts)
        self._note_pair(pair)
        if is_judged and texts is not None and self._judge is not None and shadow.judge is not None:
            self._judge.take_pair(pair, texts, shadow.judge)

    def _show_judge(self, copied: Copied, route: Route) -> None:
        if self._judge is None or not route.judged:
            return
        try:
            self._judge.take_live(copied, route)
        except Exception:  # The judge's fault costs a judgement, and no shadow's copy.
            log.exception("an answer could not be given to its judge", extra={"storm": "judge", "private": True})

    def _spoken(self, queue: _Queue, job: _Job) -> _Spoken | None:
        """Find who is asked, in the table that holds now; None where there is nobody any more."""
        table = self._table
        route = None if table is None else table.route(queue.route)
        shadow = _shadow_of(route, queue.variant)
        if table is None or route is None or shadow is None:
            return None
        name = queue.variant if job.kind is PairKind.SHADOW else job.copied.outcome.served or ""
        target = self._targets.get((route.name, name))
        if target is None:
            variant = route.variants.get(name)
            provider = None if variant is None else table.head.providers.get(variant.provider)
            if variant is None or provider is None:
                return None
            target = self._targets[route.name, name] = Target(variant, provider)
        return _Spoken(route, shadow, target)

    def _is_paused(self, provider: Provider) -> bool:
        until_s = self._paused_until_s.get(provider)
        return until_s is not None and self._clock.now_s() < until_s

    # Results

    def _count_job(self, queue: _Queue, job: _Job, result: str, usd: float = 0.0) -> None:
        prefix = "noise_" if job.kind is PairKind.NOISE else ""
        self._count(queue.route, queue.variant, f"{prefix}{result}", 1, usd)

    def _count(self, route: str, variant: str, result: str, n: int = 1, usd: float = 0.0) -> None:
        key = (route, variant, result)
        before_n, before_usd = self._untold.get(key, (0, 0.0))
        self._untold[key] = (before_n + n, before_usd + usd)
        self._results[result] += n

    def _tell(self) -> None:
        self._ledger.flush()
        if self._untold:
            untold, self._untold = self._untold, {}
            self._note_results(Shadowed([(*key, n, usd) for key, (n, usd) in untold.items()]))

    async def _tell_often(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            try:
                self._tell()
            except Exception:  # What could not be told is told of no more; the rest goes on.
                log.exception("results of copies could not be told", extra={"storm": "lane"})


def _shadow_of(route: Route | None, variant: str) -> Shadow | None:
    return None if route is None else next((one for one in route.shadows if one.variant == variant), None)


def _fields_of(copied: Copied, api: Api | None) -> Fields | Skip:
    if api is None:
        return Skip(UNSUPPORTED)
    try:
        return copy_of(api, parse_fields(copied.body))
    except BadRequestError:
        return Skip(UNSUPPORTED)


def _is_for_noise(copied: Copied, shadow: Shadow) -> bool:
    outcome = copied.outcome
    if outcome.status != 200 or not outcome.served or not shadow.noise_buckets:
        return False
    digest = xxh3_64_intdigest(outcome.request_id.encode(), seed=_NOISE_SEED)
    return digest * BUCKETS >> 64 < shadow.noise_buckets
