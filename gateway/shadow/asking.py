"""
Asks a judge over HTTP, with tries, within a budget.

A provider that knows no structured answers, or no temperature, says so with a 400 that names the field; it is then
asked without, and the verdict is read from whatever it writes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import orjson

from gateway.domain.price import Price
from gateway.domain.shadow import Budget
from gateway.domain.usage import Usage
from gateway.domain.variant import Api
from gateway.shadow.budget import BudgetLedger, Reservation
from gateway.wire.answer import names_field
from gateway.wire.answer_parts import parts_of
from gateway.wire.reading import read_answer
from gateway.wire.usage import estimate_usage

log = logging.getLogger(__name__)

MAX_TRIES = 3
MAX_PAUSE_S = 30.0
MAX_ANSWER_BYTES = 1024 * 1024
LIKELY_ANSWER_BYTES = 1_200
"""Of a verdict with its reason: some 300 tokens; models that think first take more, which settling makes good."""

_OPTIONAL = ("response_format", "temperature", "user")
"""What a question can do without."""

_PASSING = frozenset({408, 409, 425, 429})
_OF_THE_QUESTION = frozenset({400, 413, 422})
"""Statuses that say something about this question, so that asking it again after a start would be for nothing."""

Question = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Asking:
    """
    Who is asked, and for whose money.

    Attributes:
        judge: Route of the judge.
        route: Whose budget: the route that is judged.
        variant: Likewise: what of it is judged.
        budget: Of the judge's answers.
        prices: Of the judge's tokens, by variant; None where there is none.
    """

    judge: str
    route: str
    variant: str
    budget: Budget
    prices: Mapping[str, Price | None]

    def cost_usd(self, usage: Usage, served: str | None = None) -> float | None:
        """Give what tokens cost: with the variant that served, else with the dearest; None where nobody knows."""
        if served is not None and served in self.prices:
            price = self.prices[served]
            return None if price is None else price.cost_usd(usage)
        known = [price.cost_usd(usage) for price in self.prices.values() if price is not None]
        return max(known) if known else None


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What came of a question.

    Attributes:
        text: What the judge wrote; None where it wrote nothing.
        usd: What it cost, tries that failed among it; None where nobody knows.
        problem: Why there is no text; empty where there is.
        is_away: It may be another time: nothing was said about this question.
    """

    text: str | None
    usd: float | None = 0.0
    problem: str = ""
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class _Got:
    """One try: an HTTP answer, or its absence as status 0."""

    status: int
    body: bytes = b""
    served: str | None = None
    pause_s: float | None = None
    problem: str = ""
    is_sent: bool = True


