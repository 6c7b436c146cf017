"""What operators may ask about rollouts, answered from a controller that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.admin.operations import Asked
from gateway.control.commands import Reply
from gateway.control.rollout import Command, CommandKind
from gateway.processes.rollout_operations import RolloutDesk
from tests.processes.rollout_toys import PLAN, ToyController, ToyJournal, latch, rollout


class Bench:
    """A desk, and what is behind it."""

    def __init__(self, **rollouts: Any) -> None:
        self.controller = ToyController(**rollouts)
        self.desk = RolloutDesk(
            self.controller,
            ToyJournal(),
            served=self.served,
            exposed=self.exposed,
            left_out=lambda: {"beyond_bounds": 7, "of_unknown_epochs": 0},
        )
        self.is_store_away = False

    async def served(self) -> tuple[int, int, int]:
        return 12, 2, 2

    async def exposed(self, release: str) -> Mapping[tuple[int, str], int]:
        if self.is_store_away:
            raise OSError("locked")
        return {(4, "concise"): 321}


@pytest.fixture
def bench() -> Bench:
    """Give a desk with one rollout and one split."""
    return Bench()


def test_lists_everything(bench: Bench) -> None:
    """Rollouts, splits and what is latched, in short; what is dormant is not latched."""
    bench.controller.latches = (latch(), latch(is_dormant=True))
    told = bench.desk.rollouts()
    assert [one["release"] for one in told["rollouts"]] == ["support-v8"]
    assert ([one["release"] for one in told["splits"]], len(told["latches"])) == (["sales"], 1)


def test_what_no_watch_was_told(bench: Bench) -> None:
    """How many facts were left out stands where an operator looks, by why."""
    assert bench.desk.rollouts()["facts_left_out"] == {"beyond_bounds": 7, "of_unknown_epochs": 0}


@pytest.mark.parametrize("name", ["support", "support-v8", "route:support", "release:support-v8"])
async def test_names_of_both_kinds(bench: Bench, name: str) -> None:
    """People say the route, machines the release."""
    answer = await bench.desk.rollout(name)
    assert (answer.status, answer.body["release"], answer.body["users"]["candidate"]) == (200, "support-v8", 321)


async def test_splits_are_shown(bench: Bench) -> None:
    """A split has arms and no phase."""
    answer = await bench.desk.rollout("sales")
    assert answer.status == 200 and "phase" not in answer.body and len(answer.body["arms"]) == 3


@pytest.mark.parametrize("name", ["other", "release:support", "route:support-v8", ""])
async def test_unknown_names(bench: Bench, name: str) -> None:
    """A name that is nobody's is 404, with the names there are."""
    answer = await bench.desk.rollout(name)
    assert (answer.status, answer.body["error"]["code"]) == (404, "no_such_release")
    assert "support (support-v8), sales (sales)" in answer.body["error"]["message"]


async def test_unclear_names() -> None:
    """A name that is one release's and another's route is not guessed at."""
    other = rollout(plan=replace(PLAN, release="support", route="other"))
    bench = Bench(one=rollout(), other=other)
    answer = await bench.desk.rollout("support")
    assert (answer.status, answer.body["error"]["code"]) == (400, "unclear_name")
    clear = [await bench.desk.rollout(f"{kind}:support") for kind in ("release", "route")]
    assert [each.body["route"] for each in clear] == ["other", "support"]


