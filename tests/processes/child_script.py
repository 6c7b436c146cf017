"""
Children for the parent's tests: real worker and control processes around a toy data plane and compiler.

The toy plane answers `PID VERSION` to everything, but `PID WHAT` to /held; the toy compiler reads a number from a
file, which becomes the table's hash, and refuses what is no number. A number above 1,000 copies a route, and the toy
shadow answers `PID VERSION`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import SystemClock
from gateway.control.publish import Publisher
from gateway.domain.identity import Identity
from gateway.domain.route import Route
from gateway.domain.table import RoutingTable, TableHead
from gateway.errors import ConfigError, Finding
from gateway.processes.control import Rooms, serve_control
from gateway.processes.link import ParentLink
from gateway.processes.orphan import die_with_parent
from gateway.processes.shadow import serve_shadow
from gateway.processes.worker import serve_worker
from gateway.wiring import run_loop


class ToyPlane:
    """Answers its pid and table version, and holds nothing."""

    in_flight = 0

    def __init__(self) -> None:
        self._table: RoutingTable | None = None
        self._held = "nothing"
        self._server: asyncio.Server | None = None

    def hold(self, latched: Mapping[str, frozenset[str] | None], *, everything: bool) -> None:
        self._held = "everything" if everything else ",".join(latched) or "nothing"

    def publish(self, table: RoutingTable) -> None:
        self._table = table

    async def listen(self, sock: socket.socket) -> None:
        self._server = await asyncio.start_server(self._answer, sock=sock)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/hang" in request:
            os.kill(os.getpid(), 19)
        version = self._table.head.version if self._table is not None else 0
        said = self._held if b"/held" in request else version
        writer.write(f"HTTP/1.0 200 OK\r\n\r\n{os.getpid()} {said}".encode())
        writer.close()

    def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    def begin_drain(self) -> None:
        pass

    async def drained(self, timeout_s: float) -> bool:
        await asyncio.sleep(0.3)  # longer than any answer of the toy takes
        return True

    async def close(self) -> None:
        self.stop_listening()

    def counts(self) -> dict[str, int]:
        return {"answered": 1}


class ToyShadow:
    """Answers its pid and table version to whoever connects to the socket for copies."""

    def __init__(self) -> None:
        self._version = 0
        self._server: asyncio.Server | None = None

    async def open(self, sock: socket.socket) -> None:
        self._server = await asyncio.start_unix_server(self._answer, sock=sock)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{os.getpid()} {self._version}".encode())
        writer.close()

    def publish(self, table: RoutingTable) -> None:
        self._version = table.head.version

    def counts(self) -> dict[str, int]:
        return {"taken": self._version}

    async def close(self, timeout_s: float) -> None:
        if self._server is not None:
            self._server.close()


@dataclass
class ToyCompiled:
    """A head and no routes."""

    head: TableHead
    files: tuple[Path, ...]
    routes: tuple[Route, ...] = ()
    warnings: tuple[Finding, ...] = field(default=())
    fingerprint: str = ""
    text: str = ""


class ToyCompiler:
    """A number in a file is a configuration."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def compile(self, version: int) -> ToyCompiled:
        text = self._path.read_text().strip()
        if not text.isdigit():
            raise ConfigError([Finding(str(self._path), 1, 1, "", "not a number", "write one")])
        copied = ("route",) if int(text) > 1_000 else ()
        head = TableHead(version, text, {}, None, Identity(), bytes(32), copied=copied)
        return ToyCompiled(head, (self._path,), fingerprint=text)

    def save(self, compiled: object) -> None:
        pass


class NoWatch:
    """Sees no change."""

    def watch(self, files: tuple[Path, ...]) -> None:
        pass

    async def changes(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield None


class ToyPort:
    """Answers `PID` to everybody."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    async def open(self, sock: socket.socket) -> None:
        self._server = await asyncio.start_server(self._answer, sock=sock)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.0 200 OK\r\n\r\n{os.getpid()}".encode())
        writer.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()


def build(link: ParentLink, path: Path) -> Rooms:
    """Give the toy rooms."""
    publisher = Publisher(
        ToyCompiler(path), publish=link.publish, clock=SystemClock(), path=path, last_version=link.last_version
    )
    return Rooms(publisher, ToyPort, NoWatch())


async def serve(options: argparse.Namespace) -> int:
    """Run the role asked for."""
    sock, line_sock = socket.socket(fileno=options.listen_fd), socket.socket(fileno=options.line_fd)
    if options.role == "worker":
        return await serve_worker(ToyPlane(), sock=sock, line_sock=line_sock, drain_timeout_s=1.0)
    if options.role == "shadow":
        return await serve_shadow(ToyShadow(), sock=sock, line_sock=line_sock)
    return await serve_control(
        sock=sock, line_sock=line_sock, clock=SystemClock(), build=lambda link: build(link, options.config)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--slot", type=int)
    parser.add_argument("--listen-fd", type=int)
    parser.add_argument("--line-fd", type=int)
    die_with_parent()
    sys.exit(run_loop(serve(parser.parse_args())))
