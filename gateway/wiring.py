"""
The composition root: the one file that knows every room.

It is also what child processes are started as, `python -m gateway.wiring worker …` and `… control …`,
so that neither `processes.worker` nor anything below it has to know who builds a data plane. Rooms
are imported by the function that needs them: what a worker loads is what a worker uses.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.clock import SystemClock
from gateway.processes.listen import bind_operators, bind_slots, url_of
from gateway.processes.state import Endpoints

if TYPE_CHECKING:
    from gateway.control.publish import Publisher
    from gateway.processes.control import Port, Rooms
    from gateway.processes.late_steering import LateSteering
    from gateway.processes.link import ParentLink
    from gateway.processes.metered_desk import MeteredDesk
    from gateway.processes.parent import Parent, Plan
    from gateway.processes.release_facts import CourseQuestion
    from gateway.processes.steering import Steered
    from gateway.processes.store_child import Answering
    from gateway.record.evidence_query import EvidenceQuery
    from gateway.record.experiment_query import EpochShares
    from gateway.record.ledger import OpenedStore
    from gateway.record.store.store import Store
    from gateway.settings.process import ProcessSettings


COMMAND = (sys.executable, "-m", "gateway.wiring")
"""What child processes are started as; their role follows."""

SHADOW_NICE = 10
"""Whoever serves users goes first."""


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a process's main coroutine on uvloop."""
    import asyncio

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


# The parent


def run_parent(settings: ProcessSettings, *, say: Callable[[str], None], warn: Callable[[str], None]) -> int:
    """
    Run the whole gateway until it is told to stop; give the exit code.

    Raises:
        StateError: The state directory or an address cannot be used; nothing was started.
    """
    from gateway.processes.facts import COPIES, bind_facts
    from gateway.processes.state import open_state
    from gateway.telemetry.logs import open_logs

    with ExitStack() as stack:
        stack.callback(open_logs(os.environ).close)
        state = open_state(settings.state)
        stack.callback(state.close)
        state.seal_key()
        facts, copies = bind_facts(settings.state), bind_facts(settings.state, COPIES)
        stack.callback(facts.close)
        stack.callback(copies.close)
        slots, operators = _bind(settings, stack)
        endpoints = Endpoints(url_of(slots[0]), url_of(operators), os.getpid())

        def note_ready() -> None:
            state.keep()
            state.write_endpoints(endpoints)
            say(f"ready on {endpoints.public} (operators: {endpoints.operators})")

        refusal: list[str] = []
        plan = plan_of(settings, os.environ, public=endpoints.public)
        sockets = Sockets(slots, operators, facts.sock, copies.sock)
        exit_code = run_loop(_serve_parent(plan, sockets, note_ready, refusal))
    for line in refusal:
        warn(line)
    return exit_code


def _bind(settings: ProcessSettings, stack: ExitStack) -> tuple[list[socket.socket], socket.socket]:
    slots = bind_slots(settings.host, settings.port, settings.workers)
    for sock in slots:
        stack.callback(sock.close)
    operators = bind_operators(settings.admin_host, settings.admin_port)
    stack.callback(operators.close)
    return slots, operators


class Sockets(NamedTuple):
    """What the parent holds open for its children: where apps, operators, facts and copies come in."""

    slots: list[socket.socket]
    operators: socket.socket
    facts: socket.socket
    copies: socket.socket


async def _serve_parent(plan: Plan, sockets: Sockets, on_ready: Callable[[], None], refusal: list[str]) -> int:
    import asyncio

    from gateway.processes.parent import Parent

    parent = Parent(
        plan,
        slots=sockets.slots,
        operators=sockets.operators,
        facts=sockets.facts,
        copies=sockets.copies,
        clock=SystemClock(),
        on_ready=on_ready,
    )
    loop = asyncio.get_running_loop()
    for number, react in _reactions_of(parent).items():
        loop.add_signal_handler(number, react)
    exit_code = await parent.serve()
    refusal.extend(parent.refusal)
    return exit_code


def _reactions_of(parent: Parent) -> dict[signal.Signals, Callable[[], None]]:
    return {
        signal.SIGTERM: parent.stop,
        signal.SIGINT: parent.stop,
        signal.SIGHUP: parent.reload,
        signal.SIGUSR2: parent.restart,
    }


