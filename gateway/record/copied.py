"""A copied request: what a worker hands to the shadow process when the primary's answer has ended."""

from __future__ import annotations

import msgspec
from xxhash import xxh3_64_intdigest

from gateway.domain.release import BUCKETS
from gateway.record.outcome import Outcome

_JUDGED_SEED = 0x1D6E_5EED
"""Of its own: which requests are judged has nothing to do with which are sampled or copied."""


def salt_of(route: str) -> str:
    """
    Give what users are salted with for a route's shadows.

    >>> salt_of("support")
    'shadow:support'
    """
    return f"shadow:{route}"


def judged_slot(request_id: str) -> int:
    """Give 0 to 9,999 for a request: the judged metrics with more buckets than this are asked for."""
    return xxh3_64_intdigest(request_id.encode(), seed=_JUDGED_SEED) * BUCKETS >> 64


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
