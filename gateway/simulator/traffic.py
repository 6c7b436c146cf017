"""A population's requests through the real `openai` client, in open loop: late answers delay nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import openai
from openai import AsyncOpenAI

from gateway.clock import Clock, SystemClock
from gateway.simulator.answers import quality_from
from gateway.simulator.population import Planned, TrafficPlan, choose_thumb, delay_s_of, plan_requests
from gateway.simulator.provider import SimulatedProvider
from gateway.simulator.tally import UNNAMED, Result, Summary, Tally
from gateway.tasks import TaskGroup

_FEEDBACK_RETRIES = 2
_NOWHERE = "there is no place for it"


@dataclass(frozen=True, slots=True)
class _Answered:
    """What of an answer matters here: its headers, its fingerprint, and when the first text came."""

    headers: Mapping[str, str]
    fingerprint: str | None
    first_text_s: float | None


async def drive(
    plan: TrafficPlan,
    *,
    base_url: str,
    on_result: Callable[[Result], None],
    api_key: str = "sk-simulated",
    clock: Clock | None = None,
) -> Summary:
    """
    Make the plan's traffic, and give what came of it.

    `on_result` is called for each result as it comes; it must not block. Errors of requests are results,
    not exceptions. Owns its client and its tasks: when cancelled, it ends both, and then the cancellation
    propagates.
    """
    clock = clock or SystemClock()
    await _rehearse(plan, clock)
    return await _Driver(plan, base_url=base_url, api_key=api_key, on_result=on_result, clock=clock).run()


async def _rehearse(plan: TrafficPlan, clock: Clock) -> None:
    """
    Ask once of each kind where nobody counts.

    The client builds its types at first use, for up to seconds in which the loop stands still: the first
    answers would look slow, and it would not be the gateway's doing.
    """
    kinds = [(False, False)] * (plan.responses_ratio < 1) + [(True, True)] * (plan.responses_ratio > 0)
    # Not the plan's own route and prompt: those may order a fault.
    harmless = replace(plan, route="rehearsal", system_prompt="", feedback_ratio=0.0)
    async with SimulatedProvider() as stage:
        driver = _Driver(harmless, base_url=stage.base_url, api_key="none", on_result=lambda _: None, clock=clock)
        for is_responses, is_stream in kinds:
            await driver.ask(Planned(0, 0.0, None, "Ready?", is_stream=is_stream, is_responses=is_responses))
        await driver.close()


class _Driver:
    """One run of one plan."""

    def __init__(
        self, plan: TrafficPlan, *, base_url: str, api_key: str, on_result: Callable[[Result], None], clock: Clock
    ) -> None:
        self._plan = plan
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=plan.timeout_s)
        self._on_result = on_result
        self._clock = clock
        self._tally = Tally()
        self._tasks = TaskGroup()
        self._feedback: set[asyncio.Task[None]] = set()
        self._takes_feedback = True

    async def run(self) -> Summary:
        """Send everything at its time, and wait for the last answer and the last thumb."""
        running: set[asyncio.Task[None]] = set()
        start_s = self._clock.now_s()
        try:
            for planned in plan_requests(self._plan):
                await asyncio.sleep(max(0.0, planned.at_s - (self._clock.now_s() - start_s)))
                if len(running) >= self._plan.max_in_flight:
                    self._tally.n_unsent += 1
                    continue
                task = self._tasks.spawn(self.ask(planned))
                running.add(task)
                task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(tuple(running))
            if self._feedback:
                await asyncio.wait(tuple(self._feedback))
        finally:
            await self.close()
        return self._tally.summary()

    async def close(self) -> None:
        """End what runs, and the client."""
        await self._tasks.close()
        await self._client.close()

    async def ask(self, planned: Planned) -> None:
        """Make one request, and count what came of it."""
        start_s = self._clock.now_s()
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                answered = await (self._ask_responses(planned) if planned.is_responses else self._ask_chat(planned))
        except (openai.OpenAIError, TimeoutError) as error:
            result = _failed(planned, error)
        else:
            result = self._answered(planned, answered, start_s)
        result = replace(result, duration_ms=(self._clock.now_s() - start_s) * 1000)
        if result.thumb is not None:
            # Beside it: people who think about an answer for a minute do not hold up the next question.
            giving = self._tasks.spawn(self._give_feedback(result))
            self._feedback.add(giving)
            giving.add_done_callback(self._feedback.discard)
        self._tally.add(result)
        self._on_result(result)

    def _answered(self, planned: Planned, answered: _Answered, start_s: float) -> Result:
        quality = quality_from(answered.headers.get("x-sim-quality"), answered.fingerprint)
        first_s = answered.first_text_s
        return Result(
            planned=planned,
            variant=answered.headers.get("x-sluice-variant", UNNAMED),
            error=None,
            ttft_ms=None if first_s is None else (first_s - start_s) * 1000,
            duration_ms=0.0,
            quality=quality,
            thumb=None if quality is None else choose_thumb(self._plan, planned, quality),
            request_id=answered.headers.get("x-sluice-request-id"),
        )

    async def _ask_chat(self, planned: Planned) -> _Answered:
        raw = await self._client.chat.completions.with_raw_response.create(
            model=self._plan.route,
            messages=[
                {"role": "system", "content": self._plan.system_prompt},
                {"role": "user", "content": planned.question},
            ],
            stream=planned.is_stream,
            extra_headers=_headers_of(planned),
        )
        parsed: Any = raw.parse()
        if not planned.is_stream:
            return _Answered(raw.headers, parsed.system_fingerprint, None)
        fingerprint, first_s, finish = None, None, None
        async for chunk in parsed:
            fingerprint = chunk.system_fingerprint or fingerprint
            for choice in chunk.choices:
                if first_s is None and (choice.delta.content or choice.delta.refusal):
                    first_s = self._clock.now_s()
                finish = choice.finish_reason or finish
        return self._complete(_Answered(raw.headers, fingerprint, first_s), is_finished=finish is not None)

    async def _ask_responses(self, planned: Planned) -> _Answered:
        raw = await self._client.responses.with_raw_response.create(
            model=self._plan.route,
            instructions=self._plan.system_prompt,
            input=planned.question,
            stream=planned.is_stream,
            extra_headers=_headers_of(planned),
        )
        parsed: Any = raw.parse()
        if not planned.is_stream:
            return _Answered(raw.headers, getattr(parsed, "system_fingerprint", None), None)
        fingerprint, first_s, is_finished = None, None, False
        async for event in parsed:
            if first_s is None and event.type in ("response.output_text.delta", "response.refusal.delta"):
                first_s = self._clock.now_s()
            if event.type in ("response.completed", "response.incomplete"):
                is_finished = True
                fingerprint = getattr(event.response, "system_fingerprint", None)
        return self._complete(_Answered(raw.headers, fingerprint, first_s), is_finished=is_finished)

    def _complete(self, answered: _Answered, *, is_finished: bool) -> _Answered:
        if not is_finished:
            # No official client notices; a population that did not either would call half an answer a success.
            raise _UnfinishedError(answered.headers.get("x-sluice-variant", UNNAMED))
        return answered

    async def _give_feedback(self, result: Result) -> None:
        await asyncio.sleep(delay_s_of(self._plan, result.planned))
        if result.request_id is None:
            self._tally.note_unacknowledged("the answer has no request id")
            return
        if not self._takes_feedback:
            self._tally.note_unacknowledged(_NOWHERE)
            return
        feedback = {"request_id": result.request_id, "metric": self._plan.feedback_metric, "value": result.thumb}
        try:
            # Tried again where requests are not: it counts once however often it comes.
            await self._client.with_options(max_retries=_FEEDBACK_RETRIES).post(
                "/feedback", cast_to=object, body=feedback
            )
        except openai.NotFoundError:
            # A gateway without the endpoint has it for nobody: asking again each time would only be noise.
            self._takes_feedback = False
            self._tally.note_unacknowledged(_NOWHERE)
        except openai.OpenAIError as error:
            self._tally.note_unacknowledged(_reason_of(error))
        else:
            self._tally.n_feedback_given += 1


class _UnfinishedError(openai.OpenAIError):
    """A stream ended without saying how."""

    def __init__(self, variant: str) -> None:
        super().__init__("stream ended without a finish")
        self.variant = variant


def _failed(planned: Planned, error: Exception) -> Result:
    variant = getattr(error, "variant", UNNAMED)
    kind = type(error).__name__.strip("_")
    if isinstance(error, openai.APIStatusError):
        variant = error.response.headers.get("x-sluice-variant", UNNAMED)
        kind = f"{kind} {error.status_code}"
    return Result(planned=planned, variant=variant, error=kind, ttft_ms=None, duration_ms=0.0)


def _reason_of(error: openai.OpenAIError) -> str:
    """Give why feedback was not taken: its code, which says more than its class, or else that."""
    code = getattr(error, "code", None)
    return str(code) if code else type(error).__name__


def _headers_of(planned: Planned) -> dict[str, str]:
    person = planned.person
    return {} if person is None else {"x-user-id": person.user_id, "x-plan": person.plan, "x-locale": person.locale}
