"""Tasks live as long as their owner, and none fails unheard."""

import asyncio
import gc

import pytest

from gateway.tasks import TaskGroup


async def test_task_runs_and_leaves() -> None:
    """A task's value comes back, and afterwards the group is empty."""
    group = TaskGroup()
    assert await group.spawn(asyncio.sleep(0, "done")) == "done"
    await asyncio.sleep(0)
    assert len(group) == 0


async def test_group_holds_tasks() -> None:
    """A task nobody else refers to survives the garbage collector."""
    group = TaskGroup()
    ended = asyncio.Event()

    async def end() -> None:
        await asyncio.sleep(0.01)
        ended.set()

    group.spawn(end())
    gc.collect()
    await asyncio.wait_for(ended.wait(), 5)


async def test_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A task that fails says so in the log, with its traceback, and the others go on."""
    group = TaskGroup()

    async def fail() -> None:
        msg = "broken"
        raise RuntimeError(msg)

    other = group.spawn(asyncio.sleep(30))
    group.spawn(fail())
    await asyncio.sleep(0.01)
    assert [(record.levelname, record.message) for record in caplog.records] == [("ERROR", "background task failed")]
    assert "RuntimeError: broken" in caplog.text
    assert not other.done()
    await group.close()


async def test_close_waits(caplog: pytest.LogCaptureFixture) -> None:
    """Closing cancels what runs and waits until it has tidied up; that is no failure."""
    group = TaskGroup()
    tidied = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            tidied.append(True)

    task = group.spawn(tidy())
    await asyncio.sleep(0)
    await group.close()
    assert (task.cancelled(), tidied, caplog.records) == (True, [True], [])


async def test_close_of_nothing() -> None:
    """Closing an empty group, or one twice, is nothing."""
    group = TaskGroup()
    await group.close()
    await group.close()
    assert len(group) == 0
