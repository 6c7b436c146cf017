"""A shadow's answer is read as the primary's is, and the two make a pair."""

from __future__ import annotations

import pytest

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.domain.outcome import Fault, Safety
from gateway.domain.price import Price, Rates
from gateway.domain.variant import Api, Rewrite
from gateway.record.copied import Copied
from gateway.record.outcome import Outcome
from gateway.record.pair import Side
from gateway.shadow.answering import Answered, Reader, likely_usage, primary_parts, shown
from gateway.wire.answer_parts import AnswerParts
from gateway.wire.guard import GuardSet
from tests.fakes.upstream import CHAT_ANSWER

PRICE = Price(Rates(1e-6, 1e-5, 1e-6))
DONE = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def reader_of(action: GuardAction | None = None, *, price: Price | None = PRICE) -> Reader:
    """Give a reader, with a guard against `hello` where an action is given."""
    guards = None
    if action is not None:
        guards = GuardSet([Guard("rude", GuardKind.PATTERN, action, pattern="hello|hi")])
    return Reader(Api.CHAT, "next", Rewrite(model=b'"m"'), guards, price)


def test_whole_answer_is_priced() -> None:
    """Tokens and price are the variant's; without usage they are an estimate that says so."""
    side = reader_of().whole(CHAT_ANSWER, 400, 12.0).side
    assert (side.status, side.duration_ms, side.input_tokens, side.is_estimated) == (200, 12.0, 100, True)
    assert side.cost_usd is not None and reader_of(price=None).whole(CHAT_ANSWER, 400, 1.0).side.cost_usd is None


def test_guards_hold_for_shadows() -> None:
    """What a guard would have kept from the client is what the client would have got: a block, or a flag."""
    blocked = reader_of(GuardAction.BLOCK).whole(CHAT_ANSWER, 1, 1.0).side
    flagged = reader_of(GuardAction.FLAG).whole(CHAT_ANSWER, 1, 1.0).side
    assert (blocked.status, blocked.error_code, blocked.safety) == (400, "content_blocked", Safety.OUTPUT_BLOCKED)
    assert (flagged.status, flagged.safety) == (200, Safety.FLAGGED)


def test_guards_hold_for_streams() -> None:
    """A stream's words are checked as they would have been on their way."""
    stream = reader_of(GuardAction.BLOCK).begin_stream(10)
    stream.feed(DONE, 3.0)
    side = stream.end(9.0).side
    assert (side.error_code, side.safety, side.ttft_ms) == ("content_blocked", Safety.OUTPUT_BLOCKED, 3.0)


def test_time_ends_with_the_last_word() -> None:
    """A connection that stays open behind `[DONE]` makes no answer slower, nor does what breaks there."""
    stream = reader_of().begin_stream(10)
    stream.feed(DONE, 5.0)
    answered = stream.end(900.0, "upstream_broken")
    assert stream.is_over and answered.side.duration_ms == 5.0 and answered.result == "answered"


def test_cut_stream_keeps_what_came() -> None:
    """A stream that breaks off is truncated, the provider's fault, and has its first words."""
    stream = reader_of().begin_stream(10)
    stream.feed(b'data: {"choices":[{"index":0,"delta":{"content":"hel"},"finish_reason":null}]}\n\n', 2.0)
    answered = stream.end(5.0, "upstream_broken")
    assert (answered.side.is_truncated, answered.side.fault, answered.result) == (True, Fault.PROVIDER, "failed")
    assert answered.parts is not None and answered.parts.text == "hel"


@pytest.mark.parametrize(
    ("status", "body", "fault", "result"),
    [
        (500, b"{}", Fault.PROVIDER, "failed"),
        (429, b"{}", Fault.PROVIDER, "failed"),
        (400, b'{"error":{"param":"model"}}', Fault.PROVIDER, "failed"),
        (400, b"{}", Fault.CLIENT, "failed"),
        (400, b'{"error":{"code":"content_filter"}}', Fault.CLIENT, "answered"),
    ],
)
def test_errors_are_blamed_as_ever(status: int, body: bytes, fault: Fault, result: str) -> None:
    """An error is whose it would be on the request path; one that speaks of safety is an answer."""
    answered = reader_of().refused(status, body, 1.0)
    assert (answered.side.fault, answered.result, answered.spent_usd) == (fault, result, 0.0)


def test_unknown_cost_is_unknown() -> None:
    """Of an answer that never came nobody knows the cost, so what was reserved stays."""
    answered = reader_of().failed("upstream_idle_timeout", 1.0, is_timeout=True)
    assert answered.spent_usd is None and answered.n_tokens is None and answered.result == "timeout"


def test_copy_is_reckoned_by_its_primary() -> None:
    """A copy will cost about what the primary's answer took; without that its size says it."""
    told = Copied(Outcome(input_tokens=7, output_tokens=9), 1, True, 0, "", b"", [], b"x" * 400, b"y" * 80, False)
    untold = Copied(Outcome(), 1, True, 0, "", b"", [], b"x" * 400, b"y" * 80, False)
    assert likely_usage(told)[:2] == (7, 9) and likely_usage(untold)[:2] == (100, 20)


@pytest.mark.parametrize("changes", [{"is_answer_cut": True}, {"status": 400}, {"answer": b""}])
def test_some_primaries_cannot_be_compared(changes: dict[str, object]) -> None:
    """An answer that was cut, refused or is none has no parts."""
    status = changes.get("status", 200)
    outcome = Outcome(api=Api.CHAT, status=status if isinstance(status, int) else 0)
    answer = b"" if "answer" in changes else CHAT_ANSWER
    is_cut = "is_answer_cut" in changes
    assert primary_parts(Copied(outcome, 1, True, 0, "", b"", [], b"{}", answer, False, is_cut)) is None


def test_refusals_are_shown() -> None:
    """A judge sees a refusal where there are no words, and nothing where there is no answer."""
    assert shown(AnswerParts("", refusal="I cannot.")) == "I cannot." and shown(None) == ""


def test_side_that_failed_inside_is_failed() -> None:
    """A 200 whose stream reported an error is a failure."""
    assert Answered(Side("next", 200, fault=Fault.PROVIDER)).result == "failed"
