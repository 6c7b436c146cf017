"""An outcome begins by claiming nothing."""

import msgspec

from gateway.domain.outcome import Fault, Safety
from gateway.record.outcome import Outcome, OutcomeObserver


class Notes:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.kept: list[Outcome] = []

    def note(self, outcome: Outcome) -> None:
        """Take one."""
        self.kept.append(outcome)


def test_blames_nobody() -> None:
    """Until something is known there is no status, no time and no fault."""
    outcome = Outcome()
    assert (outcome.status, outcome.ttfb_ms, outcome.fault, outcome.attempts) == (0, None, Fault.NONE, 0)


def test_observer_is_a_shape() -> None:
    """Whatever has a note method may observe, and gets the outcome itself."""
    notes = Notes()
    observer: OutcomeObserver = notes
    outcome = Outcome(status=200)
    observer.note(outcome)
    assert notes.kept == [outcome]


def test_crosses_unchanged() -> None:
    """What is encoded in one process is the same outcome in the other."""
    outcome = Outcome(route="support", safety=Safety.REFUSED, segments={"plan": "free"}, cost_usd=0.25)
    encoded = msgspec.msgpack.encode(outcome)
    assert msgspec.msgpack.decode(encoded, type=Outcome) == outcome


def test_reads_an_older_one() -> None:
    """A worker of an earlier version sends fewer fields; the rest claims nothing."""
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(Outcome(route="support")))
    assert msgspec.convert(fields[:8], Outcome) == Outcome(route="support")