def plan_of(settings: ProcessSettings, environ: Mapping[str, str], *, public: str = "") -> Plan:
    """Give what the parent is to run; `public` is where apps, and our own judge, reach it."""
    from gateway.control.files import LATCHES
    from gateway.processes.parent import Plan

    command = COMMAND
    drain, state = str(settings.drain_timeout_s), str(settings.state)
    # In the environment, not on the command line: `ps` shows command lines to everybody.
    # A store's address may hold a password.
    token, viewers = (
        secret.get_secret_value() if secret is not None else ""
        for secret in (settings.admin_token, settings.viewer_token)
    )
    return Plan(
        worker_argv=(*command, "worker", "--drain-timeout", drain, "--state", state),
        control_argv=(*command, "control", "--config", str(settings.config), "--state", state),
        shadow_argv=(*command, "shadow", "--public", public, "--state", state),
        # Looking for plug-ins reads the metadata of every package there is.
        environ={
            **environ,
            "SLUICE_ADMIN_TOKEN": token,
            "SLUICE_VIEWER_TOKEN": viewers,
            "SLUICE_STORE": settings.store or "",
            "SLUICE_EVENTS": settings.events,
            "SLUICE_DEV": "1" if settings.dev else "",
            "PYDANTIC_DISABLE_PLUGINS": "true",
        },
        linger_s=settings.linger_s,
        drain_timeout_s=settings.drain_timeout_s,
        latches=settings.state / LATCHES,
        at_once=max(1, (os.cpu_count() or 2) - 1),
    )


# A worker


def run_worker(options: argparse.Namespace) -> int:
    """Run one worker on the descriptors it inherited."""
    from gateway.processes.facts import COPIES, connector
    from gateway.processes.worker import serve_worker
    from gateway.proxy.server import DataPlane
    from gateway.record.channel import Channel
    from gateway.record.copies import CopyChannel
    from gateway.record.sampling import open_sampler

    async def serve() -> int:
        boot = int.from_bytes(os.urandom(8)) >> 1
        channel = Channel(connector(options.state), worker=options.slot, boot=boot)
        plane = DataPlane(
            clock=SystemClock(),
            observer=channel,
            give_feedback=channel.give_feedback,
            note_sample=channel.note_sample,
            copies=CopyChannel(connector(options.state, COPIES), worker=options.slot, boot=boot),
            worker_id=options.slot,
            sampler=open_sampler(os.environ),
        )
        return await serve_worker(
            plane,
            facts=channel,
            sock=socket.socket(fileno=options.listen_fd),
            line_sock=socket.socket(fileno=options.line_fd),
            drain_timeout_s=options.drain_timeout,
        )

    settle_memory()
    return run_loop(serve())


