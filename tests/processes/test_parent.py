"""The parent with real children around a toy data plane: who is replaced, who is told, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from gateway.clock import SystemClock
from gateway.processes.facts import COPIES, bind_facts
from gateway.processes.latches import identity_of, read_held
from gateway.processes.listen import bind_operators, bind_slots
from gateway.processes.parent import Parent, Plan
from gateway.processes.state import write_whole

SCRIPT = str(Path(__file__).with_name("child_script.py"))


@dataclass
class Running:
    """A parent with two workers that serve, and what a test needs to poke it."""

    parent: Parent
    port: int
    operators_port: int
    config: Path
    serving: asyncio.Task[int]
    latches: Path

    async def ask(self, path: str = "/") -> tuple[int, int]:
        """Give pid and table version of whoever answers."""
        pid, version = (await fetch(self.port, path)).split()
        return int(pid), int(version)

    async def pids(self) -> set[int]:
        """Give the pids of all workers that answer: connections are spread by the kernel."""
        answers = await asyncio.gather(*(self.ask() for _ in range(30)))
        return {pid for pid, _ in answers}

    async def held(self) -> set[str]:
        """Give what the workers hold, over all that answer."""
        answers = await asyncio.gather(*(fetch(self.port, "/held") for _ in range(20)))
        return {answer.split()[1] for answer in answers}

    async def shadow(self) -> tuple[int, int]:
        """Give pid and table version of the shadow process, once one answers."""
        reader, writer = await asyncio.open_unix_connection(self.config.with_name(COPIES))
        pid, version = (await asyncio.wait_for(reader.read(), 10)).split()
        writer.close()
        return int(pid), int(version)

    async def control_pid(self) -> int:
        return int(await fetch(self.operators_port, "/"))


async def fetch(port: int, path: str) -> str:
    """Give the body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2].decode()


async def until(is_so: Callable[[], object], timeout_s: float = 8.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)


async def eventually(ask: Callable[[], Awaitable[bool]], timeout_s: float = 8.0) -> None:
    """Await `ask()` again and again until it gives something true."""
    async with asyncio.timeout(timeout_s):
        while not await ask():  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Say whether a process has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def plan_for(config: Path, *, at_once: int = 64, **changes: float) -> Plan:
    """Give a plan of quick toys."""
    worker, control = (sys.executable, SCRIPT, "worker"), (sys.executable, SCRIPT, "control", "--config", str(config))
    times = {"linger_s": 0.1, "drain_timeout_s": 2.0, "ready_timeout_s": 8.0, **changes}
    shadow = (sys.executable, SCRIPT, "shadow")
    environ, latches = dict(os.environ), config.with_name("latches.json")
    return Plan(worker, control, environ, latches=latches, shadow_argv=shadow, at_once=at_once, **times)


