"""
Sends copies to providers, one answer at a time, and holds each to bounds of time and size.

Apart from the request path: connections, limits and failures here are none of anybody else's. There are no retries,
for a copy that failed is a result too. Nothing is followed, stored or resumed: no redirects, no cookies, no proxies
from the environment.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from gateway.clock import Clock
from gateway.domain.provider import Auth, InjectUsage, Provider
from gateway.domain.variant import Api, Rewrite, Variant
from gateway.record.copied import Copied
from gateway.shadow.answering import Answered, Reader, StreamReader
from gateway.shadow.pace import Pace
from gateway.wire.body import Fields, encode_fields, parse_fields, peek_bool
from gateway.wire.guard import GuardSet
from gateway.wire.headers import fixed_headers
from gateway.wire.mirror import Skip, copied_headers, without_effects
from gateway.wire.rewrite import Plan
from gateway.wire.usage import may_inject_usage
from gateway.wire.view import BodyView

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_HELD_BYTES = 64 * 1024 * 1024
"""Of all answers that are on their way at once."""

LINGER_S = 0.5
"""For the end of a stream that has said that it is finished, so that its connection can be used again."""

MAX_PAUSE_S = 300.0
DEFAULT_PAUSE_S = 1.0
_LARGE_BODY_BYTES = 1024 * 1024
_STREAMS_USAGE = frozenset({Api.CHAT, Api.COMPLETIONS})
_BUSY = frozenset({429, 503, 529})
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class TooMuchError(Exception):
    """An answer is over its bound, or all of them together are."""


@dataclass(frozen=True, slots=True)
class Written:
    """
    A copy as it is sent.

    Attributes:
        body: JSON.
        asks_usage: We ask for the stream's usage; the client did not.
    """

    body: bytes
    asks_usage: bool


class Target:
    """
    A variant that gets copies, made ready once per table.

    Attributes:
        variant: What the file says.
        provider: Where it goes.
        has_key: There is a key of ours, or none is wanted: nobody else's is ever used.
    """

    def __init__(self, variant: Variant, provider: Provider) -> None:
        self.variant = variant
        self.provider = provider
        is_missing = provider.auth is Auth.KEY and not provider.key
        self.has_key = provider.auth is not Auth.CLIENT and not is_missing
        self._guards = GuardSet(variant.guards) if variant.guards else None
        self._plans: dict[Api, Plan] = {}
        own = [(name.encode(), value.encode("latin-1")) for name, value in variant.headers]
        taken = frozenset(name for name, _ in own)
        ours = [pair for pair in fixed_headers(provider) if pair[0] not in taken]
        self._headers = [*ours, (b"accept-encoding", b"identity"), *own]
        self._travels = copied_headers(provider.forward_headers)

    def reader(self, api: Api) -> Reader:
        """Give what reads its answers."""
        variant = self.variant
        return Reader(api, variant.name, self._plan(api).rewrite, self._guards, variant.price)

    def write(self, copied: Copied, api: Api, fields: Fields, *, may_ask_usage: bool) -> Written | Skip:
        """
        Give the body for its provider, or why there is none: a rewrite may store or act as a client may.

        Args:
            copied: What is copied.
            api: Which call.
            fields: Of its body, as `wire.mirror` lets them through.
            may_ask_usage: The provider is not known to refuse `stream_options`.
        """
        is_wanted = api in _STREAMS_USAGE and self.provider.inject_usage is not InjectUsage.OFF and may_ask_usage
        asks_usage = is_wanted and peek_bool(fields, "stream") and may_inject_usage(fields)
        view = BodyView(api, dict(reversed(copied.headers)), fields)
        segments = copied.outcome.segments or {}
        # Encoded anew also where nothing changed: of a name sent twice only the one that was looked at is sent on.
        body = self._plan(api).apply(
            encode_fields(fields), fields, view, segments, inject_usage=asks_usage, user=copied.user or None
        )
        safe = without_effects(api, parse_fields(body))
        return safe if isinstance(safe, Skip) else Written(encode_fields(safe), asks_usage)

    def url(self, copied: Copied, api: Api) -> URL:
        """Give where it is sent."""
        provider = self.provider
        query = copied.query.decode("latin-1")
        where = f"{provider.scheme}://{provider.authority}{provider.base_path}{api.value}{query}"
        return URL(where, encoded=True)

    def headers(self, copied: Copied) -> CIMultiDict[str]:
        """Give the headers: ours win over the client's, and what is no text stays behind."""
        ours = frozenset(name for name, _ in self._headers)
        theirs = [pair for pair in copied.headers if self._travels(pair[0]) and pair[0] not in ours]
        found = CIMultiDict[str]()
        for name, value in (*self._headers, *theirs):
            try:
                found.add(name.decode("ascii"), value.decode())
            except UnicodeDecodeError:
                continue
        found.setdefault("content-type", "application/json")
        return found

    def _plan(self, api: Api) -> Plan:
        plan = self._plans.get(api)
        if plan is None:
            plan = self._plans[api] = Plan(api, self.variant.rewrites.get(api, Rewrite()))
        return plan


