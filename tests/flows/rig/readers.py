"""People who keep pages open: each follows the stream and reads its page anew at every event, as browsers do."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import aiohttp
import uvloop

PAGES = ("/", "/routes/support", "/rollouts", "/journal")
READY_WITHIN_S = 30.0


@contextmanager
def readers(operators: str, n: int) -> Iterator[Connection]:
    """
    Keep so many pages open while the block lasts, in a process that gives way: browsers are other machines.

    Sending anything down the line ends them; what comes back is how often pages were read anew.
    """
    spawn = multiprocessing.get_context("spawn")
    line, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(theirs, operators, n), daemon=True)
    process.start()
    try:
        assert line.poll(READY_WITHIN_S) and line.recv() == n, "the pages do not open"
        yield line
    finally:
        process.kill()
        process.join()
        line.close()


def n_read(line: Connection) -> int:
    """End the readers; give how often they read a page anew."""
    line.send("end")
    assert line.poll(READY_WITHIN_S), "the readers do not end"
    return int(line.recv())


def _run(line: Connection, operators: str, n: int) -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_read(line, operators, n))


async def _read(line: Connection, operators: str, n: int) -> None:
    opened, ended, counted = asyncio.Semaphore(0), asyncio.Event(), [0]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_follow(http, operators, PAGES[number % len(PAGES)], opened, counted))
            for number in range(n)
        ]
        for _ in range(n):
            await opened.acquire()
        line.send(n)
        asyncio.get_running_loop().add_reader(line.fileno(), ended.set)
        await ended.wait()
        asyncio.get_running_loop().remove_reader(line.fileno())
        for task in tasks:
            task.cancel()
    line.send(counted[0])


async def _follow(
    http: aiohttp.ClientSession, operators: str, path: str, opened: asyncio.Semaphore, counted: list[int]
) -> None:
    async with http.get(operators + "/api/live") as stream:
        opened.release()
        async for text in stream.content:
            if text.startswith(b"event: "):
                async with http.get(operators + path, headers={"Accept": "text/html"}) as page:
                    assert page.status == 200, (path, page.status)
                    await page.read()
                counted[0] += 1
