"""Counts of copies wait until they are kept, are told once, and stay small."""

from __future__ import annotations

import msgspec

from gateway.record.frames import FrameReader, Summed
from gateway.record.shadow_tally import MAX_SUMS, ShadowTally
from gateway.record.shadowed import DAY_MS, ShadowCount, Shadowed

SENT = ("support", "small", "answered")


def tally() -> ShadowTally:
    """Give one on the third day."""
    return ShadowTally(lambda: 3 * DAY_MS + 5)


def said(frame: bytearray | None) -> Summed:
    """Give what a frame says."""
    assert frame is not None
    ((_, payload),) = FrameReader().feed(frame)
    return msgspec.msgpack.decode(payload, type=Summed)


def test_adds_up() -> None:
    """What comes before a frame is sent is one sum per day and name; dollars that are none count as none."""
    of = tally()
    of.note(Shadowed([(*SENT, 2, 0.5), (*SENT, 1, float("nan"))]))
    of.note(Shadowed([(*SENT, 1, 0.25)], 2))
    assert of.n_waiting == 4
    assert said(of.frame()) == Summed(1, [ShadowCount(3, *SENT, 3, 0.5), ShadowCount(2, *SENT, 1, 0.25)])


def test_one_at_a_time() -> None:
    """What comes while a frame is on its way goes with the next, at once only where there is no time."""
    of = tally()
    of.note(Shadowed([(*SENT, 1, 0.0)]))
    first = of.frame()
    of.note(Shadowed([(*SENT, 5, 0.0)]))
    assert of.frame() is None and of.unsettled() == [first]
    assert said(of.frame(at_once=True)).counts[0].n == 5
    of.settle(1)
    assert [said(frame).number for frame in of.unsettled()] == [2] and not of.is_settled
    of.settle(2)
    assert of.is_settled and of.frame() is None


def test_bounded() -> None:
    """Beyond the most names nothing is lost: what is further is summed by day and result alone."""
    of = tally()
    of.note(Shadowed([(f"route {number}", "small", "answered", 1, 0.5) for number in range(MAX_SUMS + 10)]))
    counts = said(of.frame()).counts
    assert counts[-1] == ShadowCount(3, "", "", "answered", 10, 5.0)
    assert sum(each.n for each in counts) == MAX_SUMS + 10
