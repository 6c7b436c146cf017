"""An outcome begins by claiming nothing."""

from gateway.domain.outcome import Fault, Outcome, OutcomeObserver


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
