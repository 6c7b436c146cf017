"""A copied request: what a worker hands to the shadow process when the primary's answer has ended."""

from __future__ import annotations

import msgspec

from gateway.record.outcome import Outcome


class Copied(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    One request as its client sent it, with the answer it got.

    Attributes:
        outcome: What happened to it; the primary's side of every pair.
        unit_hash: 64 bits of whose request it is, salted for the route's shadows; of the request where it names nobody.
        has_unit: Whether it names somebody.
        slot: 0 to 9,999: the shadows with more buckets than this get a copy.
        user: As identity found it, for `{user}` in templates; empty for none.
        query: Of the request's target, with its question mark; mostly empty.
        headers: The client's, names in lower case, without credentials.
        body: The request's, before any rewrite.
        answer: The answer's body: JSON, or the stream as it came.
        is_event_stream: Which of the two.
        is_answer_cut: The answer was longer than what is copied, so it cannot be compared.
        keeps_texts: The route's `samples` keep this request's texts.
    """

    outcome: Outcome
    unit_hash: int
    has_unit: bool
    slot: int
    user: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    answer: bytes
    is_event_stream: bool
    is_answer_cut: bool = False
    keeps_texts: bool = False

    def __repr__(self) -> str:
        """Give the request: the words are not ours to show."""
        return f"<Copied {self.outcome.request_id}>"