class Sender:
    """The connections of the lane, by provider; a provider whose key, address or limits changed is a new one."""

    def __init__(self, clock: Clock, *, max_held_bytes: int = MAX_HELD_BYTES, pace: Pace | None = None) -> None:
        self._clock = clock
        self._room = max_held_bytes
        self._pace = pace or Pace(clock)
        self._sessions: dict[Provider, aiohttp.ClientSession] = {}
        self._n_users: dict[Provider, int] = {}
        self._wanted: frozenset[Provider] = frozenset()
        self._refuses_usage: set[Provider] = set()

    def keep(self, providers: frozenset[Provider]) -> list[Provider]:
        """Take note of who may still be asked; give the others whose connections nobody uses, to be closed."""
        self._wanted = providers
        self._refuses_usage &= providers
        return [gone for gone in self._sessions if gone not in providers and not self._n_users.get(gone)]

    async def retire(self, provider: Provider) -> None:
        """Close the connections to a provider."""
        session = self._sessions.pop(provider, None)
        if session is not None:
            await session.close()

    async def close(self) -> None:
        """Close every connection."""
        for provider in list(self._sessions):
            await self.retire(provider)

    def asks_usage(self, provider: Provider) -> bool:
        """Tell whether streams of this provider may be asked for their usage."""
        return provider not in self._refuses_usage

    async def send(self, target: Target, copied: Copied, api: Api, written: Written, timeout_s: float) -> Answered:
        """Have a copy answered. Never raises but for a fault of ours: what goes wrong there is the answer."""
        exchange = _Exchange(target, target.reader(api), len(written.body), self._clock)
        try:
            async with self._session(target.provider) as session:
                return await self._ask(session, exchange, copied, api, written.body, timeout_s)
        except aiohttp.ConnectionTimeoutError:
            return exchange.broken("upstream_connect_timeout", is_timeout=True)
        except TimeoutError:
            return exchange.broken(f"upstream_{exchange.phase}_timeout", is_timeout=True)
        except TooMuchError:
            return exchange.broken("upstream_too_large")
        except (aiohttp.ClientConnectorError, ssl.SSLError, aiohttp.InvalidURL):
            return exchange.broken("upstream_connect_failed")
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError):
            return exchange.broken("upstream_broken")
        finally:
            self._room += exchange.n_held

    def note_refused_usage(self, provider: Provider) -> None:
        """Ask this provider's streams for their usage no more."""
        self._refuses_usage.add(provider)

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        exchange: _Exchange,
        copied: Copied,
        api: Api,
        body: bytes,
        timeout_s: float,
    ) -> Answered:
        loop = asyncio.get_running_loop()
        limits = exchange.target.provider.timeouts
        ends_s = loop.time() + timeout_s
        data = body if len(body) < _LARGE_BODY_BYTES else io.BytesIO(body)
        url, headers = exchange.target.url(copied, api), exchange.target.headers(copied)
        async with asyncio.timeout_at(min(ends_s, loop.time() + limits.connect_s + limits.first_byte_s)) as timer:
            async with session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                exchange.begin(response)
                try:
                    timer.reschedule(min(ends_s, loop.time() + limits.idle_s))
                    async for piece in response.content.iter_any():
                        if not exchange.is_over:
                            waits_s = LINGER_S if self._hold(exchange, piece) else limits.idle_s
                            timer.reschedule(min(ends_s, loop.time() + waits_s))
                        if delay_s := self._pace.delay_s(len(piece)):
                            await asyncio.sleep(delay_s)
                finally:
                    # One that is not at its end must not be used again.
                    if not response.content.at_eof():
                        response.close()
                return exchange.end()

    def _hold(self, exchange: _Exchange, piece: bytes) -> bool:
        """Take a piece; tell whether the answer is over with it, and only the connection is to end."""
        if exchange.n_held + len(piece) > MAX_ANSWER_BYTES or len(piece) > self._room:
            raise TooMuchError
        self._room -= len(piece)
        exchange.take(piece)
        return exchange.is_over

    @asynccontextmanager
    async def _session(self, provider: Provider) -> AsyncIterator[aiohttp.ClientSession]:
        session = self._sessions.get(provider)
        if session is None:
            session = self._sessions[provider] = _open_session(provider)
        self._n_users[provider] = self._n_users.get(provider, 0) + 1
        try:
            yield session
        finally:
            self._n_users[provider] -= 1
            if not self._n_users[provider]:
                del self._n_users[provider]
                if provider not in self._wanted:
                    await self.retire(provider)


