"""
Copies of requests for shadows and judges, handed out when the primary's answer has ended.

Who is copied follows from a salt of the route's own: who is in which arm has nothing to do with it, and a user is
copied by all of a route's shadows or by those with the larger shares. Nothing here waits, and no fault of it reaches
the client: the answer is out.
"""

from __future__ import annotations

import logging
from typing import Protocol

from gateway.assign.bucketing import slot_of, unit_hash_of
from gateway.assign.identity import CompiledIdentity
from gateway.domain.outcome import Fault
from gateway.domain.release import Assignment, Reason
from gateway.domain.route import Route
from gateway.proxy.exchange import ClientRequest
from gateway.proxy.readable import is_encoded
from gateway.proxy.upstream.response import UpstreamResponse
from gateway.record.copied import Copied, judged_slot, salt_of
from gateway.record.outcome import Outcome
from gateway.wire.headers import request_headers
from gateway.wire.view import BodyView

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""Of a request that is copied: text of a million characters is, images of many megabytes are not."""

MAX_ANSWER_BYTES = 512 * 1024
"""Of an answer that is compared; the longest that models give, as a stream with its framing."""

_NOT_COPIED = frozenset({Reason.INTERNAL, Reason.OVERRIDE})
"""Ours, and those somebody asked for by name: they are never analysed."""


class Copies(Protocol):
    """What takes copies to the shadow process; `record.copies` is the real one."""

    def open(self) -> None:
        """Begin to connect; called once, when there is something to copy."""
        ...

    def offer(self, copied: Copied) -> None:
        """Take a copy, or drop and count it; returns at once."""
        ...

    def note_skipped(self, route: str, reason: str) -> None:
        """Count a request that is not copied though it was to be."""
        ...

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        ...

    async def close(self, timeout_s: float) -> bool:
        """Send what is left, for so long at most, and hang up."""
        ...


class CopyTaker:
    """One request that is copied."""

    __slots__ = ("_answer", "_has_unit", "_is_cut", "_is_stream", "_pieces", "_size", "_slot", "_unit_hash", "_user")

    def __init__(self, unit_hash: int, slot: int, user: str, *, has_unit: bool) -> None:
        self._unit_hash = unit_hash
        self._slot = slot
        self._user = user
        self._has_unit = has_unit
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_cut = self._is_stream = False
        self._answer = b""

    def follow_stream(self) -> CopyTaker:
        """Give what is to be fed with the answer's events."""
        self._is_stream = True
        return self

    def feed(self, data: bytes) -> None:
        """Keep a piece of the stream; one that is too long is not compared."""
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self._is_cut = True
            self._pieces.clear()
        elif data:
            self._pieces.append(data)

    def hold(self, response: UpstreamResponse | None) -> None:
        """Keep the answer that has all arrived, before its connection is let go."""
        if self._is_stream or response is None or not response.is_whole:
            return
        body = response.body()
        self._is_cut = is_encoded(response) or len(body) > MAX_ANSWER_BYTES
        self._answer = b"" if self._is_cut else body

    def hand_over(
        self, outcome: Outcome, request: ClientRequest, allowed: frozenset[bytes], copies: Copies, *, keeps_texts: bool
    ) -> None:
        """
        Give the copy away, or count why there is none.

        Args:
            outcome: Of the request, which has ended.
            request: As the client sent it.
            allowed: Names of headers that may travel with it.
            copies: Takes it.
            keeps_texts: The route's samples keep its words.
        """
        if not outcome.attempts:
            return
        route = outcome.route or ""
        if reason := _obstacle(outcome, request):
            copies.note_skipped(route, reason)
            return
        try:
            copies.offer(self._copy(outcome, request, allowed, keeps_texts=keeps_texts))
        except Exception:  # The request has ended well or badly; a fault in copying it must change neither.
            log.exception("a request could not be copied", extra={"storm": "copy", "private": True})

    def _copy(
        self, outcome: Outcome, request: ClientRequest, allowed: frozenset[bytes], *, keeps_texts: bool
    ) -> Copied:
        return Copied(
            outcome=outcome,
            unit_hash=self._unit_hash,
            has_unit=self._has_unit,
            slot=self._slot,
            user=self._user,
            query=request.query,
            headers=request_headers(request.headers, allowed),
            body=request.body,
            answer=b"".join(self._pieces) if self._is_stream else self._answer,
            is_event_stream=self._is_stream,
            is_answer_cut=self._is_cut,
            keeps_texts=keeps_texts,
        )


def copy_taker_of(
    route: Route, identity: CompiledIdentity, view: BodyView, assignment: Assignment, request_id: str
) -> CopyTaker | None:
    """Give what copies a request; None for one that no shadow and no judge wants."""
    if assignment.reason in _NOT_COPIED:
        return None
    user = identity.user(view) or ""
    key = user or assignment.unit_key or identity.stand_in(view) or ""
    unit_hash = unit_hash_of(salt_of(route.name), key or request_id)
    slot = slot_of(unit_hash)
    judged_buckets = max((judged.n_buckets for judged in route.judged), default=0)
    if slot >= route.copied_buckets and judged_slot(request_id) >= judged_buckets:
        return None
    return CopyTaker(unit_hash, slot, user, has_unit=bool(key))


def _obstacle(outcome: Outcome, request: ClientRequest) -> str:
    if outcome.is_client_gone:
        return "client_gone"
    if outcome.fault is Fault.CLIENT:
        return "client_error"
    return "too_large" if len(request.body) > MAX_BODY_BYTES else ""