def settle_memory() -> None:
    """
    Leave what was imported out of every collection, and collect rarely.

    A request's own values die by reference count; with the defaults the collector walks the whole
    program for them every few hundred requests, 4 % of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


# The control process


def run_control(options: argparse.Namespace) -> int:
    """Run the control process on the descriptors it inherited."""
    from gateway.processes.control import serve_control

    gc.set_threshold(20_000, 20, 50)
    return run_loop(
        serve_control(
            sock=socket.socket(fileno=options.listen_fd),
            line_sock=socket.socket(fileno=options.line_fd),
            facts_sock=socket.socket(fileno=options.facts_fd) if options.facts_fd is not None else None,
            clock=SystemClock(),
            build=lambda link: build_control(link, options.config, options.state),
        )
    )


def build_control(link: ParentLink, config: Path, state: Path) -> Rooms:
    """Give the rooms of the control process."""
    from gateway.control.publish import Publisher
    from gateway.processes.control import Rooms
    from gateway.processes.file_compiler import FileCompiler
    from gateway.processes.late_steering import LateSteering
    from gateway.processes.state import read_seal_key
    from gateway.settings.reload import FileWatch

    # The first table of all must not wait for the price list; a later life's would have no prices until then.
    allows_edits = os.environ.get("SLUICE_DEV") == "1"
    compiler = FileCompiler(
        config,
        state,
        read_seal_key(state),
        environ=os.environ,
        defers_prices=not link.last_version,
        allows_edits=allows_edits,
        serving=lambda: publisher.table,
    )
    publisher = Publisher(
        compiler,
        publish=link.publish,
        clock=SystemClock(),
        path=config,
        last_version=link.last_version,
        table=link.last_table,
    )

    steering = LateSteering(lambda: steer(publisher, state, config, allows_edits=allows_edits), state=state)
    publisher.steer(steering)

    @cache
    def desk() -> MeteredDesk:
        return open_desk(publisher, link, state, steering.open())

    async def catch_up() -> None:
        import asyncio

        if await asyncio.to_thread(compiler.load_prices):
            await publisher.reload("prices")

    return Rooms(
        publisher,
        lambda: open_port(publisher, link, config, state, steering, desk),
        FileWatch([config]),
        desk,
        catch_up,
        begin_steering=lambda: steering.begin(publisher.restand),
        steer=steering.keep,
        end_steering=steering.close,
    )


def open_port(
    publisher: Publisher,
    link: ParentLink,
    config: Path,
    state: Path,
    steering: LateSteering,
    desk: Callable[[], MeteredDesk],
) -> Port:
    """Give the operators' server; not before the first table is out: workers wait for that, nobody yet for this."""
    from gateway.admin.server import AdminServer
    from gateway.admin.sessions import Sessions
    from gateway.assign.explain import explain_assignment
    from gateway.processes.file_compiler import validate_text
    from gateway.processes.live_desk import LiveDesk, marks_of
    from gateway.processes.operations import ControlOperations
    from gateway.processes.report_desk import ReportDesk, obstacle_of
    from gateway.processes.rollout_operations import RolloutDesk
    from gateway.processes.session_file import SESSIONS, SessionFile
    from gateway.processes.steering import ServedTable
    from gateway.proxy.ofrep import answer_from_table

    steered, metered = steering.open(), desk()
    rollouts = RolloutDesk(
        steered.controller,
        steered.keeper,
        served=ServedTable(publisher, link),
        exposed=metered.exposed,
        left_out=steered.left_out,
    )
    operations = ControlOperations(
        publisher=publisher,
        link=link,
        path=config,
        explain=explain_assignment,
        validate=lambda text: validate_text(text, config, os.environ),
        evaluate_flags=answer_from_table,
        facts=metered.desk.render,
        metrics=metered.meters.render,
        steering=rollouts,
        live=LiveDesk(
            metered.recent,
            metered.tail,
            table=lambda: publisher.table,
            rollouts=rollouts.rollouts,
            marks=lambda: marks_of(steered.controller),
            fleet=lambda: link.fleet,
        ),
        reports=ReportDesk(
            (*COMMAND, "report", "--state", str(state)),
            os.environ,
            obstacle=lambda kind, name: obstacle_of(kind, name, publisher.table, steered.controller),
            is_store_away=lambda: metered.desk.ledger.is_store_away,
            clock=SystemClock(),
        ),
    )
    token, viewers = (os.environ.get(f"SLUICE_{whose}_TOKEN", "").strip() or None for whose in ("ADMIN", "VIEWER"))
    sessions = Sessions(SystemClock(), [one for one in (token, viewers) if one], SessionFile(state / SESSIONS))
    return AdminServer(operations, token=token, viewer_token=viewers, sessions=sessions)