class _Exchange:
    """
    One request and what has come back for it.

    Attributes:
        target: Who is asked.
        n_held: Bytes of the answer.
        phase: What is waited for: "first_byte" or "idle".
    """

    def __init__(self, target: Target, reader: Reader, n_sent_bytes: int, clock: Clock) -> None:
        self.target = target
        self.n_held = 0
        self.phase = "first_byte"
        self._reader = reader
        self._n_sent_bytes = n_sent_bytes
        self._clock = clock
        self._started_s = clock.now_s()
        self._status = 0
        self._retry_after_s: float | None = None
        self._stream: StreamReader | None = None
        self._pieces: list[bytes] = []

    @property
    def is_over(self) -> bool:
        """Tell whether the answer has said that it is finished: what some servers send behind it is nobody's."""
        return self._stream is not None and self._stream.is_over

    def begin(self, response: aiohttp.ClientResponse) -> None:
        """Take the head of the answer."""
        self.phase = "idle"
        self._status = response.status
        if response.status in _BUSY:
            self._retry_after_s = _retry_after_s(response)
        if response.status == 200 and response.content_type == "text/event-stream":
            self._stream = self._reader.begin_stream(self._n_sent_bytes)

    def take(self, piece: bytes) -> None:
        """Take a piece of its body."""
        self.n_held += len(piece)
        if self._stream is not None:
            self._stream.feed(piece, self._elapsed_ms)
        else:
            self._pieces.append(piece)

    def end(self) -> Answered:
        """Give the answer, which has ended as it should."""
        if self._stream is not None:
            return self._stream.end(self._elapsed_ms)
        body = b"".join(self._pieces)
        if self._status == 200:
            return self._reader.whole(body, self._n_sent_bytes, self._elapsed_ms)
        answered = self._reader.refused(self._status, body, self._elapsed_ms)
        answered.retry_after_s = self._retry_after_s
        answered.refuses_usage = self._status == 400 and b"stream_options" in body
        return answered

    def broken(self, code: str, *, is_timeout: bool = False) -> Answered:
        """Give what there is of an answer that broke off."""
        if self._stream is None:
            answered = self._reader.failed(code, self._elapsed_ms, is_timeout=is_timeout)
            answered.n_tokens = 0 if code in {"upstream_connect_failed", "upstream_connect_timeout"} else None
            answered.retry_after_s = self._retry_after_s
            return answered
        answered = self._stream.end(self._elapsed_ms, code)
        answered.is_timeout = is_timeout and answered.side.is_truncated
        return answered

    @property
    def _elapsed_ms(self) -> float:
        return (self._clock.now_s() - self._started_s) * 1000


def _open_session(provider: Provider) -> aiohttp.ClientSession:
    """Give connections to a provider; raises OSError when its authorities cannot be read."""
    trusted: ssl.SSLContext | bool = True
    if provider.scheme == "https":
        trusted = ssl.create_default_context(cafile=provider.ca_file)
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        trusted.set_alpn_protocols(["http/1.1"])
    connector = aiohttp.TCPConnector(
        limit=provider.max_connections, keepalive_timeout=provider.keepalive_s, ssl=trusted, ttl_dns_cache=10
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTO_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=provider.timeouts.connect_s),
        trust_env=False,
    )


def _retry_after_s(response: aiohttp.ClientResponse) -> float:
    """Give for how long the provider wants to be left alone; a date counts as soon."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wanted_s = float(response.headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if wanted_s >= 0:
            return min(wanted_s, MAX_PAUSE_S)
    return DEFAULT_PAUSE_S
