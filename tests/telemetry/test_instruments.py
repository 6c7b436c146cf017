"""Every metric once, here and in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.telemetry import instruments as metrics
from gateway.telemetry.instruments import EVENT_EVALUATION, EVENT_FLAG, INSTRUMENTS, Instrument, Kind
from gateway.telemetry.prometheus import name_of

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^### `(?P<name>\S+)`\n\n(?P<text>.+)\n\n"
    r"(?P<kind>\w+), unit `(?P<unit>\S+)`, in Prometheus `(?P<shown>\w+)`\. Attributes: (?P<attributes>.+)\.\n\n"
    r"```promql\n(?P<query>.+)\n```$",
    re.MULTILINE,
)
ENTRIES = {entry["name"]: entry for entry in ENTRY.finditer(DOCUMENT)}


def test_names_are_unique() -> None:
    """No two instruments share a name, neither with dots nor with underscores."""
    assert len({each.name for each in INSTRUMENTS}) == len({name_of(each) for each in INSTRUMENTS}) == len(INSTRUMENTS)


def test_documents_name_all() -> None:
    """docs/metrics.md has an entry for every instrument, and none for anything else."""
    assert set(ENTRIES) == set(re.findall(r"^### `(\S+)`$", DOCUMENT, re.MULTILINE))
    assert set(ENTRIES) == {each.name for each in INSTRUMENTS}


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: each.name)
def test_document_is_true(instrument: Instrument) -> None:
    """An entry says the instrument's kind, unit, meaning and attributes, and asks for it by its name."""
    entry = ENTRIES[instrument.name]
    assert entry["text"].startswith(f"{instrument.description}.")
    assert (entry["kind"].lower(), entry["unit"]) == (instrument.kind, instrument.unit)
    assert tuple(re.findall(r"`(\S+)`", entry["attributes"])) == instrument.attributes
    assert entry["shown"] == name_of(instrument)
    assert name_of(instrument) in entry["query"]


def test_queries_ask_for_what_there_is() -> None:
    """Every metric and label in an example query exists."""
    shown = {name_of(each) for each in INSTRUMENTS}
    parts = shown | {f"{name}{end}" for name in shown for end in ("_bucket", "_sum", "_count")}
    labels = {name.replace(".", "_") for each in INSTRUMENTS for name in each.attributes}
    words = {word for entry in ENTRIES.values() for word in re.findall(r"\b(?:sluice|gen_ai)_\w+", entry["query"])}
    assert words <= parts | labels


def test_names_stand_nowhere_else() -> None:
    """No other file of the gateway writes a metric's or an event's name out."""
    names = [*(each.name for each in INSTRUMENTS if each.name not in _WORDS), EVENT_FLAG, EVENT_EVALUATION]
    pattern = re.compile("|".join(rf"""["'`]{re.escape(name)}["'`]""" for name in names))
    files = [path for path in (ROOT / "gateway").rglob("*.py") if path.name != "instruments.py"]
    found = {str(path.relative_to(ROOT)): pattern.findall(path.read_text(encoding="utf-8")) for path in files}
    assert {name: hits for name, hits in found.items() if hits} == {}


_WORDS = {metrics.ATTEMPTS.name, metrics.CONFIG_VERSION.name}
"""Names that are also those of span attributes."""


def test_every_name_is_an_attribute_of_none() -> None:
    """A metric is not called like an attribute, so that a search finds one or the other."""
    attributes = {name for each in INSTRUMENTS for name in each.attributes}
    assert attributes & {each.name for each in INSTRUMENTS} == set()


def test_buckets_rise() -> None:
    """Bounds rise, and only histograms have any."""
    for each in INSTRUMENTS:
        assert list(each.bounds) == sorted(set(each.bounds))
        assert bool(each.bounds) is (each.kind is Kind.HISTOGRAM)


@pytest.mark.parametrize("instrument", [metrics.OPERATION_DURATION, metrics.TIME_TO_FIRST_CHUNK])
def test_buckets_are_the_conventions(instrument: Instrument) -> None:
    """Durations double from 10 ms, as the convention has it; what we add comes after."""
    expected = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    assert instrument.bounds[:14] == expected


def test_nobody_is_named() -> None:
    """No attribute could hold a user, a prompt or a request."""
    words = {word for each in INSTRUMENTS for name in each.attributes for word in re.split(r"[._]", name)}
    assert words & {"user", "unit", "prompt", "request_id", "session", "conversation", "segment", "context"} == set()