def build(
    config: Path, on_ready: Callable[[], None], *, at_once: int = 64, **changes: float
) -> tuple[Parent, list[socket.socket]]:
    """Give a parent, and the sockets to close."""
    slots, operators = bind_slots("127.0.0.1", 0, 2), bind_operators("127.0.0.1", 0)
    plan, copies = plan_for(config, at_once=at_once, **changes), bind_facts(config.parent, COPIES).sock
    parent = Parent(plan, slots=slots, operators=operators, clock=SystemClock(), on_ready=on_ready, copies=copies)
    return parent, [*slots, operators, copies]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a file that is a configuration to the toys."""
    file = tmp_path / "number"
    file.write_text("7")
    return file


@pytest.fixture
def broken(config: Path) -> Path:
    """Give a file that is none."""
    config.write_text("broken")
    return config


@pytest.fixture
async def running(config: Path, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """Give a parent whose workers serve."""
    ready = asyncio.Event()
    parent, sockets = build(config, ready.set, **getattr(request, "param", {}))
    ports = [sock.getsockname()[1] for sock in sockets[:-1]]
    serving = asyncio.ensure_future(parent.serve())
    await asyncio.wait_for(ready.wait(), 20)
    yield Running(parent, ports[0], ports[-1], config, serving, config.with_name("latches.json"))
    parent.stop()
    await asyncio.wait_for(serving, 10)
    for sock in sockets:
        sock.close()


async def test_every_slot_serves(running: Running) -> None:
    """Both workers answer on the one port, with the first table."""
    await eventually(lambda: _has_two(running))
    assert (await running.ask())[1] == 1


async def test_workers_come_up_one_after_the_other(config: Path) -> None:
    """With one at a time the second is born once the first is up; all serve in the end."""
    ready = asyncio.Event()
    parent, sockets = build(config, ready.set, at_once=1)
    serving = asyncio.ensure_future(parent.serve())
    await asyncio.wait_for(ready.wait(), 20)
    answers = await asyncio.gather(*(fetch(sockets[0].getsockname()[1], "/") for _ in range(30)))
    first, second = sorted(_born_s(int(answer.split()[0])) for answer in set(answers))
    parent.stop()
    assert await asyncio.wait_for(serving, 10) == 0
    for sock in sockets:
        sock.close()
    assert second - first >= 0.05


def _born_s(pid: int) -> float:
    """Give when a process was started, in seconds since the machine was."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _has_two(running: Running) -> bool:
    return len(await running.pids()) == 2


async def test_killed_worker_replaced(running: Running) -> None:
    """A worker that is killed is replaced on its socket, and nobody is refused meanwhile."""
    victim, _ = await running.ask()
    os.kill(victim, signal.SIGKILL)
    pids = await running.pids()
    assert len(pids) == 2 and victim not in pids


async def test_killed_control_replaced(running: Running) -> None:
    """Control comes back on the same port; the workers are the ones from before."""
    workers, victim = await running.pids(), await running.control_pid()
    os.kill(victim, signal.SIGKILL)
    assert await running.control_pid() != victim
    assert await running.pids() <= workers | await running.pids()
    await eventually(lambda: _has_version(running, 2))


async def _has_version(running: Running, version: int) -> bool:
    return (await running.ask())[1] == version


