"""
One request's way: peek → choose → rewrite → forward → observe.

Reads one table and keeps it to the end. Knows nothing of sockets or of the edge: a request value
comes in, a sink takes the answer, one Outcome goes to the observer.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.assign.choose import assign
from gateway.clock import Clock
from gateway.domain.outcome import Fault
from gateway.domain.release import Assignment, Reason, Unit
from gateway.domain.request_id import encode_names
from gateway.domain.route import Route
from gateway.domain.variant import Api
from gateway.errors import (
    BadRequestError,
    ContentBlockedError,
    ForbiddenError,
    GatewayError,
    NoRouteError,
    TooLargeError,
    UnsupportedMediaError,
    UpstreamBrokenError,
    UpstreamError,
)
from gateway.proxy.answering import answer_headers, answer_lines, note_problem
from gateway.proxy.bound import BoundArm, BoundRoute, BoundTable, BoundVariant
from gateway.proxy.exchange import ClientRequest, Headers, Sink
from gateway.proxy.mirror import Copies, CopyTaker, copy_taker_of
from gateway.proxy.observe import (
    MAX_MODEL_CHARS,
    note_assignment,
    note_attempt_end,
    note_blame,
    note_reading,
    note_report,
)
from gateway.proxy.problems import problem_headers, unknown_model
from gateway.proxy.readable import is_encoded, is_readable
from gateway.proxy.relay import EventRelay, Follower, relay_raw
from gateway.proxy.samples import NoteSample, SampleTaker, taker_of
from gateway.proxy.succession import Succession
from gateway.proxy.upstream.attempt import ask
from gateway.proxy.upstream.response import UpstreamResponse
from gateway.record.outcome import Outcome
from gateway.record.sampling import Sampler, render_attempt
from gateway.wire.answer import hide_model
from gateway.wire.answer_text import texts_of
from gateway.wire.body import Fields, parse_fields, peek_bool, peek_string
from gateway.wire.guard import GuardSet, blocked
from gateway.wire.guarded_stream import GuardedStream
from gateway.wire.problem import render_problem
from gateway.wire.reading import Reading, read_answer
from gateway.wire.stream import StreamTap
from gateway.wire.trace_context import put_context
from gateway.wire.usage import may_inject_usage
from gateway.wire.view import BodyView

FORCE_HEADER = b"x-sluice-force-variant"
"""Asks for an arm by name; only from this machine, and never analysed."""

_FORWARDING = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")
"""Any of these says that a proxy on this machine speaks for somebody elsewhere."""

# Looked up once: on Python 3.11 an enum's member costs 0.2 µs each time.
_EMBEDDINGS, _PER_REQUEST = Api.EMBEDDINGS, Unit.REQUEST
_NO_NAMES = encode_names("", "", "")
_STREAMS_USAGE = frozenset({Api.CHAT, Api.COMPLETIONS})


class WalkOwner(Protocol):
    """
    Whoever starts walks and wants to know when they have ended.

    Attributes:
        sampler: Decides which requests are traced; None where none are.
        copies: Takes copies for shadows and judges; None where nobody does.
    """

    sampler: Sampler | None
    copies: Copies | None

    @property
    def note_sample(self) -> NoteSample:
        """Give what takes prompt and answer of a request whose route keeps samples."""
        ...

    def note_done(self, walk: Walk, failure: Exception | None) -> None:
        """Take note that a walk has ended; with a failure of ours, its client may still wait."""
        ...


class Walk:
    """
    One request on its way.

    Attributes:
        request: What is answered.
        sink: Where the answer goes.
        outcome: Filled in along the way; whole once the owner is told.
    """

    # Class defaults instead of assignments: most requests never touch half of these.
    _arm: BoundArm | None = None
    _bound_route: BoundRoute | None = None
    _copied: CopyTaker | None = None
    _early_error: GatewayError | None = None
    _first: UpstreamResponse | None = None
    _is_closed = False
    _is_running = False
    _fields: Fields = {}  # noqa: RUF012  # Replaced, never changed.
    _is_stream = False
    _model = ""
    _reading: Reading | None = None
    _response: UpstreamResponse | None = None
    _sampled: SampleTaker | None = None
    _segments: dict[str, str] = {}  # noqa: RUF012  # Replaced, never changed.
    _sent: tuple[bytes, bytes] | None = None
    _strips_usage = False
    _task: asyncio.Task[None] | None = None
    _variants: list[BoundVariant]
    _view: BodyView

    def __init__(
        self, bound: BoundTable, api: Api, request: ClientRequest, sink: Sink, clock: Clock, owner: WalkOwner
    ) -> None:
        self._bound = bound
        self._api = api
        self.request = request
        self.sink = sink
        self._clock = clock
        self._owner = owner
        self._started_s = clock.now_s()
        self.outcome = Outcome(bound.version, clock.unix_ms(), api=api)

    def begin(self, serial: int) -> None:
        """
        Go as far as can be gone without waiting, and on from there when there is news.

        Nearly every request is chosen, rewritten and sent on an idle connection here, and answered by
        `_note_arrival` when the provider's answer is whole: no task, no future. Whatever is not as
        plain as that goes on in a task.
        """
        if self._owner.sampler is not None:
            self._sample(self._owner.sampler)
        try:
            self._variants = variants = self._choose(serial)
            ejection = variants[0].ejection
            if (ejection is not None and not ejection.is_quiet) or not self._send_first(variants[0]):
                self._go_on()
        except GatewayError as error:
            self._refuse(error)
            self._close()
        except Exception as error:  # A fault of ours: it costs this request, and the owner says so.
            self._close(error)

    def cancel(self) -> None:
        """Stop: the client has left."""
        if self._is_running:
            self._cancel_task()
        elif not self._is_closed:
            self._cancel_task()
            self._note_left()
            self._close()

    def end_early(self, error: GatewayError) -> None:
        """Stop waiting for the provider: the client is told `error` in whatever way is left."""
        if self._response is not None:
            self._response.note_error(error)
        elif self._is_running:
            self._early_error = error
            self._cancel_task()

    def _send_first(self, variant: BoundVariant) -> bool:
        """Send the first attempt if a connection is idle."""
        self._sent = head, body = self._written(variant)
        connection = variant.provider.pool.take_idle()
        if connection is None:
            return False
        response = connection.send(self.begin_attempt(head), body, wants_whole=True, prefers_stream=self._is_stream)
        self._response = self._first = response
        response.call_on_arrival(self._note_arrival)
        return True

    def _note_arrival(self) -> None:
        """Answer at once where the answer is whole and good; else go on in a task."""
        response = self._arrived
        try:
            if (
                response.status == 200
                and response.is_whole
                and not response.is_event_stream
                and self._read(response, self._variants[0])
            ):
                self._first = None
                self._respond_whole(self._variants[0])
                self._close()
            else:
                self._go_on()
        except Exception as error:  # Raised into the provider's parser it would look like the provider's fault.
            self._close(error)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _go_on(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Answer the request, whatever happens."""
        # A task cancelled before its first step never gets here, and nobody would let go for it.
        self._is_running = True
        failure: Exception | None = None
        try:
            variant = await self._first_answer(self._variants)
            if not self._respond_whole(variant):
                await self._relay(variant)
        except asyncio.CancelledError:
            if self._early_error is None:
                self._note_left()
                raise
            self._refuse(self._early_error)
        except GatewayError as error:
            self._refuse(error)
        except Exception as error:  # As in `begin`.
            failure = error
        finally:
            self._close(failure)

    def _note_left(self) -> None:
        outcome = self.outcome
        outcome.is_client_gone = True
        outcome.status = 499
        outcome.fault = Fault.CLIENT

    def _close(self, failure: Exception | None = None) -> None:
        """Let go of everything and tell the owner, once."""
        self._is_closed = True
        if self._sampled is not None:
            self._sampled.hand_over(self.outcome, self._fields, self._response, self._owner.note_sample)
        if self._copied is not None:
            self._copied.hold(self._response)
        self._let_go()
        outcome = self.outcome
        if failure is not None:
            outcome.status = 500
            outcome.fault = Fault.GATEWAY
        if outcome.trace is not None:
            is_bad = outcome.status >= 400 or outcome.is_truncated
            self.end_attempt(outcome.status, outcome.error_code if is_bad else None)
        outcome.duration_ms = (self._clock.now_s() - self._started_s) * 1000
        self._owner.note_done(self, failure)
        if self._copied is not None:
            self._hand_out(self._copied)

    def _hand_out(self, copied: CopyTaker) -> None:
        copies, bound_route = self._owner.copies, self._bound_route
        if copies is not None and bound_route is not None and bound_route.copied_headers is not None:
            allowed, keeps_texts = bound_route.copied_headers, self._sampled is not None
            copied.hand_over(self.outcome, self.request, allowed, copies, keeps_texts=keeps_texts)

    def _choose(self, serial: int) -> list[BoundVariant]:
        """Read the request and give who is to answer it: the arm's variant, then its fallbacks."""
        request = self.request
        first = request.first
        if b"content-encoding" in first and first[b"content-encoding"].lower() != b"identity":
            message = "Compressed request bodies are not read here; send it without content-encoding."
            raise UnsupportedMediaError(message)
        self._fields = fields = parse_fields(request.body)
        outcome = self.outcome
        if "stream" in fields:
            self._is_stream = outcome.is_stream = peek_bool(fields, "stream")
        model = peek_string(fields, "model")
        if model is None:
            message = "The request names no model; send a route's name as 'model'."
            raise BadRequestError(message, code="missing_model", param="model")
        self._model = model
        outcome.model_requested = model if len(model) <= MAX_MODEL_CHARS else model[:MAX_MODEL_CHARS]
        self._view = BodyView(self._api, first, fields)
        route = self._bound.route(model)
        return self._choose_default(model, serial) if route is None else self._choose_arm(route, serial)

    def _choose_default(self, model: str, serial: int) -> list[BoundVariant]:
        bound = self._bound
        variant = bound.unrouted
        if variant is None:
            raise NoRouteError(unknown_model(model, bound.table.route_names), param="model")
        outcome = self.outcome
        outcome.request_id = bound.seal.seal_parts(_NO_NAMES, 0, 0, outcome.unix_ms, serial)
        return [variant]

    def _choose_arm(self, bound_route: BoundRoute, serial: int) -> list[BoundVariant]:
        self._bound_route = bound_route
        route = bound_route.route
        if len(self.request.body) > route.max_body_bytes:
            message = f"Route {route.name!r} takes requests up to {route.max_body_bytes} bytes."
            raise TooLargeError(message)
        bound = self._bound
        release = route.release
        forced = self._forced(route) if FORCE_HEADER in self.request.first else None
        if self._api is _EMBEDDINGS and not bound_route.is_one_model:
            # Vectors of two models do not compare: an index must not be filled by a coin.
            assignment = Assignment(release.baseline, Reason.ONLY_ARM)
        else:
            key = f"{serial:08x}" if release.unit is _PER_REQUEST else None
            assignment, segments = assign(release, bound.identity, self._view, forced=forced, request_key=key)
            self._segments = segments
        self._arm = arm = bound_route.arms[assignment.arm]
        outcome = self.outcome
        note_assignment(outcome, route, arm.name, assignment)
        if self._segments:
            outcome.segments = self._segments
        outcome.request_id = bound.seal.seal_parts(
            arm.sealed_names, release.epoch, assignment.unit_hash, outcome.unix_ms, serial
        )
        if route.samples is not None:
            self._sampled = taker_of(route.samples, self._api, outcome.request_id)
        if bound_route.copied_headers is not None:
            self._copied = copy_taker_of(route, bound.identity, self._view, assignment, outcome.request_id)
        return arm.variants

    def _forced(self, route: Route) -> str:
        name = self.request.first[FORCE_HEADER].decode("latin-1")
        if not self.request.is_loopback or any(self.request.header(name) is not None for name in _FORWARDING):
            message = "Variants can be forced only from the gateway's own machine."
            raise ForbiddenError(message, code="force_forbidden")
        if name not in {arm.name for arm in route.release.arms}:
            message = f"{name!r} is not an arm of route {route.name!r}."
            raise BadRequestError(message, code="unknown_variant")
        return name

    async def _first_answer(self, variants: list[BoundVariant]) -> BoundVariant:
        """
        Get the first answer worth passing on, and give the variant it came from.

        A variant's failure counts against the arm also when a fallback saves the answer.
        """
        succession = Succession(variants)
        following = succession.own() if self._first is not None else self._next(succession)
        while following is not None:
            variant = following
            try:
                await self._ask(variant)
            except UpstreamError as error:
                self._let_go()
                note_blame(self.outcome, Fault.PROVIDER, error.code)
                self._note_failure(variant)
                following = self._next(succession)
                if following is None:
                    raise
                self.end_attempt(0, error.code)
                continue
            status = self._arrived.status
            if status >= 500:
                self._note_failure(variant)
            elif variant.ejection is not None and not variant.ejection.is_quiet:
                variant.ejection.note_answer(self._clock.now_s(), sent_s=self._started_s)
            if not (status == 429 or status >= 500) or (following := self._next(succession)) is None:
                return variant
            note_blame(self.outcome, Fault.PROVIDER, f"upstream_{status}")
            self.end_attempt(status)
            self._let_go()
        message = "The last variant returns or raises."
        raise AssertionError(message)

    def _next(self, succession: Succession) -> BoundVariant | None:
        """
        Take the next variant to ask.

        An arm whose own provider is left out is blamed as if it had been asked: who answers is another either way.
        """
        following = succession.next(self._clock.now_s())
        if succession.is_own_left_out:
            self._sent = None  # Written for the arm's own.
            note_blame(self.outcome, Fault.PROVIDER, code="provider_left_out")
        return following

    def _note_failure(self, variant: BoundVariant) -> None:
        if variant.ejection is not None:
            variant.ejection.note_failure(self._clock.now_s())

    async def _ask(self, variant: BoundVariant) -> None:
        """Get one variant's answer, retries included; never one that redirects or is no answer."""
        provider = variant.provider
        first, self._first = self._first, None
        (head, body), self._sent = self._sent or self._written(variant), None
        while True:
            self._response = response = await ask(
                provider.pool,
                head,
                body,
                prefers_stream=self._is_stream,
                notes=self,
                first=first,
            )
            if not (self._strips_usage and response.status == 400 and b"stream_options" in response.body()):
                break
            # Refused for what we added: no work was done, and this provider is not asked for usage again.
            provider.injects_usage = False
            self.end_attempt(response.status)
            first = None
            self._let_go()
            head, body = self._written(variant)
        self._check(response, variant)

    def _written(self, variant: BoundVariant) -> tuple[bytes, bytes]:
        """Give the head and body of the request to a variant's provider."""
        api = self._api
        request = self.request
        view = self._view
        outcome = self.outcome
        outcome.provider = variant.provider.name
        outcome.model_sent = variant.model
        plan = variant.plan(api)
        self._strips_usage = injects = self._is_stream and variant.provider.injects_usage and self._is_usage_wanted
        user = self._bound.identity.user(view) if plan.needs_user else None
        body = plan.apply(request.body, self._fields, view, self._segments, inject_usage=injects, user=user)
        return variant.head(api, request, len(body), is_traced=outcome.trace is not None), body

    def _check(self, response: UpstreamResponse, variant: BoundVariant) -> None:
        """Refuse an answer that is none."""
        status = response.status
        if 300 <= status < 400 and status != 304:
            message = f"The provider answered with a redirect ({status}), which is never followed."
            raise UpstreamBrokenError(message, code="upstream_redirect")
        if status != 200:
            return
        guards = variant.guards
        if guards is not None and guards.blocks and not is_readable(response):
            message = "The provider's answer is compressed or too large to be checked by the route's guards."
            raise UpstreamBrokenError(message, code="upstream_unchecked")
        if response.is_whole and not response.is_event_stream and not self._read(response, variant):
            message = "The provider answered 200 with a body that is no answer."
            raise UpstreamBrokenError(message, code="upstream_invalid_answer")

    def _read(self, response: UpstreamResponse, variant: BoundVariant) -> bool:
        """Read a whole answer; False when it is none. One that is compressed is passed on unread."""
        if is_encoded(response):
            return variant.guards is None or not variant.guards.blocks
        body = response.body()
        try:
            body.decode()
        except UnicodeDecodeError:
            return False
        self._reading = reading = read_answer(self._api, body)
        return reading is not None

    def _respond_whole(self, variant: BoundVariant) -> bool:
        """Send an answer that has all arrived; False when it has to be relayed."""
        response = self._arrived
        outcome = self.outcome
        outcome.status = status = response.status
        outcome.ttfb_ms = (self._clock.now_s() - self._started_s) * 1000
        if status >= 400:
            note_problem(outcome, response, variant, self._api)
        if not response.is_whole or response.is_event_stream:
            return False
        if self._reading is not None:
            note_reading(outcome, self._reading, variant.price, len(self.request.body))
            if variant.guards is not None and self._is_blocked(variant.guards, response):
                return True
        lines = answer_lines(response, outcome, self._arm, variant, self._bound.config_header)
        self.sink.respond_encoded(status, lines, self._body_for_client(response))
        return True

    def _is_blocked(self, guards: GuardSet, response: UpstreamResponse) -> bool:
        """Ask the guards; where one keeps the answer back, tell the client so."""
        report = guards.judge(texts_of(self._api, response.body()))
        note_report(self.outcome, report)
        if report.blocked_by is None:
            return False
        error = blocked(report.blocked_by)
        self.outcome.status = error.status
        self.outcome.error_code = error.code
        self._respond_problem(error)
        return True

    async def _relay(self, variant: BoundVariant) -> None:
        """Send the answer as it arrives."""
        response = self._arrived
        headers = answer_headers(response, self.outcome, self._arm, variant, self._bound.config_header)
        if response.status != 200 or is_encoded(response) or not response.is_event_stream:
            error = await relay_raw(response, headers, self.sink)
        else:
            error = await self._relay_events(response, headers, variant)
        if isinstance(error, ContentBlockedError):
            self.outcome.error_code = error.code
        elif error is not None:
            self.outcome.is_truncated = True
            note_blame(self.outcome, _fault_behind(error), error.code)

    async def _relay_events(
        self, response: UpstreamResponse, headers: Headers, variant: BoundVariant
    ) -> GatewayError | None:
        name = self._name_for_model
        tap = StreamTap(
            self._api,
            strip_usage=self._strips_usage,
            model_name=name,
            instructions=None if name is None else self._client_instructions,
        )
        guarded = None if variant.guards is None else GuardedStream(self._api, variant.guards)
        followers: list[Follower] = [taker.follow_stream() for taker in (self._sampled, self._copied) if taker]
        relay = EventRelay(
            self._api, tap, self.sink, self._clock, model=self._model, guarded=guarded, followers=followers
        )
        try:
            return await relay.run(response, headers)
        finally:  # Also when the client left: what came was paid for.
            self._note_stream(relay, tap, guarded, variant)

    def _note_stream(
        self, relay: EventRelay, tap: StreamTap, guarded: GuardedStream | None, variant: BoundVariant
    ) -> None:
        outcome = self.outcome
        if relay.first_token_s is not None:
            outcome.ttft_ms = (relay.first_token_s - self._started_s) * 1000
        note_reading(outcome, tap.reading, variant.price, len(self.request.body))
        if guarded is not None:
            note_report(outcome, guarded.report)
        if tap.failed and not tap.reading.is_safety_error:
            note_blame(outcome, Fault.PROVIDER, "upstream_stream_error")

    def _body_for_client(self, response: UpstreamResponse) -> bytes:
        body = response.body()
        name = self._name_for_model
        if name is None or response.status != 200 or is_encoded(response):
            return body
        return hide_model(self._api, body, name, self._client_instructions)

    def _refuse(self, error: GatewayError) -> None:
        """Answer with an error of our own."""
        outcome = self.outcome
        outcome.status = error.status
        note_blame(outcome, Fault.CLIENT if error.status < 500 else _fault_behind(error), error.code)
        self._respond_problem(error)

    def _respond_problem(self, error: GatewayError) -> None:
        self.sink.respond(error.status, problem_headers(error, self.outcome.request_id), render_problem(error))

    # AttemptNotes

    def begin_attempt(self, head: bytes) -> bytes:
        """Count an attempt; where the request is traced, its head names its span."""
        outcome = self.outcome
        outcome.attempts += 1
        trace, sampler = outcome.trace, self._owner.sampler
        if trace is None or sampler is None:
            return head
        attempt = sampler.begin_attempt(
            trace, unix_ms=self._clock.unix_ms(), provider=outcome.provider or "", model_sent=outcome.model_sent
        )
        return put_context(head, render_attempt(trace, attempt), trace.state)

    def end_attempt(self, status: int, error_code: str | None = None) -> None:
        """Note how an attempt ended."""
        note_attempt_end(self.outcome, self._clock.unix_ms(), status, error_code)

    def _sample(self, sampler: Sampler) -> None:
        request = self.request
        states = [value for name, value in request.headers if name == b"tracestate"]
        self.outcome.trace = sampler.sample(request.first.get(b"traceparent"), states)

    @property
    def _arrived(self) -> UpstreamResponse:
        if self._response is None:
            raise AssertionError
        return self._response

    @property
    def _is_usage_wanted(self) -> bool:
        return self._bound_route is not None and self._api in _STREAMS_USAGE and may_inject_usage(self._fields)

    @property
    def _name_for_model(self) -> str | None:
        """Give the route's name where clients see it for the model's."""
        bound_route = self._bound_route
        return bound_route.route.name if bound_route is not None and bound_route.hides_model else None

    @property
    def _client_instructions(self) -> bytes | None:
        if self._api is not Api.RESPONSES:
            return None
        raw = self._fields.get("instructions")
        return b"null" if raw is None else bytes(raw)

    def _let_go(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.release()


def _fault_behind(error: GatewayError) -> Fault:
    return Fault.PROVIDER if isinstance(error, UpstreamError) else Fault.GATEWAY
