"""Promises of gateway.stats.eprocess."""

from __future__ import annotations

from math import exp, inf
from random import Random

import pytest

from gateway.stats.eprocess import HAZARDS, MAX_EVER, STAKES, RestartedProcess, Start, log_e

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def naive(
    notes: list[tuple[int, int, bool, float]], until_ms: int, *, n_starts: int, step_ms: int, lives: int
) -> tuple[float, Start]:
    """Give the evidence by going through every note for every start, as decisions.md § 1.1 words it."""
    found = (0.0, Start(0, 0.0, 0, 0, 0.0))
    for index in range(n_starts):
        since, weight = index * step_ms, 1 / (2 * n_starts) if index else 0.5
        if since > until_ms or (index and since + lives * step_ms <= until_ms):
            continue
        first = {note[0]: note for note in reversed(notes) if note[1] >= since}
        e_value = 0.0
        for hazard, stake in zip(HAZARDS, STAKES, strict=True):
            product = stake
            for _, _, is_candidate, share in first.values():
                theta = share * hazard / (share * hazard + 1 - share)
                product *= theta / share if is_candidate else (1 - theta) / (1 - share)
            e_value += product
        n_candidate = sum(note[2] for note in first.values())
        if weight * e_value > found[0]:
            found = weight * e_value, Start(since, e_value, n_candidate, len(first) - n_candidate, weight)
    return found


def walk(seed: int, n_notes: int, *, users: int, end_ms: int) -> list[tuple[int, int, bool, float]]:
    """Give failing requests of a candidate that grows from a tenth to four, and does harm."""
    chance = Random(seed)
    times = sorted(chance.randrange(end_ms) for _ in range(n_notes))
    notes = []
    for at_ms in times:
        user = chance.randrange(users)
        share = 0.1 if at_ms < end_ms // 2 else 0.4
        # The candidate's own users fail more, so that evidence moves both ways.
        if user % 10 < share * 10 or chance.random() < 0.3:
            notes.append((user, at_ms, user % 10 < share * 10, share))
    return notes


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((10, 500, 95, 9500), 2.7117), ((20, 500, 95, 9500), 24316.2), ((50, 100, 950, 1900), 0.001806)],
)
def test_log_e_gives_f24(counts: tuple[int, int, int, int], expected: float) -> None:
    """The evidence of a block is that of fixture F24."""
    assert exp(log_e(*counts)) == pytest.approx(expected, rel=3e-4)


def test_log_e_says_nothing_without_an_arm() -> None:
    """Where an arm has nobody at risk nothing is compared."""
    assert log_e(5, 0, 5, 100) == log_e(5, 100, 5, 0) == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_naive_reading(seed: int) -> None:
    """Every reading is that of going through all notes for all starts, also over weight changes and ends of starts."""
    notes = walk(seed, 400, users=60, end_ms=90 * MINUTE_MS)
    process = RestartedProcess(since_unix_ms=0, horizon_s=4800, restart_every_s=60, lives_s=1200)
    for at, (user, at_ms, is_candidate, share) in enumerate(notes):
        process.note(user, at_ms, is_candidate=is_candidate, share=share)
        if at % 23 == 0:
            e_value, start = naive(notes[: at + 1], at_ms, n_starts=80, step_ms=MINUTE_MS, lives=20)
            assert process.e_value == pytest.approx(e_value, rel=1e-9)
            assert process.fired == pytest.approx(start, rel=1e-9)


def test_one_user_counts_once() -> None:
    """A user with 500 errors within a day is one failing user, and far from a trip."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=86_400)
    for number in range(500):
        process.note(7, number * 1000, is_candidate=True, share=0.05)
    assert process.fired.candidate == 1
    assert process.e_value < 20


def test_fails_again_for_later_starts() -> None:
    """A user who failed an hour ago is a first failure to starts that are younger, and only to them."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=86_400)
    for user in range(8):
        process.note(user, 1000, is_candidate=False, share=0.05)
    for user in range(8):
        process.note(user, 61 * MINUTE_MS, is_candidate=True, share=0.05)
    assert process.fired.since_unix_ms == 10 * MINUTE_MS
    assert (process.fired.candidate, process.fired.baseline) == (8, 0)


def test_a_share_of_nothing_or_all_is_no_evidence() -> None:
    """With nobody to compare with nothing is noted, and the same user can be a first failure later."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=86_400)
    process.note(1, 10, is_candidate=True, share=1.0)
    process.note(1, 11, is_candidate=True, share=0.0)
    assert process.e_value == 0.5
    process.note(1, 12, is_candidate=True, share=0.02)
    assert process.fired.candidate == 1


def test_both_arms_failing_pays_nothing() -> None:
    """When everybody fails, candidate and baseline by their shares, evidence goes down."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=86_400)
    for user in range(2000):
        process.note(user, 15 * MINUTE_MS + user, is_candidate=user % 20 == 0, share=0.05)
    assert process.e_value < 0.01


