"""
Who is told: the log, whoever listens in this process, and webhooks.

Nothing here can hold up the controller. Each webhook has a queue of its own, bounded, and what does not fit is
dropped and counted; a webhook that fails is tried again a few times, further and further apart, and then given up.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from gateway.control.journal import DecisionKind, Entry
from gateway.domain.alert import AlertKind, AlertTarget
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

SIGNATURE = "x-sluice-signature"
"""`sha256=` and the hex HMAC-SHA256 of the body under the target's secret."""

MAX_WAITING = 1_000
"""Alerts per webhook; as many as a bad night may bring."""

RETRIES_AFTER_S = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Waited before each further attempt: a webhook may be away for ten minutes and still hear of it."""

POSTS_WITHIN_S = 10.0

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body with headers to a URL; gives the status, raises whatever it likes."""

Sleep = Callable[[float], Awaitable[None]]

_KINDS: Mapping[DecisionKind, AlertKind] = {
    DecisionKind.ROLLED_BACK: AlertKind.ROLLBACK,
    DecisionKind.STOPPED: AlertKind.ROLLBACK,
    DecisionKind.STEPPED_BACK: AlertKind.STEP_BACK,
    DecisionKind.ALERTED: AlertKind.ALERT,
    DecisionKind.HELD: AlertKind.HOLD,
    DecisionKind.EXTENDED: AlertKind.HOLD,
    DecisionKind.AWAITS_APPROVAL: AlertKind.APPROVAL,
    DecisionKind.PAUSED: AlertKind.PAUSE,
    DecisionKind.PROMOTED: AlertKind.PROMOTION,
    DecisionKind.COMPLETED: AlertKind.PROMOTION,
    DecisionKind.FINISHED: AlertKind.PROMOTION,
    DecisionKind.CONCLUDED: AlertKind.PROMOTION,
    DecisionKind.APPROVED: AlertKind.PROMOTION,
    DecisionKind.STARTED: AlertKind.START,
    DecisionKind.RESUMED: AlertKind.START,
    DecisionKind.RETURNED: AlertKind.START,
}
_LEVELS = {AlertKind.ROLLBACK: logging.ERROR, AlertKind.SRM: logging.ERROR, AlertKind.STEP_BACK: logging.WARNING}
_LEVELS |= {AlertKind.ALERT: logging.WARNING, AlertKind.HOLD: logging.WARNING, AlertKind.PAUSE: logging.WARNING}


