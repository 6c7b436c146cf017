"""A pair: the same request answered twice, once for the client and once for nobody."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec

from gateway.domain.outcome import Fault, Safety


class PairKind(IntEnum):
    """What the second answer is of; the number is in the store."""

    SHADOW = 1
    """Of the shadow's variant."""

    NOISE = 2
    """Of the variant that answered the client, asked once more: how much it differs from itself."""


class Vote(IntEnum):
    """What a judge preferred; the number is in the store."""

    PRIMARY = -1
    TIE = 0
    SHADOW = 1


class Side(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    One of the two answers.

    Attributes:
        variant: Which answered.
        status: HTTP status; 0 when there was no answer.
        error_code: What went wrong; None when nothing did.
        fault: Whose failure.
        model_served: What the answer claims; None when it claims nothing.
        ttft_ms: To the first token of a stream; None where it cannot be told.
        duration_ms: To the last byte.
        input_tokens: None when neither told nor estimated.
        output_tokens: Likewise.
        is_estimated: The tokens are our own estimate.
        cost_usd: None where there is no price.
        finish_reason: As the provider said it.
        safety: What was stopped or flagged.
        is_valid_format: None where no format is asked for.
        is_truncated: It ended without saying it was finished.
        n_chars: Of its text; None where there was no answer to read.
    """

    variant: str
    status: int
    error_code: str | None = None
    fault: Fault = Fault.NONE
    model_served: str | None = None
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    is_estimated: bool = False
    cost_usd: float | None = None
    finish_reason: str | None = None
    safety: Safety = Safety.NONE
    is_valid_format: bool | None = None
    is_truncated: bool = False
    n_chars: int | None = None

    @property
    def is_answer(self) -> bool:
        """Tell whether there is a whole answer to compare."""
        return self.status == 200 and not self.is_truncated and self.n_chars is not None


class Likeness(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    How alike two answers are.

    Attributes:
        is_exact: The texts and the tool calls are the same, byte for byte.
        is_equal: They are once case, white space and Unicode form are evened out.
        similarity: Of the texts, 0 to 1; None where neither has one.
        changed_fields: Paths of JSON values that differ, where both texts are JSON: `$.items[].price`, sorted, at
            most 64; None where they are not both JSON.
        n_fields: JSON values looked at in both together; 0 likewise.
        tool_calls: "none", "same", "arguments" (the same tools, other arguments) or "tools" (other tools).
    """

    is_exact: bool
    is_equal: bool
    similarity: float | None
    changed_fields: list[str] | None = None
    n_fields: int = 0
    tool_calls: str = "none"


class Judgement(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    What a judge said of a pair, asked in both orders.

    Attributes:
        judge: Route of the judge.
        unix_ms: When.
        primary_first: Its vote when the primary's answer stood first; None when it gave none that can be read.
        shadow_first: Likewise in the other order.
        reason: In its words, of the first order; redacted like every text, and in the store kept with the pair's
            texts alone (`PairTexts.reason`), so empty in what the store gives back.
        cost_usd: Of both; None where nobody knows.
        problem: Why a vote is missing; empty when none is.
    """

    judge: str
    unix_ms: int
    primary_first: Vote | None
    shadow_first: Vote | None
    reason: str = ""
    cost_usd: float | None = None
    problem: str = ""

    @property
    def is_consistent(self) -> bool:
        """Tell whether both orders gave the same vote."""
        return self.primary_first is not None and self.primary_first == self.shadow_first

    @property
    def vote(self) -> Vote | None:
        """Give the vote both orders agree on, a tie where they do not, None where one is missing."""
        if self.primary_first is None or self.shadow_first is None:
            return None
        return self.primary_first if self.is_consistent else Vote.TIE


class PairTexts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    The words, redacted as the route says before they are written.

    Attributes:
        prompt: The client's own, as JSON.
        primary: What the client was answered.
        shadow: What nobody saw.
        expires_unix_ms: When they must be gone.
        reason: What the judge said of it, once it did: kept and gone with the texts, for it may quote them.
    """

    prompt: str
    primary: str
    shadow: str
    expires_unix_ms: int
    reason: str = ""

    def __repr__(self) -> str:
        """Give nothing: the words are not ours to show."""
        return "<PairTexts>"


class Pair(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    One request, two answers.

    Attributes:
        request_id: The sealed id the client was given.
        kind: Of whom the second answer is.
        shadow_variant: The shadow this pair was made for; for noise pairs too.
        unix_ms: When the request came.
        route: Route name.
        release: Release name.
        epoch: The release's epoch.
        arm: The primary's arm.
        unit_hash: 64 bits of the user, salted for the route's shadows; of the request where it names nobody.
        has_unit: Whether it names somebody.
        segments: The request's segments by name.
        api: The call's path below /v1.
        is_stream: Whether a stream was asked for.
        primary: What the client got.
        shadow: What nobody saw.
        likeness: None where one of the two is no whole answer.
        judgement: None while nobody judged.
        texts: None where they are not kept.
    """

    request_id: str
    kind: PairKind
    shadow_variant: str
    unix_ms: int
    route: str
    release: str
    epoch: int
    arm: str
    unit_hash: int
    has_unit: bool
    segments: dict[str, str]
    api: str
    is_stream: bool
    primary: Side
    shadow: Side
    likeness: Likeness | None = None
    judgement: Judgement | None = None
    texts: PairTexts | None = None

    def __repr__(self) -> str:
        """Give whose request it was answered for."""
        return f"<Pair {self.request_id} {self.kind.name.lower()} {self.shadow_variant}>"


class Judged(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    A judgement that comes after its pair was kept.

    Attributes:
        request_id: Of the pair.
        kind: Of the pair.
        shadow_variant: Of the pair.
        judgement: Takes the place of an earlier one.
    """

    request_id: str
    kind: PairKind
    shadow_variant: str
    judgement: Judgement


class PairKey(NamedTuple):
    """What tells one pair from every other."""

    request_id: str
    kind: PairKind
    shadow_variant: str


def key_of(pair: Pair | Judged) -> PairKey:
    """Give the key of a pair, or of the pair that was judged."""
    return PairKey(pair.request_id, pair.kind, pair.shadow_variant)