async def test_store_may_be_away(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Without the store everything is told but how many users there were."""
    bench.is_store_away = True
    answer = await bench.desk.rollout("support")
    assert (answer.status, answer.body["users"], answer.body["phase"]) == (200, None, "progressing")
    assert "users cannot be counted" in caplog.text


async def test_command_is_carried_out(bench: Bench) -> None:
    """What was asked reaches the controller by release, and the answer says who serves it."""
    answer = await bench.desk.command("support", Asked("pause", "ana", "lunch", key="k", expected_version=7))
    assert bench.controller.commands == [
        ("support-v8", Command(CommandKind.PAUSE, "ana", "lunch", key="k", expected_version=7))
    ]
    assert answer.status == 200 and not answer.body["is_repeated"]
    assert [answer.body[name] for name in ("version", "acknowledged", "workers")] == [12, 2, 2]
    assert [one["id"] for one in answer.body["entries"]] == ["support-v8-9"]


@pytest.mark.parametrize(("to", "stage"), [("internal", 0), ("10%", 1), ("100 %", 2), (None, None)])
async def test_stages_by_label(bench: Bench, to: str | None, stage: int | None) -> None:
    """A stage is named as the plan calls it; none is the next."""
    await bench.desk.command("support", Asked("promote", "ana", to=to))
    assert bench.controller.commands[0][1].to_stage == stage


@pytest.mark.parametrize(("name", "to"), [("support", "25%"), ("support", "1"), ("sales", "50%")])
async def test_unknown_stage(bench: Bench, name: str, to: str) -> None:
    """A stage that the plan has not is refused with those it has; a split has none."""
    answer = await bench.desk.command(name, Asked("set_stage", "ana", to=to))
    assert (answer.status, answer.body["error"]["code"]) == (400, "no_such_stage")
    assert bench.controller.commands == []


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply.CONFLICT, 409, "conflict"),
        (Reply.REFUSED, 409, "refused"),
        (Reply.UNKEPT, 503, "not_kept"),
        (Reply.UNKNOWN, 404, "no_such_release"),
    ],
)
async def test_refusals(bench: Bench, reply: Reply, status: int, code: str) -> None:
    """A refusal says why and, where there is one, how the rollout stands now."""
    bench.controller.reply = reply
    answer = await bench.desk.command("support", Asked("promote", "ana"))
    assert (answer.status, answer.body["error"]) == (status, {"code": code, "message": "somebody changed it since"})
    assert status == 404 or answer.body["rollout"]["version"] == 7


async def test_done_already(bench: Bench) -> None:
    """What was done under the same key is told as done, and as not done twice."""
    bench.controller.reply = Reply.ALREADY
    answer = await bench.desk.command("support", Asked("pause", "ana"))
    assert (answer.status, answer.body["is_repeated"], answer.body["entries"]) == (200, True, [])


async def test_splits_take_an_arm(bench: Bench) -> None:
    """Of a split one arm can be stopped, and the answer shows the split."""
    answer = await bench.desk.command("sales", Asked("rollback", "ana", arm="new"))
    assert bench.controller.commands[0][1].arm == "new" and answer.body["rollout"]["release"] == "sales"


async def test_journal_in_pages(bench: Bench) -> None:
    """Newest first, and on from where the page before ended, without a gap or a repetition."""
    first = (await bench.desk.journal("support", limit=10, before=None)).body["entries"]
    second = (await bench.desk.journal("support", limit=100, before=first[-1]["id"])).body["entries"]
    numbers = [int(one["id"].rpartition("-")[2]) for one in (*first, *second)]
    assert numbers == [number for number in range(100, 0, -1) if number % 4]


async def test_journal_of_all(bench: Bench) -> None:
    """Without a name every release's entries come."""
    entries = (await bench.desk.journal(None, limit=5, before=None)).body["entries"]
    assert [one["release"] for one in entries] == ["sales", "support-v8", "support-v8", "support-v8", "sales"]


async def test_journal_of_the_gone(bench: Bench) -> None:
    """A release that the file has no longer still has its journal; one that never was has an empty one."""
    assert (await bench.desk.journal("long-gone", limit=5, before=None)).body == {"entries": [], "next": None}


@pytest.mark.parametrize("entry_id", ["support-v8-101", "nonsense", "sales-3", ""])
async def test_unknown_entries(bench: Bench, entry_id: str) -> None:
    """An id that is nobody's is 404, as an entry and as a place."""
    answers = [await bench.desk.entry(entry_id), await bench.desk.journal(None, limit=5, before=entry_id)]
    assert {(answer.status, answer.body["error"]["code"]) for answer in answers} == {(404, "no_such_entry")}


async def test_entry_by_id(bench: Bench) -> None:
    """One entry in full."""
    answer = await bench.desk.entry("sales-4")
    assert (answer.status, answer.body["release"], answer.body["kind"]) == (200, "sales", "paused")
