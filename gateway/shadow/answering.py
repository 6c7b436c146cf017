"""
What came back for a copy, read as a client's answer is read, and made into one side of a pair.

Knows no network: bytes and times come in. A shadow's answer is held to the same rules as the primary's, its guards
and its format among them, so that a difference is one between variants and not between two ways of reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from msgspec.structs import replace

from gateway.domain.outcome import Fault, Safety
from gateway.domain.price import Price
from gateway.domain.usage import Usage
from gateway.domain.variant import Api, Rewrite
from gateway.record.copied import Copied
from gateway.record.outcome import Outcome
from gateway.record.pair import Likeness, Pair, PairKind, PairTexts, Side
from gateway.shadow.compare import compare
from gateway.wire.answer import names_field
from gateway.wire.answer_parts import AnswerParts, parts_of
from gateway.wire.answer_text import texts_of
from gateway.wire.body import Fields
from gateway.wire.excerpt import cut_text, prompt_excerpt
from gateway.wire.fault import fault_of
from gateway.wire.guard import GuardReport, GuardSet, blocked
from gateway.wire.guarded_stream import GuardedStream
from gateway.wire.reading import Reading, read_answer
from gateway.wire.safety import Signal, graver, read_problem
from gateway.wire.stream import StreamTap
from gateway.wire.usage import estimate_usage

_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")


@dataclass(slots=True)
class Answered:
    """
    What a copy's provider gave.

    Attributes:
        side: For the pair.
        parts: To be compared; None where there is no answer.
        n_tokens: Of prompt and answer, as far as anybody knows; None when nobody does.
        is_timeout: It did not come in time.
        retry_after_s: The provider asks to be left alone for so long; None when it does not.
        refuses_usage: The provider may have refused only what we asked for beside the client's: a stream's usage.
    """

    side: Side
    parts: AnswerParts | None = None
    n_tokens: int | None = None
    is_timeout: bool = False
    retry_after_s: float | None = None
    refuses_usage: bool = False

    @property
    def spent_usd(self) -> float | None:
        """Give what it cost; None when nobody knows."""
        return 0.0 if self.n_tokens == 0 else self.side.cost_usd

    @property
    def result(self) -> str:
        """Give what became of the copy: "answered", "failed" or "timeout"."""
        if self.is_timeout:
            return "timeout"
        side = self.side
        is_refusal = 400 <= side.status < 500 and side.safety is not Safety.NONE
        is_whole = side.status == 200 and side.fault is Fault.NONE and not side.is_truncated
        return "answered" if is_whole or is_refusal else "failed"


@dataclass(frozen=True, slots=True)
class Reader:
    """
    How answers of one variant to one kind of call are read.

    Attributes:
        api: Which call.
        variant: Its name.
        rewrite: What was written into the request.
        guards: Content checks; None for none.
        price: Of its tokens; None where it is not known.
    """

    api: Api
    variant: str
    rewrite: Rewrite
    guards: GuardSet | None = None
    price: Price | None = None

    def failed(self, code: str, duration_ms: float, *, status: int = 0, is_timeout: bool = False) -> Answered:
        """Give what stands for an answer that never came."""
        side = Side(self.variant, status, code, Fault.PROVIDER, duration_ms=duration_ms)
        return Answered(side, is_timeout=is_timeout)

    def refused(self, status: int, body: bytes, duration_ms: float) -> Answered:
        """Give what an error of the provider says; nothing was spent on it."""
        if status < 400:
            return self.failed("upstream_redirect" if status >= 300 else f"upstream_{status}", duration_ms, status=502)
        param = names_field(body) if status in (400, 422) else None
        fault = fault_of(status, is_client_key=False, param=param, rewrite=self.rewrite)
        safety = read_problem(status, body).safety
        side = Side(self.variant, status, f"upstream_{status}", fault, duration_ms=duration_ms, safety=safety)
        return Answered(side, n_tokens=0)

    def whole(self, body: bytes, n_sent_bytes: int, duration_ms: float) -> Answered:
        """Read the body of a 200 that is no stream."""
        reading = None if not _is_text(body) else read_answer(self.api, body)
        if reading is None:
            return self.failed("upstream_invalid_answer", duration_ms, status=502)
        report = GuardReport() if self.guards is None else self.guards.judge(texts_of(self.api, body))
        side = self._side(reading, report, n_sent_bytes, duration_ms)
        if report.blocked_by is not None:
            error = blocked(report.blocked_by)
            side = replace(side, status=error.status, error_code=error.code)
        parts = parts_of(self.api, body, is_event_stream=False)
        return _with_parts(side, parts)

    def begin_stream(self, n_sent_bytes: int) -> StreamReader:
        """Give what reads a stream."""
        guarded = None if self.guards is None else GuardedStream(self.api, self.guards)
        return StreamReader(self, StreamTap(self.api), guarded, n_sent_bytes)

    def _side(self, reading: Reading, report: GuardReport, n_sent_bytes: int, duration_ms: float) -> Side:
        usage, is_estimated = reading.usage, reading.usage is None
        if usage is None:
            usage = estimate_usage(n_sent_bytes, reading.n_output_bytes, reading.n_token_events)
        theirs = Signal(reading.safety, reading.safety_category)
        return Side(
            self.variant,
            200,
            model_served=reading.model,
            duration_ms=duration_ms,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            is_estimated=is_estimated,
            cost_usd=None if self.price is None else self.price.cost_usd(usage),
            finish_reason=reading.finish_reason,
            safety=graver(theirs, Signal(report.safety, report.safety_category)).safety,
            is_valid_format=report.is_valid_format,
        )

    def side_of_stream(self, stream: StreamReader, duration_ms: float, error_code: str | None) -> Side:
        """Give the side that a stream's end makes."""
        tap, guarded = stream.tap, stream.guarded
        reading = tap.reading
        report = GuardReport() if guarded is None else guarded.report
        side = self._side(reading, report, stream.n_sent_bytes, duration_ms)
        side = replace(side, ttft_ms=stream.ttft_ms)
        if report.blocked_by is not None:
            return replace(side, error_code=blocked(report.blocked_by).code)
        if tap.failed and not reading.is_safety_error:
            side = replace(side, fault=Fault.PROVIDER, error_code="upstream_stream_error")
        if not tap.is_complete:
            code = error_code or "upstream_truncated"
            return replace(side, fault=Fault.PROVIDER, error_code=side.error_code or code, is_truncated=True)
        return side


