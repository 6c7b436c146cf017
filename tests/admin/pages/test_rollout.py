"""How a release is shown that is steered."""

from __future__ import annotations

import pytest

from gateway.admin.pages.rollout import stages_of
from gateway.control.rollout import RolloutPhase
from gateway.processes.rollout_views import rollout_view
from tests.fakes.busy_operations import BusyOperations
from tests.fakes.operators_port import VIEWER, OperatorsPort
from tests.fakes.quiet_operations import QuietOperations
from tests.processes.rollout_toys import HOUR_S, VERDICTS, ToyController, latch, rollout

P = RolloutPhase


def view_of(phase: RolloutPhase, **changes: object) -> dict[str, object]:
    """Give a rollout as the desk gives it."""
    standing = rollout(phase, **changes)
    return rollout_view(standing, latches=(), verdicts=VERDICTS, readings=(), exposed=None)


@pytest.mark.parametrize(
    ("phase", "states"),
    [
        (P.PROGRESSING, ["done", "now", "next"]),
        (P.ROLLED_BACK, ["done", "stopped", "next"]),
        (P.COMPLETE, ["done", "done", "next"]),
    ],
)
def test_stages_have_states(phase: RolloutPhase, states: list[str]) -> None:
    """What is over, where it is, what comes."""
    assert [stage["state"] for stage in stages_of(view_of(phase))] == states


def test_countdown() -> None:
    """Ten of twenty-four hours are over: fourteen are left."""
    now = stages_of(view_of(P.PROGRESSING))[1]
    assert now["left_s"] == 14 * HOUR_S and 416 < now["width"] < 417


async def test_page_tells_all() -> None:
    """Sentence, stages, gates with their words, signals, epochs and the last decisions."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/rollouts/support")
    assert status == 200
    for words in (
        "14 h left", "not enough yet", "651 users wanted", "Nothing speaks against it", "Weights over time",
        "Last decisions", "/journal/support-v8-99",
    ):  # fmt: skip
        assert words in text


async def test_latch_shows_its_evidence() -> None:
    """Who closed it, when, why, and the numbers it stood on."""
    operations = BusyOperations(ToyController(a=rollout(P.ROLLED_BACK, weight=0)))
    operations.controller.latches = (latch(evidence={"candidate_failing_users": 7}, entry="support-v8-3"),)
    async with OperatorsPort(operations) as port:
        text = (await port.get("/rollouts/support"))[1]
    assert "7 of 20 users failed" in text and "candidate failing users" in text and "/journal/support-v8-3" in text


@pytest.mark.parametrize(
    ("phase", "buttons"),
    [
        (P.PROGRESSING, {"promote", "pause", "rollback"}),
        (P.AWAITING_APPROVAL, {"approve", "pause", "rollback"}),
        (P.HOLDING, {"resume", "promote", "pause", "rollback"}),
        (P.PAUSED, {"resume", "rollback"}),
        (P.COMPLETE, {"pause", "rollback"}),
        (P.FINISHED, {"rollback"}),
        (P.ROLLED_BACK, {"resume"}),
    ],
)
async def test_buttons_that_make_sense(phase: RolloutPhase, buttons: set[str]) -> None:
    """Only what would be carried out is offered."""
    async with OperatorsPort(BusyOperations(ToyController(a=rollout(phase)))) as port:
        text = (await port.get("/rollouts/support"))[1]
    kinds = ("approve", "resume", "promote", "pause", "rollback")
    assert {kind for kind in kinds if f'data-opens="do-{kind}"' in text} == buttons


async def test_viewers_see_no_buttons() -> None:
    """Who may only look is offered nothing, and no form."""
    async with OperatorsPort(BusyOperations(), has_tokens=True) as port:
        await port.sign_in(VIEWER, "vic")
        status, text = await port.get("/rollouts/support")
    assert status == 200 and "data-opens" not in text and 'action="/rollouts' not in text


async def test_splits_have_a_page_too() -> None:
    """Arms, shares and what can be done to them; no stage is made up."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/rollouts/sales")
    assert status == 200 and "sales divides its users: old 50 %, new 30 %, newer 20 %." in text
    assert 'data-opens="do-rollback"' in text and 'value="newer"' in text and "Stages" not in text


async def test_list_of_releases() -> None:
    """Every one with its sentence; none says how to have one."""
    async with OperatorsPort(BusyOperations()) as port:
        text = (await port.get("/rollouts"))[1]
    assert "2 releases" in text and 'href="/rollouts/support-v8"' in text
    async with OperatorsPort(QuietOperations()) as port:
        assert (await port.get("/rollouts"))[0] == 503


async def test_no_such_release() -> None:
    """The page says which there are."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/rollouts/other")
    assert status == 404 and "support (support-v8)" in text
