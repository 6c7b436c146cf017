"""`sluice export`: exposures, outcomes, feedback, samples or pairs as CSV or JSON lines, for whoever computes on."""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from gateway.cli.terminal import warn
from gateway.errors import StateError
from gateway.record.batch import StoreError
from gateway.record.copied import salt_of
from gateway.record.pair import PairKind

if TYPE_CHECKING:
    from gateway.record.store.reader import Reader, Within

NAME = "export"
HELP = "write exposures, outcomes, feedback, samples or shadow pairs as CSV or JSON lines"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ENCODE_AT_ONCE = 500
_64_BITS = (1 << 64) - 1
Line = Callable[[Mapping[str, Any]], bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write, how much of it, and where."""
    parser.add_argument("what", choices=("exposures", "outcomes", "feedback", "samples", "pairs"))
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="csv")
    parser.add_argument("--route", help="of this route only")
    parser.add_argument("--since", type=unix_ms_of, metavar="T", help="from this time: 2026-11-22, 2026-11-22T10:00Z")
    parser.add_argument("--until", type=unix_ms_of, metavar="T", help="up to this time, exclusive")
    parser.add_argument("--out", type=Path, metavar="FILE", help="instead of stdout; put in place when it is whole")
    parser.add_argument("--store", help="the store's URL (SLUICE_STORE, or facts.sqlite in the state directory)")
    parser.add_argument("--state", type=Path, default=Path(".sluice"), help="the state directory (./.sluice)")
    parser.add_argument("--users", type=Path, metavar="FILE", help="one id per line: adds a `user` column")


def run(args: argparse.Namespace) -> int:
    """Write it all; give 0, or 2 when there is nothing to read or nowhere to write."""
    try:
        asyncio.run(_export(args))
    except (StoreError, StateError, OSError, UnicodeDecodeError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        warn(f"sluice: {error}")
        return 2
    return 0


def unix_ms_of(text: str) -> int:
    """
    Give a time in milliseconds; one without a zone is UTC.

    >>> unix_ms_of("1970-01-02")
    86400000
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no time; write it like 2026-11-22 or 2026-11-22T10:00+01:00"
        raise argparse.ArgumentTypeError(msg) from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def csv_line(values: Mapping[str, Any]) -> bytes:
    """
    Give one row; what a spreadsheet would take for a formula is quoted by an apostrophe.

    >>> csv_line({"a": "=1", "b": 2, "c": None})
    b"'=1,2,\\r\\n"
    """
    text = io.StringIO()
    csv.writer(text).writerow([_cell_of(value) for value in values.values()])
    return text.getvalue().encode()


def json_line(values: Mapping[str, Any]) -> bytes:
    """
    Give one object; segments are an object in it.

    >>> json_line({"segments": '{"plan":"pro"}', "n": 1})
    b'{"segments":{"plan":"pro"},"n":1}\\n'
    """
    segments = values.get("segments")
    shown = values if segments is None else {**values, "segments": orjson.loads(segments)}
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


def _cell_of(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


async def _export(args: argparse.Namespace) -> None:
    # Imported where it is used: what `sluice --help` needs is small.
    from gateway.record.store.engine import location_of, open_reader
    from gateway.record.store.reader import Reader, Within

    location = location_of(args.store or os.environ.get("SLUICE_STORE") or None, args.state)
    if location.path is not None and not location.path.is_file():
        msg = f"there is no store at {location.path}; --state or --store says where it is"
        raise StoreError(msg)
    reader = Reader(open_reader(location), location)
    try:
        await reader.check()
        within = Within(route=args.route, since_unix_ms=args.since, until_unix_ms=args.until)
        users = {} if args.users is None else await _users_by_unit(reader, args.users)
        await _write(args, reader, within, users)
    finally:
        await reader.close()


async def _users_by_unit(reader: Reader, file: Path) -> dict[tuple[str, int], str]:
    from gateway.record.store.forget import hashes_of

    salts = await reader.salts()
    lines = await asyncio.to_thread(file.read_text, encoding="utf-8")
    users = [line.strip() for line in lines.splitlines() if line.strip()]
    return {unit: user for user in users for unit in hashes_of(user, salts).items()}


async def _write(
    args: argparse.Namespace, reader: Reader, within: Within, users: Mapping[tuple[str, int], str]
) -> None:
    rows: AsyncIterator[Any] = (
        reader.exported_pairs(within) if args.what == "pairs" else getattr(reader, args.what)(within)
    )
    line = json_line if args.format == "jsonl" else csv_line
    columns = reader.columns_of(args.what)
    names = columns if args.users is None else [*columns, "user"]
    total = await reader.count(args.what, within) if sys.stderr.isatty() else None
    with _place(args.out) as out, _progress(args.what, total) as advance:
        if args.format == "csv":
            out.write(csv_line(dict(zip(names, names, strict=True))))
        lines: list[bytes] = []
        async for row in rows:
            lines.append(line(_shown(dict(zip(columns, row, strict=True)), users if args.users is not None else None)))
            if len(lines) >= _ENCODE_AT_ONCE:
                out.write(b"".join(lines))
                advance(len(lines))
                lines.clear()
        out.write(b"".join(lines))
        advance(len(lines))


def _shown(values: dict[str, Any], users: Mapping[tuple[str, int], str] | None) -> dict[str, Any]:
    unit_hash = values["unit_hash"] & _64_BITS
    # Digits of a base that no notebook rounds to a float.
    values["unit_hash"] = f"{unit_hash:016x}"
    is_pair = "shadow_variant" in values
    if is_pair:
        values["kind"] = PairKind(values["kind"]).name.lower()
    if users is not None:
        values["user"] = users.get((salt_of(values["route"]) if is_pair else values["release"], unit_hash))
    return values


@contextmanager
def _place(file: Path | None) -> Iterator[BinaryIO]:
    """Give stdout, or a draft that becomes the file once it is whole."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            yield out
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if total is None:
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