def test_time_does_not_run_backwards() -> None:
    """A late fact counts when it comes: not for starts that had ended, and for those that had begun."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=3 * DAY_MS / 1000)
    process.advance(25 * 60 * MINUTE_MS)
    process.note(3, 5, is_candidate=True, share=0.01)
    assert process.fired.candidate == 1
    assert process.snapshot() != RestartedProcess(since_unix_ms=0, horizon_s=3 * DAY_MS / 1000).snapshot()


def test_sleeps_through_days() -> None:
    """After days without a word only starts of the last day live, and they have seen nothing before."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=20 * DAY_MS / 1000)
    for user in range(500):
        process.note(user, 20 * MINUTE_MS, is_candidate=False, share=0.2)
    for user in range(12):
        process.note(user, 5 * DAY_MS, is_candidate=True, share=0.2)
    assert process.fired.since_unix_ms > 4 * DAY_MS - MINUTE_MS
    assert (process.fired.candidate, process.fired.baseline) == (12, 0)


def test_opens_no_start_after_the_horizon() -> None:
    """Starts beyond the planned number have no alpha, so a fault after the horizon and a day meets only the first."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=3600)
    for user in range(30):
        process.note(user, 2 * DAY_MS, is_candidate=True, share=0.05)
    assert process.fired.since_unix_ms == 0
    assert process.n_units == 0


def test_restores_to_the_last_bit() -> None:
    """A restored process goes on as the one that was snapshot."""
    notes = walk(3, 600, users=80, end_ms=30 * 60 * MINUTE_MS)
    kept = RestartedProcess(since_unix_ms=0, horizon_s=DAY_MS / 500)
    for note in notes[:300]:
        kept.note(note[0], note[1], is_candidate=note[2], share=note[3])
    again = RestartedProcess.restore(kept.snapshot())
    for note in notes[300:]:
        for process in (kept, again):
            process.note(note[0], note[1], is_candidate=note[2], share=note[3])
        assert kept.e_value == again.e_value
    assert kept.snapshot() == again.snapshot()


def test_forgets_who_failed_long_ago() -> None:
    """Users whose last failure is older than every living start are forgotten."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=3 * DAY_MS / 1000)
    for user in range(1000):
        process.note(user, 20 * MINUTE_MS, is_candidate=False, share=0.5)
    assert process.n_units == 1000
    process.advance(2 * DAY_MS)
    assert process.n_units == 0


def test_memory_is_bounded() -> None:
    """With more failing users than are kept the oldest starts end, and evidence of the young ones goes on."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=DAY_MS / 1000)
    for user in range(MAX_EVER + 5_000):
        process.note(user, 10 * MINUTE_MS + user * 100, is_candidate=False, share=0.5)
    assert process.n_units <= MAX_EVER
    for user in range(10**9, 10**9 + 2000):
        process.note(user, 5 * 60 * MINUTE_MS, is_candidate=True, share=0.5)
    assert process.e_value > 1e6


def test_too_large_for_a_float_is_infinite() -> None:
    """Evidence beyond all floats is infinite, not an error."""
    process = RestartedProcess(since_unix_ms=0, horizon_s=DAY_MS / 1000)
    for user in range(2000):
        process.note(user, 1, is_candidate=True, share=0.01)
    assert process.e_value == inf


@pytest.mark.parametrize(("horizon_s", "every_s", "lives_s"), [(0, 600, 600), (60, 0, 60), (60, 600, 60)])
def test_refuses_durations(horizon_s: float, every_s: float, lives_s: float) -> None:
    """Durations that give no starts are refused."""
    with pytest.raises(ValueError, match="no starts"):
        RestartedProcess(since_unix_ms=0, horizon_s=horizon_s, restart_every_s=every_s, lives_s=lives_s)


def test_is_seldom_false() -> None:
    """Where the arms do not differ 1/alpha is reached in at most alpha of runs: Ville's inequality, seed 5."""
    chance, n_runs, alpha, n_false = Random(5), 300, 0.05, 0
    for _ in range(n_runs):
        process = RestartedProcess(since_unix_ms=0, horizon_s=7200)
        largest = 0.0
        for number in range(120):
            user = chance.getrandbits(40) % 300
            # The user's number is a fair draw, so its rest by 5 is an arm of share 0.2.
            process.note(user, number * MINUTE_MS, is_candidate=user % 5 == 0, share=0.2)
            largest = max(largest, process.e_value)
        n_false += largest >= 1 / alpha
    assert n_false <= alpha * n_runs
