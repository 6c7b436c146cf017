"""
Every fault the simulated provider can have on demand, each describing itself.

A fault is asked for as `NAME[@PHASE][:ARG]` (`reset@mid:3`, `429:7`, `drip:10`), by the request header
`x-sim-fault`, by a model named `fault-NAME…`, by `[[fault:NAME…]]` in the system prompt, or by a
described model's `fault`. The first found in that order counts. Refused connections are missing here:
a closed port does that better.

FAULTS holds them all; `every_cell` gives each fault × mode × phase that makes sense, with the harm it
does, so that a test can go through all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.simulator import fault_bodies, fault_frames, fault_transport
from gateway.simulator.fault import Fault, Harm, Mode, Order, Phase

_STATUS_SUMMARIES = {
    400: "unsupported_parameter, naming `temperature`",
    401: "a key the provider does not know",
    403: "a country the provider does not serve",
    404: "a model the provider does not have",
    408: "the provider gave up waiting",
    409: "a conflict",
    422: "an entity it will not take",
    429: "rate limit; ARG is `retry-after` in seconds, 1",
    500: "server error",
    502: "bad gateway, as JSON",
    503: "overloaded",
    504: "gateway timeout, as JSON",
    529: "overloaded, as Anthropic says it",
}


def _status_faults() -> Iterator[Fault]:
    for status, summary in _STATUS_SUMMARIES.items():
        yield Fault(str(status), summary, fault_bodies.status_script(status), {Phase.BEFORE: Harm.STATUS})


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (*fault_transport.FAULTS, *_status_faults(), *fault_bodies.FAULTS, *fault_frames.FAULTS)
}
"""Every fault by name, in the order people should read them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One fault in one mode and phase: a row of the table a proxy is tested against.

    Attributes:
        order: `NAME@PHASE`, as a request asks for it.
        harm: What the client of the provider sees.
    """

    order: str
    fault: Fault
    mode: Mode
    phase: Phase
    harm: Harm


def parse_order(text: str) -> Order:
    """
    Give the fault that `NAME[@PHASE][:ARG]` asks for.

    Raises:
        ValueError: There is no such fault, or it has no such phase; the message lists what there is.

    >>> parse_order("reset@mid:3")
    Order(name='reset', phase=<Phase.MID: 'mid'>, argument='3')
    """
    place, _, argument = text.strip().partition(":")
    name, _, phase_name = place.partition("@")
    fault = FAULTS.get(name)
    if fault is None:
        message = f"no fault {name!r}; there are: {', '.join(FAULTS)}"
        raise ValueError(message)
    phases = {phase.value: phase for phase in fault.harms}
    phase = phases.get(phase_name) if phase_name else next(iter(fault.harms))
    if phase is None:
        message = f"fault {name!r} has no phase {phase_name!r}; it has: {', '.join(phases)}"
        raise ValueError(message)
    return Order(name, phase, argument)


def peek_order(header: str | None, model: str, system_text: str) -> str | None:
    """
    Give the order a request carries, or None.

    >>> peek_order(None, "gpt-x", "Be kind. [[fault:hang@mid]]")
    'hang@mid'
    """
    if header:
        return header
    if model.startswith("fault-"):
        return model.removeprefix("fault-")
    _, found, rest = system_text.partition("[[fault:")
    return rest.partition("]]")[0] if found else None


def every_cell() -> tuple[Cell, ...]:
    """Give every fault × mode × phase there is."""
    return tuple(
        Cell(f"{fault.name}@{phase.value}", fault, mode, phase, fault.harm(mode, phase))
        for fault in FAULTS.values()
        for mode in fault.modes
        for phase in fault.harms
    )


def render_faults() -> str:
    """Give the table `sluice provider --faults` shows."""
    lines = []
    for fault in FAULTS.values():
        modes = "both" if len(fault.modes) == len(Mode) else fault.modes[0].value
        phases = " ".join(f"@{phase.value}={harm.value}" for phase, harm in fault.harms.items())
        lines.append(f"{fault.name:<22} {modes:<7} {phases:<48} {fault.summary}")
    return "\n".join(lines)