def steer(publisher: Publisher, state: Path, config: Path, *, allows_edits: bool) -> Steered:
    """
    Give what watches over rollouts.

    Raises:
        StateError: What was decided before cannot be read.
    """
    from gateway.control.accepted import Accepted, ContentFile
    from gateway.control.alerts import Alerts
    from gateway.control.controller import Controller
    from gateway.control.files import CONTENTS
    from gateway.control.keep import StateKeeper
    from gateway.gates.course import Turn
    from gateway.gates.evidence import Evidence
    from gateway.processes.release_facts import EVIDENCE_WITHIN_S, TURN_WITHIN_S, ReleaseFacts, StoreChild
    from gateway.processes.rollout_meters import RolloutMeter
    from gateway.processes.steering import ArmNow, OpenedOnce, Steered, Steering
    from gateway.record.sighted import Sighted

    clock = SystemClock()
    sighted = Sighted(arm_of=ArmNow(publisher))
    readers = ("--state", str(state))
    evidence: StoreChild[EvidenceQuery, Evidence]
    evidence = StoreChild((*COMMAND, "evidence", *readers), os.environ, Evidence, within_s=EVIDENCE_WITHIN_S)
    turn: StoreChild[CourseQuestion, Turn]
    turn = StoreChild((*COMMAND, "turn", *readers), os.environ, Turn, within_s=TURN_WITHIN_S)
    source = ReleaseFacts(
        sighted,
        weights_of=lambda release, epoch: steering.weights_of(release, epoch),
        ask=evidence.ask,
        ask_turn=turn.ask,
        clock=clock,
        is_compared=lambda *about: steering.is_compared(*about),
    )
    keeper = StateKeeper(state)
    post = OpenedOnce()
    meter = RolloutMeter()
    alerts = Alerts(post=post, listeners=[meter.note])
    controller = Controller(
        source=source,
        keeper=keeper,
        publish=publisher,
        clock=clock,
        alert=alerts.note,
        accepted=Accepted(ContentFile(state / CONTENTS)),
    )
    steering = Steering(controller, sighted, config=str(config), allows_edits=allows_edits, alerts=alerts)
    return Steered(controller, steering, keeper, sighted, alerts, post, meter, lambda: source.left_out)


def open_desk(publisher: Publisher, link: ParentLink, state: Path, steered: Steered) -> MeteredDesk:
    """Give where facts go, and what counts them; neither is at work yet."""
    from gateway.control.epochs import EpochNotes
    from gateway.processes.metered_desk import MeteredDesk
    from gateway.processes.meters import Meters
    from gateway.processes.tail import Tail
    from gateway.record.batch import StoreError
    from gateway.record.desk import FactDesk
    from gateway.record.redaction import RouteRedaction
    from gateway.telemetry.recent import RecentTraffic

    async def open_store() -> OpenedStore:
        import asyncio

        url = os.environ.get("SLUICE_STORE") or None
        store = await asyncio.to_thread(make_store, url, state)
        store.set_redaction(redaction.redact)
        await store.open()
        file = store.location.path
        if file is not None:
            meters.watch_file(file)
        desk.samples.use(store, None if file is None else file.parent)
        desk.pairs.use(store)
        opened.append(store)
        return meters.measured(store)

    async def exposed(release: str) -> dict[tuple[int, str], int]:
        counts = await opened[-1].reader.count_exposures(release)
        return {(key.epoch, key.arm): n for key, n in counts.items()}

    opened: list[Store] = []

    tail = Tail(SystemClock())
    meters = Meters(publisher, link, environ=os.environ, clock=SystemClock(), taps=[steered.sighted, tail])
    meters.accumulator.ask(steered.observe)
    redaction = RouteRedaction(lambda: publisher.table)
    desk = FactDesk(
        open_store, state / "facts.spool", clock=SystemClock(), folder=meters.fold, on_shadowed=meters.note_shadowed
    )
    meters.watch_books(desk.account)

    async def keep_epochs(epochs: Sequence[EpochShares]) -> None:
        if not opened:
            msg = "the store is not open yet"
            raise StoreError(msg)
        await opened[-1].keep_epochs(epochs)

    notes = EpochNotes(
        table=lambda: (publisher.table, publisher.published_unix_ms),
        contents=lambda: {name: plan.content for name, plan in steered.controller.splits.items()},
        keep=keep_epochs,
    )
    recent = RecentTraffic(meters.accumulator, SystemClock())
    return MeteredDesk(desk, meters, exposed, notes, recent=recent, tail=tail)


def make_store(url: str | None, state: Path) -> Store:
    """
    Give the store, not opened yet; in a thread, for SQLAlchemy takes a while to import.

    Raises:
        StateError: The URL is of no store.
    """
    from gateway.record.store.engine import location_of
    from gateway.record.store.store import Store

    return Store(location_of(url, state), clock=SystemClock())


# The shadow process


