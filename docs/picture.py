"""
Draw the figures of docs/architecture.md from the code: `make picture`.

A figure stands between `<!-- figure NAME -->` and `<!-- end -->`, and everything between is replaced.
With --check nothing is written, and the exit code is 1 when a figure is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import grimp

from gateway.control import moves
from gateway.proxy.upstream import ejection

DOCUMENT = Path(__file__).with_name("architecture.md")
GROUND_FLOOR = ("domain", "errors", "clock", "tasks")
"""Everybody stands on these: their arrows would hide all others."""

_FIGURE = re.compile(r"(<!-- figure (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Redraw, or with --check only compare; give the exit code."""
    written = DOCUMENT.read_text(encoding="utf-8")
    drawn = redrawn(written)
    if drawn == written:
        return 0
    if "--check" in arguments:
        print(f"{DOCUMENT.name} shows an older house: run make picture")
        return 1
    DOCUMENT.write_text(drawn, encoding="utf-8")
    print(f"{DOCUMENT.name} redrawn")
    return 0


def redrawn(document: str) -> str:
    """Give the document with every figure drawn anew; raises KeyError for a figure nobody draws."""
    return _FIGURE.sub(lambda found: found[1] + FIGURES[found[2]]() + found[3], document)


def render_rooms() -> str:
    """Draw each room and which rooms it imports, as a Mermaid flowchart."""
    graph = grimp.build_graph("gateway", cache_dir=None)
    rooms = sorted(room.removeprefix("gateway.") for room in graph.find_children("gateway"))
    lines = ["```mermaid", "flowchart TD"]
    for room in rooms:
        if room in GROUND_FLOOR:
            continue
        below = [other for other in rooms if other not in (*GROUND_FLOOR, room) and _imports(graph, room, other)]
        lines += [f"  {_box(room)} --> {_box(other)}" for other in below] or [f"  {_box(room)}"]
    return "\n".join([*lines, "```", ""])


def render_states(transitions: Mapping[Any, Enum]) -> str:
    """Draw a table from (state, event) to state, both enums, as a Mermaid state diagram."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), after in transitions.items():
        arrows.setdefault((str(state.value), str(after.value)), []).append(str(event.value))
    drawn = [f"  {state} --> {after}: {', '.join(events)}" for (state, after), events in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *drawn, "```", ""])


FIGURES: dict[str, Callable[[], str]] = {
    "rooms": render_rooms,
    "rollout": lambda: render_states(moves.TRANSITIONS),
    "ejection": lambda: render_states(ejection.TRANSITIONS),
}


def _box(room: str) -> str:
    # Mermaid takes some words for its own; a prefix keeps every room's name out of its grammar.
    return f"r_{room}[{room}]"


def _imports(graph: grimp.ImportGraph, room: str, other: str) -> bool:
    return graph.direct_import_exists(importer=f"gateway.{room}", imported=f"gateway.{other}", as_packages=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
