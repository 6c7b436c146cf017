"""`sluice report shadow ROUTE`: what a shadow answered, beside what users got; read from the store itself."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.rollout_source import state_of
from gateway.cli.terminal import progress_bar, warn
from gateway.clock import SystemClock
from gateway.record.batch import StoreError

if TYPE_CHECKING:
    from gateway.record.pair import Pair, Vote
    from gateway.record.shadowed import ShadowCount
    from gateway.record.store.reader import Reader
    from gateway.report.shadow_columns import PairTable
    from gateway.report.shadow_summary import ShadowReport, ShadowSummary

DAY_MS = 86_400_000


def add_shadow_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only a shadow's report has."""
    parser.add_argument("--variant", metavar="V", help="of shadow: only this one; all of the route's otherwise")
    parser.add_argument(
        "--since", metavar="AGE", help="of shadow or experiment: of the last 7d, 12h, 30m; all otherwise"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="CSV", help="of shadow: people's preferences, to check the judge"
    )
    parser.add_argument(
        "--store", metavar="URL", help="of shadow or experiment: where the store is, unless the state directory has it"
    )


def shadow_summary(args: argparse.Namespace) -> ShadowSummary | None:
    """
    Give a route's shadows, compared; None, with a line on stderr, where it cannot be had.

    Progress is shown on a terminal.
    """
    from gateway.shadow.labels import LabelError

    try:
        return asyncio.run(_summary(args))
    except (StoreError, LabelError, ValueError) as error:
        warn(f"sluice: {error}")
    except OSError as error:
        warn(f"sluice: cannot read {error.filename}: {error.strerror}")
    return None


async def _summary(args: argparse.Namespace) -> ShadowSummary:
    # Imported where it is used: what `sluice --help` needs is small.
    from gateway.record.store.engine import location_of, open_reader
    from gateway.record.store.reader import Reader
    from gateway.report.shadow_columns import table_of
    from gateway.report.shadow_summary import ShadowSummary
    from gateway.report.words import moment

    now_unix_ms = SystemClock().unix_ms()
    since_unix_ms = now_unix_ms - age_ms(args.since) if args.since else 0
    location = location_of(args.store or os.environ.get("SLUICE_STORE") or None, state_of(args))
    if location.path is not None and not location.path.is_file():
        msg = f"there is no store at {location.path}; --state or --store says where it is"
        raise StoreError(msg)
    labels = _labels_of(args.labels)
    reader = Reader(open_reader(location), location)
    try:
        await reader.check()
        by_variant = await _pairs_by_variant(reader, args, since_unix_ms)
        counts = list(await reader.shadow_counts(args.name, since_unix_ms // DAY_MS))
        variants = [args.variant] if args.variant else sorted({*by_variant, *(one.variant for one in counts)} - {""})
        reports = [
            await _report(reader, variant, table_of(by_variant.get(variant, ())), counts, labels)
            for variant in variants
        ]
    finally:
        await reader.close()
    since = moment(since_unix_ms) if since_unix_ms else ""
    return ShadowSummary(args.name, moment(now_unix_ms), since, tuple(reports))


async def _pairs_by_variant(reader: Reader, args: argparse.Namespace, since_unix_ms: int) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    # A hundred thousand pairs make no circles; looking for some takes as long as reading them.
    gc.disable()
    with progress_bar("pairs") as progress:
        lots = reader.pairs(
            args.name, since_unix_ms=since_unix_ms, shadow_variant=args.variant or None, progress=progress
        )
        async for lot in lots:
            for pair in lot:
                found.setdefault(pair.shadow_variant, []).append(pair)
    gc.freeze()
    gc.enable()
    return found


async def _report(
    reader: Reader, variant: str, table: PairTable, counts: list[ShadowCount], labels: Mapping[str, Vote] | None
) -> ShadowReport:
    from gateway.report.shadow_summary import summarize_shadow
    from gateway.report.shadow_telling import choose_telling, keys_of, tell

    candidates = choose_telling(table.pairs)
    texts = await reader.pair_texts(keys_of(candidates))
    # What was lost before anybody knew for which shadow it was counts for each.
    ours = [one for one in counts if one.variant in (variant, "")]
    return summarize_shadow(variant, table, ours, tell(candidates, texts), labels, texts_kept=len(texts))


def _labels_of(file: Path | None) -> dict[str, Vote] | None:
    if file is None:
        return None
    from gateway.shadow.labels import parse_labels

    return {label.request_id: label.preferred for label in parse_labels(file.read_bytes())}


def age_ms(text: str) -> int:
    """
    Give a written age in milliseconds.

    Raises:
        ValueError: It is none.

    >>> age_ms("7d"), age_ms("90m")
    (604800000, 5400000)
    """
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.replace(".", "", 1).isdigit():
        msg = f"{text!r} is no age; write it like 7d, 12h or 30m"
        raise ValueError(msg)
    return round(float(number) * units[unit] * 1000)
