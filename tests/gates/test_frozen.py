"""The frozen baseline: after 100 %, what it was before."""

from random import Random

import pytest

from gateway.gates.frozen import FrozenBaseline, FrozenFault
from tests.gates.crowd import hashed

MINUTE_MS = 60_000
N_STARTS = 4_320


class History:
    """Days at 50 %, then nearly everybody; one request in `1/errors` fails, each of another user."""

    def __init__(self, *, share: float, seed: int = 1) -> None:
        self.frozen = FrozenBaseline(0, N_STARTS)
        self.now_ms = 0
        self.share = share
        self.random = Random(seed)
        self.pass_minutes(300, share=0.5, epoch=3)

    def pass_minutes(
        self, minutes: int, *, share: float, epoch: int, errors: float = 0.01, old: float = 0.01
    ) -> FrozenFault | None:
        """Pass time; give the first fault."""
        for _ in range(minutes):
            self.now_ms += MINUTE_MS
            requests = round(600 * share), 600 - round(600 * share)
            failing = self.failing(requests[0], errors), self.failing(requests[1], old)
            self.frozen.note(self.now_ms, epoch=epoch, share=share, requests=requests, failing=failing)
            fault = self.frozen.found(alpha=0.0024, ratio=2.0, floor=0.002) if self.frozen.is_stale else None
            if fault is not None:
                return fault
        return None

    def failing(self, requests: int, errors: float) -> list[int]:
        """Give the users who fail."""
        return [hashed(self.random.getrandbits(40)) for _ in range(requests) if self.random.random() < errors]


@pytest.mark.parametrize("share", [0.98, 1.0])
def test_healthy_takes_over(share: float) -> None:
    """A candidate as good as the baseline was, and one half as bad again, are left alone."""
    history = History(share=share)
    assert history.pass_minutes(600, share=share, epoch=4) is None
    assert history.pass_minutes(300, share=share, epoch=4, errors=0.015) is None


@pytest.mark.parametrize("share", [0.98, 1.0])
def test_fault_after_takeover(share: float) -> None:
    """After ten healthy hours a total outage is found within two minutes, and names what it compared with."""
    history = History(share=share)
    history.pass_minutes(600, share=share, epoch=4)
    before_ms = history.now_ms
    fault = history.pass_minutes(10, share=share, epoch=4, errors=1.0)
    assert fault is not None
    assert history.now_ms - before_ms <= 2 * MINUTE_MS
    assert (fault.frozen_epoch, fault.frozen_requests) == (3, 90_000)


def test_outage_of_both() -> None:
    """While the holdback fails alike, nothing is said."""
    history = History(share=0.98)
    history.pass_minutes(60, share=0.98, epoch=4)
    assert history.pass_minutes(30, share=0.98, epoch=4, errors=0.7, old=0.7) is None


def test_not_before_takeover() -> None:
    """While there is a baseline to compare with, nothing frozen is."""
    history = History(share=0.5)
    assert history.frozen.frozen is None
    assert history.pass_minutes(30, share=0.5, epoch=4, errors=1.0) is None


def test_nothing_known() -> None:
    """A candidate that had everybody from the start has no frozen baseline."""
    frozen = FrozenBaseline(0, N_STARTS)
    frozen.note(0, epoch=0, share=1.0, requests=(600, 0), failing=(list(range(600)), []))
    assert frozen.frozen is None
    assert frozen.found(alpha=0.0024, ratio=2.0, floor=0.002) is None


def test_frozen_dumped() -> None:
    """What was dumped goes on the same."""
    history = History(share=0.98)
    history.pass_minutes(60, share=0.98, epoch=4)
    again = FrozenBaseline(0, N_STARTS)
    again.load(history.frozen.dump())
    assert again.dump() == history.frozen.dump()
    assert again.frozen == history.frozen.frozen