@dataclass(slots=True)
class StreamReader:
    """
    Reads one stream.

    Attributes:
        reader: Of the variant.
        tap: Watches the events.
        guarded: Checks their words; None for no guards.
        n_sent_bytes: Of the request.
        ttft_ms: To the first token; None before it came.
    """

    reader: Reader
    tap: StreamTap
    guarded: GuardedStream | None
    n_sent_bytes: int
    ttft_ms: float | None = None
    _pieces: list[bytes] = field(default_factory=list, repr=False)
    _done_ms: float | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing that follows can matter."""
        return self._done_ms is not None

    def feed(self, piece: bytes, now_ms: float) -> None:
        """Take what came, so many milliseconds after the request was sent."""
        whole = self.tap.feed(piece)
        if self.ttft_ms is None and self.tap.has_token:
            self.ttft_ms = now_ms
        self._keep(whole, now_ms)

    def end(self, duration_ms: float, error_code: str | None = None) -> Answered:
        """Give the answer; `error_code` says what broke it, which is nothing where it had said that it was finished."""
        rest = self.tap.end()
        self._keep(rest, duration_ms)
        if self.guarded is not None:
            self.guarded.end(is_complete=self.tap.is_complete)
        took_ms = duration_ms if self._done_ms is None else self._done_ms
        side = self.reader.side_of_stream(self, took_ms, error_code)
        parts = parts_of(self.reader.api, b"".join(self._pieces), is_event_stream=True)
        return _with_parts(side, parts)

    def _keep(self, whole: bytes, now_ms: float) -> None:
        if whole and self._done_ms is None:
            self._pieces.append(whole)
            # Usage comes behind the last word, and `[DONE]` behind that; responses have nothing behind their end.
            is_last = self.reader.api is Api.RESPONSES or _DONE.search(whole) is not None
            if is_last and self.tap.is_complete:
                self._done_ms = now_ms
            if self.guarded is not None:
                self.guarded.feed(whole)


def primary_side(outcome: Outcome, parts: AnswerParts | None) -> Side:
    """Give the side of the answer that the client got."""
    return Side(
        variant=outcome.served or outcome.arm or "",
        status=outcome.status,
        error_code=outcome.error_code,
        fault=outcome.fault,
        model_served=outcome.model_served,
        ttft_ms=outcome.ttft_ms,
        duration_ms=outcome.duration_ms,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        is_estimated=outcome.is_estimated,
        cost_usd=outcome.cost_usd,
        finish_reason=outcome.finish_reason,
        safety=outcome.safety,
        is_valid_format=outcome.is_valid_format,
        is_truncated=outcome.is_truncated,
        n_chars=_n_chars(parts),
    )


def primary_parts(copied: Copied) -> AnswerParts | None:
    """Give the parts of the answer that the client got; None where it cannot be compared."""
    api = copied.outcome.api
    if api is None or copied.is_answer_cut or copied.outcome.status != 200:
        return None
    return parts_of(api, copied.answer, is_event_stream=copied.is_event_stream)


def pair_of(
    copied: Copied, kind: PairKind, shadow_variant: str, primary: AnswerParts | None, answered: Answered
) -> Pair:
    """Join the two answers to a request; without texts."""
    outcome = copied.outcome
    ours, theirs = primary_side(outcome, primary), answered.side
    likeness: Likeness | None = None
    if primary is not None and answered.parts is not None and ours.is_answer and theirs.is_answer:
        likeness = compare(primary, answered.parts)
    return Pair(
        request_id=outcome.request_id,
        kind=kind,
        shadow_variant=shadow_variant,
        unix_ms=outcome.unix_ms,
        route=outcome.route or "",
        release=outcome.release or "",
        epoch=outcome.epoch,
        arm=outcome.arm or "",
        unit_hash=copied.unit_hash,
        has_unit=copied.has_unit,
        segments=outcome.segments or {},
        api=(outcome.api or Api.CHAT).value,
        is_stream=outcome.is_stream,
        primary=ours,
        shadow=theirs,
        likeness=likeness,
    )


def texts_for(
    copied: Copied, fields: Fields, primary: AnswerParts | None, answered: Answered, *, keep_for_s: float
) -> PairTexts:
    """Give the words of a pair: what was asked, and both answers, tool calls included."""
    outcome = copied.outcome
    return PairTexts(
        prompt=prompt_excerpt(outcome.api or Api.CHAT, fields),
        primary=shown(primary),
        shadow=shown(answered.parts),
        expires_unix_ms=outcome.unix_ms + int(keep_for_s * 1000),
    )


def shown(parts: AnswerParts | None) -> str:
    """
    Give an answer as a person reads it, cut where it is long.

    >>> from gateway.wire.answer_parts import ToolCall
    >>> shown(AnswerParts("Let me look.", tool_calls=(ToolCall("find", '{"q":1}'),)))
    'Let me look.\\nfind({"q":1})'
    """
    if parts is None:
        return ""
    calls = [f"{call.name}({call.arguments})" for call in parts.tool_calls]
    return cut_text("\n".join(text for text in (parts.text, parts.refusal, *calls) if text))


def likely_usage(copied: Copied) -> Usage:
    """Give the tokens a copy will take, about: the primary's, or an estimate by size."""
    outcome = copied.outcome
    guess = estimate_usage(len(copied.body), len(copied.answer))
    n_input = guess.input_tokens if outcome.input_tokens is None else outcome.input_tokens
    n_output = guess.output_tokens if outcome.output_tokens is None else outcome.output_tokens
    return Usage(n_input, n_output, 0, 0)


def _with_parts(side: Side, parts: AnswerParts | None) -> Answered:
    n_tokens = (side.input_tokens or 0) + (side.output_tokens or 0)
    return Answered(replace(side, n_chars=_n_chars(parts)), parts, n_tokens)


def _n_chars(parts: AnswerParts | None) -> int | None:
    return None if parts is None else len(parts.text)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
