"""
From a changed file to a published table: one compilation at a time, off the loop.

What fails to compile changes nothing that runs: the table before goes on, and the findings are kept
for whoever asks. What the compiler decided about users (the allocations) is saved before the table
that shows it to anybody is published, so that a crash between the two moves no user.

What the file says is joined with how releases stand. A new standing is published without the file: a
rollback must not wait for an edit that is half written, or for a compilation that hangs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from gateway.assign.standing import held, route_at
from gateway.clock import Clock
from gateway.domain.route import Route
from gateway.domain.standing import Standing
from gateway.domain.table import RoutingTable, TableHead, encode_blobs, encode_route
from gateway.errors import ConfigError, Finding, SluiceError

log = logging.getLogger(__name__)

COMPILE_WITHIN_S = 60.0
"""A file on a dead network mount must not hold up the next reload for ever."""


class Compiled(Protocol):
    """What a compiler gives; `settings.compile` is the real one."""

    @property
    def head(self) -> TableHead:
        """Give what is not a route."""
        ...

    @property
    def routes(self) -> Sequence[Route]:
        """Give the routes in file order."""
        ...

    @property
    def files(self) -> Iterable[Path]:
        """Give every file that was read."""
        ...

    @property
    def fingerprint(self) -> str:
        """Give what is the same as long as there is nothing to publish; unlike the hash it covers secrets."""
        ...

    @property
    def warnings(self) -> Sequence[Finding]:
        """Give what is allowed but unwise."""
        ...

    @property
    def text(self) -> str:
        """Give the file itself, for operators to hold the one on disk against."""
        ...


class Compiler(Protocol):
    """Compiles the file, and keeps what must outlive a table. Both calls block: they run in a thread."""

    def compile(self, version: int) -> Compiled:
        """Give the file as a table of this version; raises SluiceError."""
        ...

    def save(self, compiled: Compiled) -> None:
        """Write down who owns which bucket; raises SluiceError or OSError."""
        ...


class Steering(Protocol):
    """Decides how releases stand; `control.controller` is the real one."""

    def check(self, compiled: Any) -> None:
        """Raise ConfigError to refuse a file; changes nothing."""
        ...

    def admit(self, compiled: Any) -> None:
        """Take over what a new file says, before it is published; raises ConfigError to refuse it."""
        ...

    def standings(self) -> Mapping[str, Standing]:
        """Give how releases stand, by name; one that is not there is as the file says."""
        ...


class Result(StrEnum):
    """How a reload ended."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """
    One reload.

    Attributes:
        result: How it ended.
        cause: Who asked: "start", "file", "signal" or "operator".
        version: Version of the table in use afterwards; 0 for none.
        config_hash: Its hash; empty for none.
        at_unix_ms: When it ended.
        duration_ms: Compiling, saving and handing over.
        findings: Why it was refused.
        warnings: What is allowed but unwise.
    """

    result: Result
    cause: str
    version: int
    config_hash: str
    at_unix_ms: int
    duration_ms: float
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Encoded:
    route: Route
    standing: Standing | None
    joined: Route
    blob: bytes


class Publisher:
    """
    Compiles and publishes.

    Attributes:
        table: The table in use; None before the first.
        last: The last reload; None before the first.
        refused: The last reload if it was refused: what is wrong with the file now.
        files: What to watch.
        text: The file that the table in use was made of; None when that was before this process.
        tally: Reloads of this process, by result and cause.
        published_unix_ms: When the table in use was published; 0 when that was before this process.
    """

    def __init__(
        self,
        compiler: Compiler,
        *,
        publish: Callable[[int, bytes], None],
        clock: Clock,
        path: Path,
        last_version: int = 0,
        table: RoutingTable | None = None,
        steering: Steering | None = None,
    ) -> None:
        self.table = table
        self.last: PublishReport | None = None
        self.warnings: tuple[Finding, ...] = ()
        self.files: tuple[Path, ...] = (path,)
        self.text: str | None = None
        self.tally: Counter[tuple[str, str]] = Counter()
        self.published_unix_ms = 0
        self._path = path
        self._compiler = compiler
        self._publish = publish
        self._clock = clock
        self._version = last_version
        self._steering = steering
        self._fingerprint: str | None = None
        # What was published last: the head, the routes as the file says them, and how they were joined and encoded.
        self._head = None if table is None else table.head
        self._routes: tuple[Route, ...] = () if table is None else _routes_in(table)
        self._encoded: dict[str, _Encoded] = {}
        self._compiling = asyncio.Lock()
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        """Give the table in use."""
        return f"<Publisher {self.table}>"

    @property
    def refused(self) -> PublishReport | None:
        """Give the last reload if it was refused."""
        return self.last if self.last is not None and self.last.result is Result.REFUSED else None

    def steer(self, steering: Steering) -> None:
        """Join what this one decides into every table from now on."""
        self._steering = steering

    async def reload(self, cause: str) -> PublishReport:
        """Read the file again and publish what it says, if it says anything new. Raises nothing."""
        async with self._compiling:
            begun_s = self._clock.now_s()
            findings: tuple[Finding, ...] = ()
            try:
                compiled = await self._compiled()
                async with self._turn:
                    result = await self._apply(compiled)
            except ConfigError as error:
                result, findings = Result.REFUSED, tuple(error.findings)
                self.files = tuple({*self.files, *map(Path, error.files)})
            except (TimeoutError, SluiceError, OSError) as error:
                result, findings = Result.REFUSED, (self._finding(str(error) or type(error).__name__),)
            except Exception as error:  # The control process outlives a fault of the compiler; the table goes on.
                log.exception("compiling failed in a way it should not")
                result, findings = Result.REFUSED, (self._finding(f"a fault of ours: {type(error).__name__}: {error}"),)
            report = self._report(result, cause, begun_s, findings)
            self.last = report
            self.tally[str(result), cause] += 1
            _log_report(report)
            return report

    async def restand(self, standings: Mapping[str, Standing]) -> int:
        """
        Publish the table in use with these standings, without reading the file; give its version.

        Publishes nothing, and gives the version in use, where nothing changes or there is no table yet.
        """
        async with self._turn:
            if self._head is None:
                return self._version
            encoded = self._encode(self._routes, standings)
            if any(name not in self._encoded or one.blob != self._encoded[name].blob for name, one in encoded.items()):
                self._hand_over(self._head, self._routes, encoded)
            else:
                self._encoded = encoded
            return self._version

    async def _compiled(self) -> Compiled:
        work = asyncio.to_thread(self._compiler.compile, self._version + 1)
        compiled = await asyncio.wait_for(work, COMPILE_WITHIN_S)
        self.files = tuple(compiled.files)
        self.warnings = tuple(compiled.warnings)
        return compiled

    async def _apply(self, compiled: Compiled) -> Result:
        # The first table of a control process always goes out: its predecessor may have been of older code.
        if compiled.fingerprint == self._fingerprint:
            return Result.UNCHANGED
        # Saved before it is admitted: once the controller counts on the new file nothing may keep the new table back,
        # or the next standing, of a new candidate, would be joined to the old table, whose candidate may be latched.
        if self._steering is not None:
            self._steering.check(compiled)
        await asyncio.to_thread(self._compiler.save, compiled)
        if self._steering is not None:
            self._steering.admit(compiled)
        standings = self._steering.standings() if self._steering is not None else {}
        encoded = await asyncio.to_thread(self._encode, compiled.routes, standings)
        self._hand_over(compiled.head, tuple(compiled.routes), encoded)
        self._fingerprint, self.text = compiled.fingerprint, compiled.text
        return Result.APPLIED

    def _encode(self, routes: Iterable[Route], standings: Mapping[str, Standing]) -> dict[str, _Encoded]:
        """Give routes as they stand, by name; those that are as before are not encoded again."""
        encoded = {}
        for route in routes:
            standing, known = standings.get(route.release.name), self._encoded.get(route.name)
            is_known = known is not None and known.route is route and known.standing == standing
            encoded[route.name] = known if known is not None and is_known else _encode(route, standing)
        return encoded

    def _hand_over(self, head: TableHead, routes: tuple[Route, ...], encoded: dict[str, _Encoded]) -> None:
        self._version += 1
        head = replace(head, version=self._version)
        blobs = {name: one.blob for name, one in encoded.items()}
        self._publish(self._version, encode_blobs(head, blobs))
        self._head, self._routes, self._encoded = head, routes, encoded
        # Decoded it would be the same, and the next reload asks for every route: 25 ms for a file of 64 KiB.
        self.table = RoutingTable(head, blobs, {name: one.joined for name, one in encoded.items()})
        self.published_unix_ms = self._clock.unix_ms()

    def _report(self, result: Result, cause: str, begun_s: float, findings: tuple[Finding, ...]) -> PublishReport:
        return PublishReport(
            result=result,
            cause=cause,
            version=self._version,
            config_hash=self.table.head.config_hash if self.table is not None else "",
            at_unix_ms=self._clock.unix_ms(),
            duration_ms=round((self._clock.now_s() - begun_s) * 1000, 1),
            findings=findings,
            warnings=() if findings else self.warnings,
        )

    def _finding(self, problem: str) -> Finding:
        return Finding(str(self._path), 0, 0, "", problem)


def _encode(route: Route, standing: Standing | None) -> _Encoded:
    try:
        joined = route_at(route, standing)
    except ValueError as error:
        # A file that was admitted but could not be saved: its standings do not fit the table that goes on. One route
        # that cannot be joined must hold up no other's rollback, and nobody may get a candidate by accident.
        log.critical("a release cannot be joined, its candidates get nothing", extra={"cause": str(error)})
        joined = replace(route, release=held(route.release, None))
    return _Encoded(route, standing, joined, encode_route(joined))


def _routes_in(table: RoutingTable) -> tuple[Route, ...]:
    """Give the routes of a table that a control process before this one published: joined already."""
    return tuple(route for name in table.route_names if (route := table.route(name)) is not None)


def _log_report(report: PublishReport) -> None:
    facts = {"cause": report.cause, "version": report.version, "config": report.config_hash}
    if report.result is Result.APPLIED:
        log.info("config applied", extra=facts | {"ms": report.duration_ms, "warnings": len(report.warnings)})
    elif report.result is Result.REFUSED:
        log.error("config refused, the one before goes on", extra=facts | {"findings": len(report.findings)})
    for finding in report.findings:
        log.error("%s", finding)
    if report.result is Result.APPLIED:
        for warning in report.warnings:
            log.warning("%s", warning)