class Alerts:
    """
    Tells about decisions, from `open` to `close`.

    Attributes:
        tally: Alerts to webhooks by how they ended: `sent`, `failed`, `dropped`.
    """

    def __init__(
        self,
        targets: Sequence[AlertTarget] = (),
        *,
        post: Post,
        listeners: Sequence[Callable[[Entry], None]] = (),
        sleep: Sleep = asyncio.sleep,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """
        Make it.

        Args:
            targets: Webhooks.
            post: Posts to one.
            listeners: Told of every entry, in this process: metrics and events. They never wait.
            sleep: Waits between attempts.
            max_waiting: Alerts that wait per webhook.
        """
        self.tally: Counter[str] = Counter()
        self._post = post
        self._listeners = tuple(listeners)
        self._sleep = sleep
        self._max_waiting = max_waiting
        self._tasks = TaskGroup()
        self._lanes: dict[AlertTarget, _Lane] = {}
        self._is_open = False
        self.retarget(targets)

    def __repr__(self) -> str:
        """Give how many webhooks there are and what went through."""
        return f"<Alerts to {len(self._lanes)} webhooks: {dict(self.tally)}>"

    def note(self, entry: Entry) -> None:
        """Tell everybody who wants to hear of it; never waits, raises nothing."""
        kind = kind_of(entry)
        extra = {"id": entry.id, "route": entry.route, "release": entry.release, "kind": str(entry.kind)}
        log.log(_LEVELS.get(kind, logging.INFO) if kind else logging.INFO, "%s", entry.sentence, extra=extra)
        for listener in self._listeners:
            try:
                listener(entry)
            except Exception:  # One deaf listener must not keep the others from hearing.
                log.exception("a listener failed", extra={"entry": entry.id})
        if kind is None:
            return
        for target, lane in self._lanes.items():
            if kind in target.kinds:
                self._offer(lane, body_of(entry, kind))

    def open(self) -> None:
        """Begin to send; needs a running loop."""
        self._is_open = True
        for lane in self._lanes.values():
            self._start(lane)

    def retarget(self, targets: Sequence[AlertTarget]) -> None:
        """Tell these from now on; what waits for one that stays is still sent."""
        before, self._lanes = self._lanes, {}
        for target in targets:
            self._lanes[target] = before.pop(target) if target in before else _Lane(target)
            if self._is_open:
                self._start(self._lanes[target])
        for lane in before.values():
            if lane.task is not None:
                lane.task.cancel()
            self._lose(len(lane.waiting))

    async def drain(self, within_s: float) -> None:
        """Wait until everything is sent or given up, for at most so long."""
        idle = [lane.idle.wait() for lane in self._lanes.values() if lane.task is not None]
        try:
            await asyncio.wait_for(asyncio.gather(*idle), within_s)
        except TimeoutError:
            log.warning("alerts were still waiting to be sent", extra={"n_waiting": self.n_waiting})

    async def close(self) -> None:
        """End; what waits is lost, and counted."""
        self._lose(self.n_waiting)
        await self._tasks.close()

    @property
    def n_waiting(self) -> int:
        """Give how many alerts wait to be sent."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def _offer(self, lane: _Lane, body: bytes) -> None:
        if len(lane.waiting) >= self._max_waiting:
            # The oldest goes: what happens now matters more to whoever is woken by it.
            lane.waiting.popleft()
            self._lose(1)
        lane.waiting.append(body)
        lane.idle.clear()
        lane.woken.set()

    def _lose(self, n: int) -> None:
        if n:
            self.tally["dropped"] += n

    def _start(self, lane: _Lane) -> None:
        if lane.task is None:
            lane.task = self._tasks.spawn(self._run(lane))

    async def _run(self, lane: _Lane) -> None:
        while True:
            while lane.waiting:
                body = lane.waiting[0]
                is_sent = await self._send(lane.target, body)
                self.tally["sent" if is_sent else "failed"] += 1
                # A queue that was full meanwhile may have lost this one already.
                if lane.waiting and lane.waiting[0] is body:
                    lane.waiting.popleft()
            lane.idle.set()
            lane.woken.clear()
            await lane.woken.wait()

    async def _send(self, target: AlertTarget, body: bytes) -> bool:
        headers = headers_of(target, body)
        for wait_s in (0.0, *RETRIES_AFTER_S):
            if wait_s:
                await self._sleep(wait_s)
            try:
                status = await asyncio.wait_for(self._post(target.url, body, headers), POSTS_WITHIN_S)
            except Exception as error:  # Whatever a webhook does costs this attempt and nothing else.
                problem, is_final = type(error).__name__, False
            else:
                if 200 <= status < 300:
                    return True
                problem, is_final = f"status {status}", 400 <= status < 500 and status not in (408, 429)
            # The URL is a secret: it is not said.
            log.warning("a webhook was not reached", extra={"cause": problem, "storm": "webhook"})
            if is_final:
                break
        return False


class _Lane:
    """What waits for one webhook."""

    def __init__(self, target: AlertTarget) -> None:
        self.target = target
        self.waiting: deque[bytes] = deque()
        self.woken = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.task: asyncio.Task[None] | None = None


def kind_of(entry: Entry) -> AlertKind | None:
    """Give what kind of alert an entry is; None for entries that nobody is woken for."""
    if entry.rule == "health:srm":
        return AlertKind.SRM
    return _KINDS.get(entry.kind)


def body_of(entry: Entry, kind: AlertKind) -> bytes:
    """Give an entry as it is posted: its fields, the kind, and `text`, which chat programs show as it is."""
    fields = msgspec.to_builtins(entry)
    return msgspec.json.encode({"text": entry.sentence, "alert": str(kind), **fields})


def headers_of(target: AlertTarget, body: bytes) -> dict[str, str]:
    """Give the headers of a post, signed where the target has a secret."""
    headers = {"content-type": "application/json", "user-agent": "sluice"}
    if target.secret is not None:
        headers[SIGNATURE] = f"sha256={hmac.new(target.secret.encode(), body, hashlib.sha256).hexdigest()}"
    return headers


@asynccontextmanager
async def opened_post() -> AsyncIterator[Post]:
    """Give what posts over the network, redirects not followed, until the end of the block."""
    # Only the control process tells anybody anything; nobody else pays for the client.
    from aiohttp import ClientSession, ClientTimeout

    async with ClientSession(timeout=ClientTimeout(total=POSTS_WITHIN_S)) as session:

        async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status

        yield post
