"""A stream on its way from provider to client: passed on as it comes, and never made to look whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.domain.variant import Api
from gateway.errors import GatewayError, UpstreamBrokenError
from gateway.proxy.exchange import Headers, Sink
from gateway.proxy.upstream.response import UpstreamResponse
from gateway.wire.guard import blocked
from gateway.wire.guarded_stream import GuardedStream
from gateway.wire.problem import render_stream_problem
from gateway.wire.stream import StreamTap

STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
"""Tell proxies in front of us to pass events on at once."""


class Follower(Protocol):
    """Whoever reads along what a client gets of a stream."""

    def feed(self, data: bytes) -> None:
        """Take whole events, in order."""
        ...


class EventRelay:
    """
    Passes server-sent events on; nothing is awaited between a chunk's arrival and its write.

    Attributes:
        first_token_s: When the first token passed, on the clock given; None until then.
    """

    __slots__ = ("_api", "_clock", "_followers", "_guarded", "_model", "_response", "_sink", "_tap", "first_token_s")

    def __init__(
        self,
        api: Api,
        tap: StreamTap,
        sink: Sink,
        clock: Clock,
        *,
        model: str,
        guarded: GuardedStream | None = None,
        followers: Sequence[Follower] = (),
    ) -> None:
        """`guarded` stands behind the tap where the variant has guards; followers are told before it."""
        self._followers = followers
        self._guarded = guarded
        self._response: UpstreamResponse | None = None
        self._model = model
        self._api = api
        self._tap = tap
        self._sink = sink
        self._clock = clock
        self.first_token_s: float | None = None

    async def run(self, response: UpstreamResponse, headers: Headers) -> GatewayError | None:
        """
        Relay `response` to its end.

        Owns neither side: the caller releases the response. Cancellation (the client left) passes
        through; the caller's release then closes the upstream.

        Returns:
            None when the stream was whole, else what broke it; the client has been told.
        """
        self._response = response
        self._sink.start(response.status, headers + STREAM_HEADERS, flow=response)
        response.pipe(self.take)
        await response.ended()
        return self._finish(response.error)

    def take(self, piece: bytes) -> None:
        """Pass on what arrived."""
        tap = self._tap
        out = tap.feed(piece)
        if self.first_token_s is None and tap.has_token:
            self.first_token_s = self._clock.now_s()
        for follower in self._followers:
            follower.feed(out)
        if self._guarded is not None:
            out = self._checked(self._guarded, out)
        if out:
            self._sink.write(out)

    def _checked(self, guarded: GuardedStream, out: bytes) -> bytes:
        """Give what the guards let through; once one objects, the provider is not listened to any more."""
        passed = guarded.feed(out)
        if guarded.blocked_by is not None and self._response is not None:
            self._response.note_error(blocked(guarded.blocked_by))
        return passed

    def _finish(self, error: GatewayError | None) -> GatewayError | None:
        tap = self._tap
        rest = tap.end()
        for follower in self._followers:
            follower.feed(rest)
        guarded = self._guarded
        if guarded is not None:
            rest = guarded.end(rest if tap.is_complete else b"", is_complete=tap.is_complete)
            if guarded.blocked_by is not None:
                return self._end_with(blocked(guarded.blocked_by))
            if not tap.is_complete and rest:
                self._sink.write(rest)
        if tap.is_complete:
            # It said that it was finished; how the connection ended afterwards changes nothing.
            self._sink.write(rest)
            self._sink.end()
            return None
        if error is None:
            message = "The provider ended the stream without finishing the answer."
            error = UpstreamBrokenError(message, code="upstream_truncated")
        if not tap.is_at_boundary and not (guarded is not None and guarded.is_whole):
            # Half of a huge event is out; a frame behind it would be read as the rest of that event.
            self._sink.abort()
            return error
        # What was held back is half an event; a client would stumble over it before the frame that explains.
        return self._end_with(error)

    def _end_with(self, error: GatewayError) -> GatewayError:
        """Tell the client what broke the stream."""
        tap = self._tap
        frame = render_stream_problem(
            self._api,
            error,
            sequence_number=tap.sequence_number,
            at_boundary=True,
            response_id=tap.response_id,
            model=self._model,
            created_at_unix_s=self._clock.unix_ms() // 1000,
        )
        self._sink.write(frame)
        self._sink.end()
        return error


async def relay_raw(response: UpstreamResponse, headers: Headers, sink: Sink) -> GatewayError | None:
    """
    Pass any body on untouched, with its length where it is known.

    Returns:
        None when it was whole, else what broke it; the connection to the client is then broken too,
        for nothing else tells it.
    """
    declared = response.header(b"content-length")
    length = int(declared) if declared is not None and declared.isdigit() else None
    sink.start(response.status, headers, flow=response, content_length=length)
    response.pipe(sink.write)
    await response.ended()
    if response.error is None:
        sink.end()
    else:
        sink.abort()
    return response.error
