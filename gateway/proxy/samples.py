"""Samples: prompt and answer of the few requests whose route asks for it, taken when they have ended."""

from __future__ import annotations

import logging
from collections.abc import Callable

from xxhash import xxh3_64_intdigest

from gateway.domain.release import BUCKETS
from gateway.domain.route import SampleRule
from gateway.domain.variant import Api
from gateway.proxy.readable import is_encoded
from gateway.proxy.upstream.response import UpstreamResponse
from gateway.record.outcome import Outcome
from gateway.record.sample import Sample
from gateway.wire.body import Fields
from gateway.wire.excerpt import StreamExcerpt, answer_excerpt, prompt_excerpt

log = logging.getLogger(__name__)

SALT = 0x5A3B_1E5D
"""Of its own: which requests are sampled has nothing to do with who is in which arm."""

NoteSample = Callable[[Sample], None]
"""Takes a sample; returns at once."""


class SampleTaker:
    """One request that is sampled."""

    __slots__ = ("_api", "_rule", "_stream")

    def __init__(self, rule: SampleRule, api: Api) -> None:
        self._rule = rule
        self._api = api
        self._stream: StreamExcerpt | None = None

    def follow_stream(self) -> StreamExcerpt:
        """Give what is to be fed with the answer's events."""
        self._stream = StreamExcerpt(self._api)
        return self._stream

    def hand_over(
        self, outcome: Outcome, fields: Fields, response: UpstreamResponse | None, note_sample: NoteSample
    ) -> None:
        """
        Make the sample and give it away; a request that no provider was asked has none.

        Args:
            outcome: Of the request, which has ended.
            fields: Of its body, as the client sent it.
            response: The answer if it is still at hand.
            note_sample: Takes it.
        """
        if not outcome.attempts:
            return
        try:
            note_sample(self._take(outcome, fields, response))
        except Exception:  # The request has ended well or badly; a fault in sampling it must change neither.
            log.exception("a sample could not be taken")

    def _take(self, outcome: Outcome, fields: Fields, response: UpstreamResponse | None) -> Sample:
        return Sample(
            request_id=outcome.request_id,
            unix_ms=outcome.unix_ms,
            expires_unix_ms=outcome.unix_ms + int(self._rule.keep_for_s * 1000),
            route=outcome.route or "",
            release=outcome.release or "",
            epoch=outcome.epoch,
            arm=outcome.arm or "",
            unit_hash=outcome.unit_hash,
            prompt=prompt_excerpt(self._api, fields),
            answer=self._answer(response),
        )

    def _answer(self, response: UpstreamResponse | None) -> str:
        if self._stream is not None:
            return self._stream.text()
        if response is None or response.status != 200 or not response.is_whole or is_encoded(response):
            return ""
        return answer_excerpt(self._api, response.body())


def taker_of(rule: SampleRule, api: Api, request_id: str) -> SampleTaker | None:
    """Give what takes the sample of a request; None for one that is not sampled."""
    is_sampled = xxh3_64_intdigest(request_id.encode(), seed=SALT) % BUCKETS < rule.n_buckets
    return SampleTaker(rule, api) if is_sampled else None
