"""Buttons: what they ask, what they send, what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.commands import Reply
from gateway.control.rollout import CommandKind, RolloutPhase
from tests.fakes.busy_operations import BusyOperations
from tests.fakes.operators_port import OPERATOR, VIEWER, OperatorsPort
from tests.processes.rollout_toys import ToyController, latch, rollout

ROLLBACK, SALES = "/rollouts/support-v8/rollback", "/rollouts/sales/resume"


async def test_form_works_alone() -> None:
    """Without scripts a button leads to a page that asks for name and reason."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get(ROLLBACK)
    assert status == 200 and f'action="{ROLLBACK}"' in text
    assert 'name="why"' in text and 'name="who"' in text and 'name="expected_version" value="7"' in text


async def test_rollback_is_done_and_told() -> None:
    """The command has name, reason, version and key; the next page says what came of it, once."""
    operations = BusyOperations()
    async with OperatorsPort(operations) as port:
        done = await port.submit(ROLLBACK, page=ROLLBACK, who="ana", why="it\r\nlies", expected_version="7", key="k1")
        assert done == (303, "/rollouts/support-v8")
        first, second = [(await port.get("/rollouts/support-v8"))[1] for _ in range(2)]
    ((release, command),) = operations.controller.commands
    assert (release, command.kind, command.who, command.why) == ("support-v8", CommandKind.ROLLBACK, "ana", "it lies")
    assert (command.expected_version, command.key) == (7, "k1")
    assert "Rolled back: at 10 % in 2 of 2 workers." in first and "2 of 2 workers" not in second


async def test_name_is_remembered() -> None:
    """Who gave a reason once finds their name in the next form, whatever letters it has."""
    async with OperatorsPort(BusyOperations()) as port:
        await port.submit(ROLLBACK, page=ROLLBACK, who="Zoë; ø=1", why="because")
        text = (await port.get(ROLLBACK))[1]
    assert 'value="Zoë; ø=1"' in text


@pytest.mark.parametrize(("who", "why", "words"), [("", "because", "who you are"), ("ana", " \t ", "Say why")])
async def test_name_and_reason_are_required(who: str, why: str, words: str) -> None:
    """Without either nothing is done; what was typed stays."""
    operations = BusyOperations()
    async with OperatorsPort(operations) as port:
        status, text = await port.submit(ROLLBACK, page=ROLLBACK, who=who, why=why)
    assert status == 400 and words in text and operations.controller.commands == []
    assert not who or f'value="{who}"' in text


async def test_a_session_has_its_name() -> None:
    """What a form says about who it is does not count for whoever signed in."""
    operations = BusyOperations()
    async with OperatorsPort(operations, has_tokens=True) as port:
        await port.sign_in(OPERATOR, "ana")
        assert 'name="who"' not in (await port.get(ROLLBACK))[1]
        assert (await port.submit(ROLLBACK, page=ROLLBACK, who="boss", why="because"))[0] == 303
    assert [command.who for _, command in operations.controller.commands] == ["ana"]


async def test_csrf_is_refused() -> None:
    """Without the session's own token nothing is done."""
    operations = BusyOperations()
    async with OperatorsPort(operations, has_tokens=True) as port:
        await port.sign_in(OPERATOR, "ana")
        assert (await port.submit(ROLLBACK, why="because"))[0] == 403
        assert (await port.submit(ROLLBACK, csrf=False, why="because"))[0] == 403
    assert operations.controller.commands == []


async def test_viewers_may_not() -> None:
    """Neither the form nor the deed."""
    operations = BusyOperations()
    async with OperatorsPort(operations, has_tokens=True) as port:
        await port.sign_in(VIEWER, "vic")
        assert (await port.get(ROLLBACK))[0] == 403
        assert (await port.submit(ROLLBACK, why="because"))[0] == 403
    assert operations.controller.commands == []


@pytest.mark.parametrize(("reply", "expected"), [(Reply.CONFLICT, 409), (Reply.REFUSED, 409), (Reply.UNKEPT, 503)])
async def test_refusal_is_shown(reply: Reply, expected: int) -> None:
    """Why not, how it stands, and the form again with the newer version and the reason that was typed."""
    operations = BusyOperations()
    operations.controller.reply = reply
    async with OperatorsPort(operations) as port:
        status, text = await port.submit(ROLLBACK, page=ROLLBACK, who="ana", why="because", expected_version="3")
    assert status == expected and "somebody changed it since" in text and "goes on by itself" in text
    assert 'name="expected_version" value="7"' in text and 'value="because"' in text


async def test_senseless_action() -> None:
    """What makes no sense now says so and offers no form."""
    async with OperatorsPort(BusyOperations()) as port:
        status, text = await port.get("/rollouts/support-v8/approve")
        assert status == 200 and "makes no sense" in text and 'name="why"' not in text
        assert (await port.get("/rollouts/support-v8/delete"))[0] == 404
        assert (await port.submit("/rollouts/support-v8/stage", page=ROLLBACK, who="ana", why="because"))[0] == 404
        assert (await port.submit("/rollouts/other/pause", page=ROLLBACK, who="ana", why="because"))[0] == 404


async def test_arm_of_a_split() -> None:
    """A split asks which arm; one that is stopped can be resumed."""
    operations = BusyOperations()
    operations.controller.latches = (latch(release="sales", arm="new"),)
    async with OperatorsPort(operations) as port:
        resume = (await port.get(SALES))[1]
        assert 'value="new"' in resume and 'value="newer"' not in resume
        assert (await port.submit(SALES, page=SALES, who="ana", why="mended", arm="new"))[0] == 303
    assert [command.arm for _, command in operations.controller.commands] == ["new"]


async def test_repeated_is_told_as_such() -> None:
    """A button pressed twice says that it was done already."""
    operations = BusyOperations(ToyController(a=replace(rollout(RolloutPhase.ROLLED_BACK), weight=0)))
    operations.controller.reply = Reply.ALREADY
    async with OperatorsPort(operations) as port:
        await port.submit(ROLLBACK, page="/config", who="ana", why="because", key="k1")
        assert "Rolled back already: at 0 % in 2 of 2 workers." in (await port.get("/rollouts/support-v8"))[1]


@pytest.mark.parametrize("cookie", ["rollback.2", "rollback.2.2.x", "delete.2.2.0", "<b>.1.1.1", "rollback.².2.0"])
async def test_made_up_cookie_tells_nothing(cookie: str) -> None:
    """Only what was said in our words and numbers is repeated."""
    async with OperatorsPort(BusyOperations()) as port:
        headers = {"Cookie": f"sluice_said={cookie}"}
        assert "workers." not in (await port.get("/rollouts/support-v8", headers=headers))[1]
