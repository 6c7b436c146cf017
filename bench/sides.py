"""The two sides of a comparison: nginx and the gateway, in front of one provider, taking turns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import uvloop

from bench.children import python_child
from bench.nginx import nginx_provider, nginx_proxy
from bench.shape import Address
from bench.sluice import sluice

Reading = TypeVar("Reading")

NGINX, SLUICE, DIRECT = "nginx", "sluice", "direct"


class Side(Protocol):
    """Something between client and provider."""

    @property
    def pid(self) -> int:
        """Give the process whose family is all of it."""
        ...

    @property
    def address(self) -> Address:
        """Give where clients connect."""
        ...


class Bench:
    """
    One run: where it keeps its files, how it tells what it is doing, and what it has started.

    Attributes:
        folder: Gone when the run is over.
        say: Takes one line about progress.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], stack: ExitStack) -> None:
        self.folder = folder
        self.say = say
        self._stack = stack
        self._unary: tuple[Address, dict[str, Side]] | None = None

    def unary_sides(self) -> tuple[Address, dict[str, Side]]:
        """Give a provider of unary answers and both sides in front of it; started once, kept to the end."""
        if self._unary is None:
            provider = self._stack.enter_context(nginx_provider(self.new_folder("provider"))).address
            self._unary = provider, self._stack.enter_context(self.sides(provider))
        return self._unary

    def new_folder(self, name: str) -> Path:
        """Give the path of a folder that does not exist yet."""
        return next(path for number in count() if not (path := self.folder / f"{name}-{number}").exists())

    @contextmanager
    def paced_provider(self, *, n_tokens: int, gap_ms: float) -> Iterator[Address]:
        """Run a provider that streams at a set pace."""
        flags = ["--chunks", str(n_tokens), "--gap-ms", str(gap_ms)]
        with python_child("bench.provider", *flags, log=self.folder / "provider.log") as (_, port):
            yield Address("127.0.0.1", port)

    @contextmanager
    def sides(self, provider: Address) -> Iterator[dict[str, Side]]:
        """Run nginx and the gateway in front of `provider`."""
        with ExitStack() as stack:
            reference = stack.enter_context(nginx_proxy(self.new_folder("nginx"), provider))
            ours = stack.enter_context(sluice(self.new_folder("sluice"), provider))
            yield {NGINX: reference, SLUICE: ours}


def run_loop(main: Coroutine[Any, Any, Reading]) -> Reading:
    """Run a coroutine on uvloop, as the gateway does."""
    return uvloop.run(main)