async def test_newborn_without_control(running: Running) -> None:
    """A worker born while control is stopped gets the last table."""
    control, (victim, _) = await running.control_pid(), await running.ask()
    os.kill(control, signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    answers = [await running.ask() for _ in range(20)]
    os.kill(control, signal.SIGCONT)
    assert {version for _, version in answers} == {1}
    assert victim not in {pid for pid, _ in answers}


def close_latch(file: Path, release: str) -> None:
    """Write a latch file as `sluice rollback` would."""
    write_whole(file, msgspec.json.encode([{"release": release, "arm": ""}]))


async def test_shadow_process_on_demand(running: Running) -> None:
    """There is a shadow process while something is copied and no longer; it comes back when it dies."""
    assert running.parent.shadow_pid == 0
    running.config.write_text("2000")
    running.parent.reload()
    victim, version = await running.shadow()
    assert (running.parent.shadow_pid, version) == (victim, 2)
    os.kill(victim, signal.SIGKILL)
    successor, _ = await running.shadow()
    assert successor != victim and await running.pids() == await running.pids()
    running.config.write_text("7")
    running.parent.reload()
    await until(lambda: running.parent.shadow_pid == 0 and is_gone(successor))


async def test_latch_without_control(running: Running) -> None:
    """With control stopped, what is latched reaches every worker within a second, and its successor at birth."""
    control, (victim, _) = await running.control_pid(), await running.ask()
    os.kill(control, signal.SIGSTOP)
    close_latch(running.latches, "support-v8")
    await eventually(lambda: _holds(running, "support-v8"), timeout_s=1.0)
    os.kill(victim, signal.SIGKILL)
    await eventually(lambda: _has_two(running))
    assert await running.held() == {"support-v8"}
    os.kill(control, signal.SIGCONT)


async def _holds(running: Running, what: str) -> bool:
    return await running.held() == {what}


async def test_latches_outlive_a_restart(running: Running) -> None:
    """Workers of a rolling restart hold what their predecessors held."""
    close_latch(running.latches, "support-v8")
    before = await running.pids()
    running.parent.restart()
    async with asyncio.timeout(15):
        while before & await running.pids():
            assert await running.held() <= {"support-v8", "nothing"}
    assert await running.held() == {"support-v8"}


async def test_unreadable_latches_close_all(running: Running) -> None:
    """A latch file that cannot be read closes everything, and an opened one lets go again."""
    running.latches.write_text("{")
    await eventually(lambda: _holds(running, "everything"), timeout_s=1.5)
    write_whole(running.latches, b"[]")
    await eventually(lambda: _holds(running, "nothing"), timeout_s=1.5)


async def test_says_who_holds(running: Running) -> None:
    """The state directory tells how many workers hold the file that is there now; nothing once we ended."""
    close_latch(running.latches, "support-v8")
    wanted = identity_of(running.latches)
    await until(lambda: (r := read_held(running.latches.parent)) and (r.identity, r.held) == (wanted, 2))
    running.parent.stop()
    await asyncio.wait_for(running.serving, 8)
    assert read_held(running.latches.parent) is None


@pytest.fixture
def latched(config: Path) -> Path:
    """Give a configuration with a latch beside it from before."""
    close_latch(config.with_name("latches.json"), "support-v8")
    return config


async def test_latched_from_birth(latched: Path, running: Running) -> None:
    """What was latched before we were started is held from the first answer on."""
    assert latched == running.config
    assert await running.held() == {"support-v8"}


async def test_reload_reaches_workers(running: Running) -> None:
    """SIGHUP's reload publishes the next version to everybody."""
    running.config.write_text("8")
    running.parent.reload()
    await eventually(lambda: _has_version(running, 2))


async def test_bad_file_changes_nothing(running: Running) -> None:
    """A broken file leaves the table in use, also when control restarts on it."""
    running.config.write_text("broken")
    running.parent.reload()
    os.kill(await running.control_pid(), signal.SIGKILL)
    assert await running.control_pid()
    assert (await running.ask())[1] == 1


async def test_restart_replaces_all(running: Running) -> None:
    """After a rolling restart every worker is new, and no request failed meanwhile."""
    before = await running.pids()
    running.parent.restart()
    async with asyncio.timeout(15):
        while before & (seen := await running.pids()):
            assert seen
    assert len(seen) <= 2


async def test_drain_ends_all(running: Running) -> None:
    """Told to stop, it ends with 0 and leaves no process."""
    pids = {*await running.pids(), await running.control_pid()}
    running.parent.stop()
    assert await asyncio.wait_for(running.serving, 8) == 0
    assert all(is_gone(pid) for pid in pids)


async def test_second_stop_is_at_once(running: Running) -> None:
    """Told twice, it ends with 1 and leaves no process."""
    running.parent.stop()
    running.parent.stop()
    assert await asyncio.wait_for(running.serving, 3) == 1


@pytest.mark.parametrize("running", [{"silence_s": 2.5}], indirect=True)
async def test_hung_worker_killed(running: Running) -> None:
    """A worker whose loop stands still is killed and replaced."""
    victim, _ = await running.ask()
    os.kill(victim, signal.SIGSTOP)
    await until(lambda: is_gone(victim))
    await eventually(lambda: _has_two(running))


async def test_refused_start(broken: Path) -> None:
    """A file that cannot be used at the start ends it with 2 and its findings."""
    parent, sockets = build(broken, lambda: None)
    assert await asyncio.wait_for(parent.serve(), 10) == 2
    assert parent.refusal == [f"{broken}:1:1: not a number; write one"]
    for sock in sockets:
        sock.close()


async def test_slow_start_given_up(config: Path) -> None:
    """What is not ready in time is ended, with 1."""
    parent, sockets = build(config, lambda: None, start_timeout_s=0.0)
    assert await asyncio.wait_for(parent.serve(), 10) == 1
    for sock in sockets:
        sock.close()