class Asker:
    """One session for all judges. Made inside a running loop."""

    def __init__(self, public: str, *, ledger: BudgetLedger, timeout_s: float, backoff_s: float) -> None:
        """`public` is the URL of the gateway's public port, without `/v1`."""
        self._url = public.rstrip("/")
        self._ledger = ledger
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._backoff_s = backoff_s
        self._session: aiohttp.ClientSession | None = None
        self._refused: defaultdict[str, set[str]] = defaultdict(set)
        self.n_tries = 0

    def forget(self) -> None:
        """Forget what judges refused: there may be others behind the same names."""
        self._refused.clear()

    def reserve(self, asking: Asking, *questions: Question) -> list[Reservation]:
        """Set aside what all of these questions will cost; nothing, and an empty list, where one is over the budget."""
        reserved: list[Reservation] = []
        for question in questions:
            one = self._reserve(asking, len(orjson.dumps(question)))
            if one is None:
                self.release(reserved)
                return []
            reserved.append(one)
        return reserved

    def release(self, reserved: list[Reservation]) -> None:
        """Give back what was set aside for questions that were not asked."""
        for one in reserved:
            self._ledger.release(one)

    async def ask(self, asking: Asking, question: Question, reservation: Reservation) -> Heard:
        """Ask, with up to two more tries; settles the reservation, and takes another one for each of them."""
        usd: float | None = 0.0
        body = self._body(asking.judge, question)
        n_tried, got = 0, _Got(0)
        current: Reservation | None = reservation
        while current is not None:
            got = await self._post_reserved(asking, "/v1/chat/completions", body, current)
            spent = self._settle(asking, current, got, len(body))
            usd = None if usd is None or spent is None else usd + spent
            if self._note_refused(asking.judge, question, got):
                body = self._body(asking.judge, question)
            else:
                n_tried += 1
                if n_tried >= MAX_TRIES or not _is_passing(got.status):
                    return _heard(got, usd)
                await asyncio.sleep(self._pause_s(got, n_tried))
            current = self._reserve(asking, len(body))
        return Heard(None, usd, "over_budget", is_away=True)

    async def tell(self, feedback: Mapping[str, object]) -> bool:
        """Give feedback; tell whether it was taken. What was said under the same id before stands."""
        body = orjson.dumps(feedback)
        for n_tried in range(1, MAX_TRIES + 1):
            got = await self._post("/v1/feedback", body)
            if got.status in (200, 409):
                return True
            if not _is_passing(got.status) or n_tried == MAX_TRIES:
                log.warning(
                    "a judge's score was not taken as feedback",
                    extra={"cause": got.problem or got.status, "storm": "judge_feedback"},
                )
                return False
            await asyncio.sleep(self._pause_s(got, n_tried))
        return False

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    def _reserve(self, asking: Asking, n_bytes: int) -> Reservation | None:
        usage = estimate_usage(n_bytes, LIKELY_ANSWER_BYTES)
        usd, tokens = asking.cost_usd(usage), usage.input_tokens + usage.output_tokens
        return self._ledger.reserve(asking.route, asking.variant, "judge", asking.budget, usd=usd, tokens=tokens)

    async def _post_reserved(self, asking: Asking, path: str, body: bytes, reservation: Reservation) -> _Got:
        try:
            return await self._post(path, body)
        except asyncio.CancelledError:
            # Nobody knows what it cost: what was set aside stays spent.
            self._ledger.settle(reservation)
            raise

    async def _post(self, path: str, body: bytes) -> _Got:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=64, ttl_dns_cache=10)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, timeout=self._timeout
            )
        self.n_tries += 1
        headers = {"content-type": "application/json"}
        try:
            sending = self._session.post(self._url + path, data=body, headers=headers, allow_redirects=False)
            async with sending as response:
                raw = await _read(response)
                pause_s = _retry_after_s(response.headers.get("retry-after", ""))
                return _Got(response.status, raw, response.headers.get("x-sluice-variant"), pause_s)
        except aiohttp.ClientConnectorError as error:
            return _Got(0, problem=type(error).__name__, is_sent=False)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return _Got(0, problem=type(error).__name__)

    def _body(self, judge: str, question: Question) -> bytes:
        refused = self._refused[judge]
        return orjson.dumps({name: value for name, value in question.items() if name not in refused})

    def _note_refused(self, judge: str, question: Question, got: _Got) -> bool:
        """Tell whether the question can be asked once more without something that was refused."""
        if got.status not in (400, 422):
            return False
        named = (names_field(got.body) or "").partition(".")[0].partition("[")[0]
        refused = self._refused[judge]
        if named not in _OPTIONAL or named in refused or named not in question:
            return False
        refused.add(named)
        log.info("the judge is asked without a field that it refuses", extra={"judge": judge, "field": named})
        return True

    def _settle(self, asking: Asking, reservation: Reservation, got: _Got, n_sent: int) -> float | None:
        if got.status != 200:
            # An error costs nothing; an answer that broke off, or did not come in time, nobody knows.
            is_free = got.status != 0 or not got.is_sent
            self._ledger.settle(reservation, 0.0 if is_free else None, 0 if is_free else None)
            return 0.0 if is_free else None
        reading = read_answer(Api.CHAT, got.body)
        usage = None if reading is None else reading.usage
        usage = usage or estimate_usage(n_sent, len(got.body))
        usd = asking.cost_usd(usage, got.served)
        self._ledger.settle(reservation, usd, usage.input_tokens + usage.output_tokens)
        return usd

    def _pause_s(self, got: _Got, n_tried: int) -> float:
        return min(MAX_PAUSE_S, max(got.pause_s or 0.0, self._backoff_s * 2.0 ** (n_tried - 1)))


def _heard(got: _Got, usd: float | None) -> Heard:
    if got.status != 200:
        problem = got.problem or f"judge_{got.status}"
        return Heard(None, usd, problem, is_away=got.status not in _OF_THE_QUESTION)
    parts = parts_of(Api.CHAT, got.body, is_event_stream=False)
    if parts is None:
        return Heard(None, usd, "judge_invalid_answer")
    if not parts.text:
        return Heard(None, usd, "judge_refused" if parts.refusal else "judge_said_nothing")
    return Heard(parts.text, usd)


def _is_passing(status: int) -> bool:
    return status == 0 or status in _PASSING or status >= 500


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = await response.content.read(MAX_ANSWER_BYTES + 1)
    pieces = [raw]
    n_read = len(raw)
    while raw and n_read <= MAX_ANSWER_BYTES:
        raw = await response.content.read(MAX_ANSWER_BYTES + 1 - n_read)
        pieces.append(raw)
        n_read += len(raw)
    if n_read > MAX_ANSWER_BYTES:
        message = "the judge's answer is too large"
        raise ValueError(message)
    return b"".join(pieces)


def _retry_after_s(written: str) -> float | None:
    try:
        return max(0.0, min(MAX_PAUSE_S, float(written)))
    except ValueError:
        return None