def run_shadow(options: argparse.Namespace) -> int:
    """Answer copies on the descriptors it inherited; whoever serves users goes first."""
    from gateway.processes.facts import connector
    from gateway.processes.shadow import serve_shadow
    from gateway.processes.shadow_rooms import LaneRooms
    from gateway.processes.store_child import read_unjudged
    from gateway.record.channel import Channel
    from gateway.record.frames import SHADOW_SLOT
    from gateway.shadow.budget import BudgetLedger
    from gateway.shadow.judging import JudgeDesk
    from gateway.shadow.lane import Lane

    async def serve() -> int:
        clock, boot = SystemClock(), int.from_bytes(os.urandom(8)) >> 1
        store = os.environ.get("SLUICE_STORE")
        channel = Channel(connector(options.state), worker=SHADOW_SLOT, boot=boot, clock=clock)
        ledger = BudgetLedger(options.state / "shadow.json", clock=clock)
        judge = JudgeDesk(options.public, clock=clock, ledger=ledger, note_judged=channel.note_judged)
        lane = Lane(
            clock=clock, ledger=ledger, note_pair=channel.note_pair, note_results=channel.note_shadowed, judge=judge
        )
        rooms = LaneRooms(
            channel=channel, lane=lane, judge=judge, read_unjudged=lambda: read_unjudged(store, options.state, clock)
        )
        return await serve_shadow(
            rooms, sock=socket.socket(fileno=options.listen_fd), line_sock=socket.socket(fileno=options.line_fd)
        )

    os.nice(SHADOW_NICE)
    if hasattr(os, "SCHED_IDLE"):
        # It runs where nobody else wants to: a worker that wakes up takes its core at once, and counts such a core as
        # free when it looks for one. On a machine without a spare moment copies time out, which is counted.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    return run_loop(serve())


# Children that read the store


def run_evidence(options: argparse.Namespace) -> int:
    """Tell what a rollout's gates look at."""
    from gateway.processes.store_questions import answer_evidence

    return run_question(options, answer_evidence)


def run_turn(options: argparse.Namespace) -> int:
    """Tell what follows from the users of an experiment that divides its own traffic."""
    from gateway.processes.store_questions import answer_turn

    return run_question(options, answer_turn)


def run_question(options: argparse.Namespace, answering: Answering) -> int:
    """Read a question from the input, write what the store says to the output, both as JSON."""
    from gateway.processes.store_child import GIVES_WAY, answer_question, open_store_reader

    async def answer() -> int:
        reader = open_store_reader(os.environ.get("SLUICE_STORE"), options.state)
        return await answer_question(reader, answering, sys.stdin.buffer, sys.stdout.buffer)

    os.nice(GIVES_WAY)
    return run_loop(answer())


def run_report(options: argparse.Namespace) -> int:
    """Become `sluice report`: what the operators' port gives is what the command prints."""
    from gateway.processes.store_child import become, report_argv

    return become(report_argv(options.kind, options.name, options.format, options.state))


# What child processes are started as


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway.wiring", description="started by `sluice serve`, not by people")
    roles = parser.add_subparsers(dest="role", required=True)
    worker, control, shadow = (roles.add_parser(name) for name in ("worker", "control", "shadow"))
    for role in (worker, control, shadow):
        role.add_argument("--listen-fd", type=int, required=True)
        role.add_argument("--line-fd", type=int, required=True)
        role.add_argument("--state", type=Path, required=True)
    worker.add_argument("--slot", type=int, required=True)
    worker.add_argument("--drain-timeout", type=float, required=True)
    control.add_argument("--config", type=Path, required=True)
    control.add_argument("--facts-fd", type=int)
    shadow.add_argument("--public", required=True)
    for name in ("evidence", "turn"):
        roles.add_parser(name).add_argument("--state", type=Path, required=True)
    report = roles.add_parser("report")
    report.add_argument("--state", type=Path, required=True)
    for name in ("--kind", "--name", "--format"):
        report.add_argument(name, required=True)
    return parser


def main(argv: list[str]) -> int:
    """Run a child process's role; give its exit code."""
    from gateway.processes.orphan import die_with_parent
    from gateway.telemetry.logs import open_logs

    die_with_parent()
    logs = open_logs(os.environ)
    options = _parser().parse_args(argv)
    try:
        run = {"worker": run_worker, "control": run_control, "shadow": run_shadow}
        run |= {"evidence": run_evidence, "turn": run_turn, "report": run_report}
        return run[options.role](options)
    finally:
        logs.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
