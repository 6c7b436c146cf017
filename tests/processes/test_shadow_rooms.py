"""What the shadow process is made of: tables to lane and judge, pairs of an earlier life to the judge once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

from gateway.clock import SystemClock
from gateway.domain.route import Route
from gateway.domain.shadow import JudgeRule, Shadow
from gateway.domain.table import RoutingTable
from gateway.processes.facts import COPIES, bind_facts, connector
from gateway.processes.shadow_rooms import LaneRooms
from gateway.record.batch import StoreError
from gateway.record.channel import Channel
from gateway.record.pair import Pair
from gateway.shadow.budget import BudgetLedger
from gateway.shadow.lane import Lane
from tests.fakes.pairs import World, pairs_of
from tests.fakes.tables import provider, route, table, variant

JUDGE = JudgeRule("judge")


class NotedJudge:
    """A judge that only takes notes."""

    def __init__(self) -> None:
        self.tables: list[int] = []
        self.resumed: list[Pair] = []
        self.is_closed = False

    def publish(self, table: RoutingTable) -> None:
        self.tables.append(table.head.version)

    def resume(self, pairs: Sequence[Pair]) -> None:
        self.resumed += pairs

    def counts(self) -> dict[str, int]:
        return {"judged": len(self.resumed)}

    async def close(self, timeout_s: float) -> None:
        self.is_closed = True


def judged_table(version: int = 1, *, judge: JudgeRule | None = JUDGE) -> RoutingTable:
    """Give a table with a shadow, and with whoever judges it."""
    made: Route = route([variant("current"), variant("next")], shadows=(Shadow("next", 10_000, judge=judge),))
    return table([provider(9)], [made], version=version)


def rooms_of(folder: Path, judge: NotedJudge, unjudged: Sequence[Pair] | Exception = ()) -> LaneRooms:
    """Give rooms whose store has these pairs."""

    async def read() -> Sequence[Pair]:
        if isinstance(unjudged, Exception):
            raise unjudged
        return unjudged

    clock = SystemClock()
    channel = Channel(connector(folder), worker=9, boot=1)
    ledger = BudgetLedger(folder / "shadow.json", clock=clock)
    lane = Lane(clock=clock, ledger=ledger, note_pair=channel.note_pair, note_results=channel.note_shadowed)
    return LaneRooms(channel=channel, lane=lane, judge=judge, read_unjudged=read, resume_after_s=0.0)


async def test_earlier_pairs_are_judged_once(tmp_path: Path) -> None:
    """What an earlier life left unjudged is judged when there is a judge, and not again with every table."""
    judge, pairs = NotedJudge(), pairs_of(World(n=3))
    rooms = rooms_of(tmp_path, judge, pairs)
    rooms.publish(judged_table(1, judge=None))
    await asyncio.sleep(0.01)
    assert judge.resumed == []
    rooms.publish(judged_table(2))
    rooms.publish(judged_table(3))
    await asyncio.sleep(0.01)
    assert (judge.tables, judge.resumed) == ([1, 2, 3], pairs) and rooms.counts()["judged"] == len(pairs)
    await rooms.close(0.1)


async def test_store_is_away(tmp_path: Path) -> None:
    """Then nothing is judged that was not, and all else goes on."""
    judge = NotedJudge()
    rooms = rooms_of(tmp_path, judge, StoreError("away"))
    rooms.publish(judged_table())
    await asyncio.sleep(0.01)
    await rooms.close(0.1)
    assert judge.resumed == [] and judge.is_closed


async def test_takes_copies(tmp_path: Path) -> None:
    """Workers are listened to once it is open, and hung up on at the end."""
    copies: socket.socket = bind_facts(tmp_path, COPIES).sock
    rooms = rooms_of(tmp_path, NotedJudge())
    await rooms.open(copies)
    reader, writer = await asyncio.open_unix_connection(tmp_path / COPIES)
    await asyncio.sleep(0.02)
    assert rooms.counts()["copy_peers"] == 1
    await rooms.close(0.1)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
