"""
Configurations that tell which of them a request was answered from, and files nobody should accept.

Generation N writes N into four places of every request: prompt, model, a parameter and a header. What the
provider received must be of one generation throughout, and every answer's `x-sluice-config` must go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.simulator.journal import Received
from tests.flows.rig.load import Asked

HEAD = """version: 1
default_provider: local
providers:
  local: {{base_url: "{base_url}", auth: none, max_connections: 2000}}
identity:
  user: [header:x-user-id]
routes:
"""

ROUTE = """  {name}:
    variants:
      current:
        model: {model}-{n}
        system_prompt: {{replace: "prompt-{n}"}}
        params: {{set: {{seed: {n}}}}}
        headers: {{x-generation: "{n}"}}
      concise: {{like: current, params: {{set: {{temperature: 0.5}}}}}}
    release:
      split: {{arms: {{current: 50%, concise: 50%}}, baseline: current}}
    on_edit: allow
"""


def generation(base_url: str, number: int, *, n_routes: int = 0) -> str:
    """Give the file of a generation; `n_routes` more routes make it large."""
    routes = [("support", "fast"), ("held", "held"), *((f"route-{index}", "fast") for index in range(n_routes))]
    return HEAD.format(base_url=base_url) + "".join(
        ROUTE.format(name=name, model=model, n=number) for name, model in routes
    )


def generation_of(received: Received) -> set[int]:
    """Give every generation that a request at the provider bears; one, unless tables were mixed."""
    body: dict[str, Any] = received.json
    return {
        int(body["model"].rpartition("-")[2]),
        int(body["messages"][0]["content"].removeprefix("prompt-")),
        int(body["seed"]),
        int(received.headers["x-generation"]),
    }


@dataclass(frozen=True, slots=True)
class Served:
    """
    From which generations a load was answered.

    Attributes:
        mixed: What was wrong with requests of no clear generation, one text each.
        by_begin: (when it was sent, generation), in order.
    """

    mixed: list[str]
    by_begin: list[tuple[float, int]]

    @property
    def generations(self) -> set[int]:
        """Give all that were served."""
        return {number for _, number in self.by_begin}

    def apply_s(self, written_s: float, number: int, *, until_s: float) -> float:
        """Give how long after `written_s` a request was still sent into an older generation; 0 if none was."""
        late = [at - written_s for at, served in self.by_begin if written_s < at < until_s and served < number]
        return max(late, default=0.0)


def served(asked: Sequence[Asked], received: Sequence[Received]) -> Served:
    """Lay what clients were told beside what the provider got."""
    by_nonce: dict[str, list[Received]] = {}
    for entry in received:
        by_nonce.setdefault(orjson.loads(entry.body)["messages"][-1]["content"], []).append(entry)
    mixed: list[str] = []
    by_begin: list[tuple[float, int]] = []
    hash_of: dict[int, str] = {}
    for one in sorted(asked, key=lambda each: each.reply.begun_s):
        numbers = {number for entry in by_nonce.get(one.nonce, ()) for number in generation_of(entry)}
        told = one.reply.headers["x-sluice-config"]
        if len(numbers) != 1 or hash_of.setdefault(min(numbers), told) != told:
            mixed.append(f"{one.nonce}: provider saw {sorted(numbers)}, client was told {told}")
        else:
            by_begin.append((one.reply.begun_s, min(numbers)))
    return Served(mixed, by_begin)


Break = Callable[[str], bytes]

BROKEN: dict[str, Break] = {
    "empty": lambda _: b"",
    "spaces": lambda _: b"   \n\n",
    "half": lambda text: text[: len(text) * 3 // 5].rstrip().encode() + b"\n  x: [",
    "binary": lambda _: bytes(range(256)) * 40,
    "not-utf-8": lambda text: text.encode() + b"# \xff\xfe\n",
    "too-large": lambda text: text.encode() + b"# " + b"x" * (5 * 1024 * 1024),
    "deep": lambda text: text.encode() + b"metrics: " + b"[" * 5_000 + b"]" * 5_000,
    "deep-blocks": lambda text: text.encode() + b"metrics:\n" + b"".join(b" " * n + b" a:\n" for n in range(1, 1_000)),
    "alias-bomb": lambda text: text.encode() + b"metrics:\n" + _bomb(),
    "duplicate-key": lambda text: text.encode() + b"version: 1\n",
    "unknown-key": lambda text: text.replace("version: 1", "version: 1\nroute: {}").encode(),
    "dangling": lambda text: text.replace("like: current", "like: nobody").encode(),
    "weights": lambda text: text.replace("concise: 50%", "concise: 40%").encode(),
    "tab": lambda text: text.replace("  local:", "\tlocal:").encode(),
    "list": lambda _: b"- 1\n- 2\n",
    "text": lambda _: b"nothing to see here\n",
}
"""Ways to break a good file, by name."""


def _bomb() -> bytes:
    lines = [b"  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        inner = b", ".join([b"*a%d" % (level - 1)] * 10)
        lines.append(b"  a%d: &a%d [%b]" % (level, level, inner))
    return b"\n".join(lines) + b"\n"
