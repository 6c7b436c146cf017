"""The watch: what trips, what does not, and that it goes on the same wherever it is stopped."""

import dataclasses
from random import Random

import msgspec
import pytest

from gateway.domain.rollout import Action
from gateway.gates.facts import ArmFacts, Facts, Incident, Judged
from gateway.gates.watch import Watch
from gateway.stats.alpha import alpha_of_life
from tests.gates.crowd import ALL, COST, DAY_MS, ERRORS, MINUTE_MS, SAFETY, Arm, Crowd, comparison, hashed, quiet

SECOND_MS = 1_000
HOUR_MS = 3_600_000


def test_healthy_is_left_alone() -> None:
    """Two arms alike, with everything measured, trip nothing in six hours."""
    watch = Watch(comparison(), since_unix_ms=0)
    assert Crowd(rating=0.02, is_rowdy=True, per_s=3).live(watch, minutes=360) == []


def test_total_outage() -> None:
    """A 10 % canary that fails everything at 20 req/s is rolled back within 30 of its requests."""
    crowd, watch = Crowd(per_s=20, weight=1_000), Watch(comparison(), since_unix_ms=0)
    assert crowd.live(watch, minutes=30) == []
    crowd.new = Arm(errors=1.0)
    began_ms = crowd.now_ms
    (trip,) = crowd.live(watch, minutes=2, step_ms=SECOND_MS)
    assert trip.action is Action.ROLLBACK
    assert (crowd.now_ms - began_ms) / 1000 * 2 <= 30


@pytest.mark.parametrize("weight", [100, 500, 1_000, 2_500, 5_000])
def test_outage_after_days(weight: int) -> None:
    """After two healthy days a total outage is found as fast, at any share: 15 users of the candidate are enough."""
    watch = Watch(comparison(), since_unix_ms=0)
    now_ms = quiet(watch, since_ms=0, minutes=2 * 1_440, weight=weight, per_minute=600)
    crowd = Crowd(per_s=10, weight=weight, new=Arm(errors=1.0), now_ms=now_ms, seed=weight)
    (trip,) = crowd.live(watch, minutes=60, step_ms=SECOND_MS)
    assert trip.action is Action.ROLLBACK
    users = trip.evidence.get("users") or trip.evidence["candidate_failing_users"]
    assert users <= 15 + 8  # The trailing window has some failing users of healthy minutes.


def test_worse_is_found() -> None:
    """Three times the errors at 1 % base, 20 req/s and 5 % is found in minutes, with an e-value."""
    crowd, watch = Crowd(per_s=20, new=Arm(errors=0.05)), Watch(comparison(ERRORS), since_unix_ms=0)
    (trip,) = crowd.live(watch, minutes=60)
    assert (trip.rule, trip.action) == ("e_process", Action.ROLLBACK)
    assert crowd.now_ms < 40 * MINUTE_MS


def test_unsafe_is_found() -> None:
    """Safety incidents trip the same way, with a baseline that has none at all."""
    crowd, watch = Crowd(new=Arm(unsafe=0.05)), Watch(comparison(SAFETY), since_unix_ms=0)
    (trip,) = crowd.live(watch, minutes=60)
    assert (trip.signal, trip.action) == ("safety", Action.ROLLBACK)


def test_abusive_user() -> None:
    """One user of the candidate with 500 errors trips nothing."""
    crowd, watch = Crowd(), Watch(comparison(), since_unix_ms=0)
    for _ in range(50):
        facts = crowd.facts(MINUTE_MS)
        arm = facts.arms["new"]
        arm.requests += 10
        arm.failures.extend(Incident(crowd.now_ms, 42) for _ in range(10))
        arm.recent.extend(Judged(42, is_failed=True) for _ in range(10))
        watch.include(facts)
        assert watch.judge(crowd.now_ms) == []


@pytest.mark.parametrize("weight", [500, 5_000, 9_800])
@pytest.mark.parametrize("errors", [0.3, 1.0])
def test_outage_of_both(weight: int, errors: float) -> None:
    """A provider that fails both arms trips nothing, however hard it fails and whoever has more users."""
    crowd, watch = Crowd(weight=weight, seed=3), Watch(comparison(), since_unix_ms=0)
    assert crowd.live(watch, minutes=60) == []
    crowd.old = crowd.new = Arm(errors=errors, unsafe=errors / 2)
    assert crowd.live(watch, minutes=10, step_ms=SECOND_MS) == []
    crowd.old = crowd.new = Arm()
    assert crowd.live(watch, minutes=20) == []


@pytest.mark.parametrize("jump_ms", [-HOUR_MS, HOUR_MS])
def test_clock_jumps(jump_ms: int) -> None:
    """A clock set an hour back or forward trips nothing, and a fault after it is found as fast."""
    watch = Watch(comparison(ERRORS), since_unix_ms=0)
    crowd = Crowd(weight=1_000)
    crowd.now_ms = quiet(watch, since_ms=0, minutes=180, weight=1_000) + jump_ms
    assert watch.judge(crowd.now_ms) == []
    assert crowd.live(watch, minutes=20) == []
    crowd.new = Arm(errors=1.0)
    began_ms = crowd.now_ms
    assert crowd.live(watch, minutes=2, step_ms=SECOND_MS)
    assert crowd.now_ms - began_ms <= 30 * SECOND_MS


def test_facts_out_of_order() -> None:
    """Facts that come in another order, an hour late, or twice as old as the window trip nothing, or still trip."""
    crowd, watch = Crowd(weight=1_000), Watch(comparison(ERRORS), since_unix_ms=0)
    healthy = [crowd.facts(MINUTE_MS) for _ in range(60)]
    Random(1).shuffle(healthy)
    for facts in healthy:
        watch.include(facts)
        assert watch.judge(crowd.now_ms) == []
    crowd.new = Arm(errors=1.0)
    late = crowd.facts(MINUTE_MS)
    watch.include(dataclasses.replace(late, since_unix_ms=0, until_unix_ms=MINUTE_MS))
    assert watch.judge(crowd.now_ms) != []


def test_epochs_change_w_only() -> None:
    """A change of weights neither trips nor forgets: evidence from before it counts on."""
    crowd, watch = Crowd(weight=100), Watch(comparison(), since_unix_ms=0)
    for epoch, weight in enumerate((100, 500, 2_500, 5_000, 9_800)):
        crowd.weight, crowd.epoch = weight, epoch
        assert crowd.live(watch, minutes=60) == []
    worse, late = Crowd(new=Arm(errors=0.05), per_s=20), Watch(comparison(ERRORS), since_unix_ms=0)
    assert worse.live(late, minutes=4) == []
    before = late.readings(0)[0].numbers["e_value"]
    late.include(Facts("support", 1, {"new": 2_500, "old": 7_500}, worse.now_ms, worse.now_ms, {"old": ArmFacts(1)}))
    assert late.readings(0)[0].numbers["e_value"] == before


@pytest.mark.parametrize("cut", [1, 17, 90])
def test_snapshot_continues(cut: int) -> None:
    """A watch restored from a snapshot goes on exactly as the other, to its trip and every number in it."""
    crowd = Crowd(rating=0.1, is_rowdy=True, per_s=3, new=Arm(errors=0.03, ms=2_500, usd=0.05))
    wanted = comparison(stop_on_safety=0.02)
    one = Watch(wanted, since_unix_ms=0)
    two = one
    for minute in range(120):
        facts = crowd.facts(MINUTE_MS)
        if minute == cut:
            two = Watch.restore(wanted, one.snapshot())
        for watch in {id(one): one, id(two): two}.values():
            watch.include(facts)
        if two is not one:
            assert one.judge(crowd.now_ms) == two.judge(crowd.now_ms)
        else:
            one.judge(crowd.now_ms)
    assert one.readings(crowd.now_ms) == two.readings(crowd.now_ms)
    assert one.snapshot() == two.snapshot()


def test_broken_snapshot() -> None:
    """What is no snapshot, or one of another version, is refused with a reason."""
    kept = Watch(comparison(), since_unix_ms=0).snapshot()
    other = msgspec.msgpack.encode([99, *msgspec.msgpack.decode(kept)[1:]])
    for data in (b"", b"\xc1", kept[:20], msgspec.msgpack.encode({"a": 1}), other):
        with pytest.raises(ValueError, match="snapshot"):
            Watch.restore(comparison(), data)


def test_revise_keeps_evidence() -> None:
    """Another threshold does not restart anything: a stricter one acts at once on what is known."""
    crowd = Crowd(new=Arm(errors=0.03), per_s=20)
    watch = Watch(comparison(dataclasses.replace(ERRORS, ratio=50.0)), since_unix_ms=0)
    assert [trip.rule for trip in crowd.live(watch, minutes=120)] == []
    watch.revise(comparison(ERRORS, COST))
    assert [trip.rule for trip in watch.judge(crowd.now_ms)] == ["e_process"]
    assert [reading.signal for reading in watch.readings(crowd.now_ms)] == ["error_rate", "cost"]


def test_restart_forgets() -> None:
    """A resumed rollout begins with nothing against it, and with less alpha to spend."""
    crowd, watch = Crowd(new=Arm(errors=0.5)), Watch(comparison(ERRORS), since_unix_ms=0)
    assert crowd.live(watch, minutes=30)
    before = watch.readings(0)[0].numbers["e_value_needed"]
    watch.restart(crowd.now_ms, 1)
    assert watch.judge(crowd.now_ms) == []
    assert watch.readings(0)[0].numbers["e_value_needed"] == pytest.approx(4 * before)


def test_rollback_repeats() -> None:
    """A rollback that nobody carried out is asked for again, while its evidence stands."""
    crowd, watch = Crowd(weight=1_000, new=Arm(errors=1.0)), Watch(comparison(ERRORS), since_unix_ms=0)
    assert crowd.live(watch, minutes=5)
    assert crowd.live(watch, minutes=1)


def test_alert_once_a_day() -> None:
    """A signal that only alerts does so once a day."""
    signal = dataclasses.replace(ERRORS, action=Action.ALERT)
    crowd, watch = Crowd(weight=1_000, new=Arm(errors=1.0), per_s=1), Watch(comparison(signal), since_unix_ms=0)
    trips = [trip for minute in range(300) for trip in crowd.live(watch, minutes=1)]
    assert sorted({trip.rule for trip in trips}) == sorted(trip.rule for trip in trips)


def test_other_releases() -> None:
    """Facts of another release, of other arms or of nobody change nothing."""
    watch = Watch(comparison(), since_unix_ms=0)
    before = watch.snapshot()
    arm = ArmFacts(9, [Incident(0, at) for at in range(9)], [], [Judged(at, is_failed=True) for at in range(9)])
    watch.include(Facts("other", 0, {"new": 5_000, "old": 5_000}, 0, 0, {"new": arm}))
    watch.include(Facts("support", 0, {"new": 5_000, "old": 5_000}, 0, 0, {"third": arm}))
    assert watch.snapshot() == before


def test_readings_in_words() -> None:
    """Every signal says where it stands, what it acts at, and what evidence it still needs."""
    crowd, watch = Crowd(rating=0.02, is_rowdy=True), Watch(comparison(stop_on_safety=0.02), since_unix_ms=0)
    crowd.live(watch, minutes=60)
    readings = {reading.signal: reading for reading in watch.readings(crowd.now_ms)}
    assert list(readings) == [*(signal.name for signal in ALL), "stop_on_safety"]
    assert "acts above 2 ×; evidence" in readings["error_rate"].state
    assert "of 3 failing users" in readings["error_rate"].state
    assert readings["error_rate"].inactive is None
    msgspec.json.encode([reading.numbers for reading in readings.values()])


def test_inactive_says_why() -> None:
    """Before anybody came, every signal says what is missing."""
    watch = Watch(comparison(stop_on_safety=0.02), since_unix_ms=0)
    reasons = {reading.signal: reading.inactive for reading in watch.readings(0)}
    assert all(reasons.values())
    assert reasons["latency_p95"] == "the candidate has 0 other requests in 30 min; 200 are needed"


def test_trip_can_be_stored() -> None:
    """A trip's evidence is JSON, and says when, in which epoch and which life."""
    crowd, watch = Crowd(weight=1_000, new=Arm(errors=0.5)), Watch(comparison(), since_unix_ms=0)
    (trip, *_) = crowd.live(watch, minutes=60)
    assert msgspec.json.decode(msgspec.json.encode(trip.evidence)) == trip.evidence
    assert {"at_unix_ms", "epoch", "n_resumes", "alpha", "share"} <= set(trip.evidence)


def test_state_is_bounded() -> None:
    """A total outage of ninety thousand users in a day leaves a state that can be written every few seconds."""
    watch, now_ms = Watch(comparison(), since_unix_ms=0), 0
    for hour in range(24):
        now_ms += HOUR_MS
        arms = {}
        for name, offset in (("new", 0), ("old", 10**8)):
            units = [hashed(offset + hour * 2_000 + at) for at in range(2_000)]
            failures = [Incident(now_ms, unit) for unit in units]
            arms[name] = ArmFacts(2_000, failures, failures, [Judged(unit, True, True) for unit in units[-50:]])
        watch.include(Facts("support", 0, {"new": 5_000, "old": 5_000}, now_ms - HOUR_MS, now_ms, arms))
        assert watch.judge(now_ms) == []
    assert len(watch.snapshot()) < 9_000_000


def test_days_pass() -> None:
    """After its term the ledger goes on and faults are still found."""
    watch = Watch(dataclasses.replace(comparison(ERRORS), horizon_s=DAY_MS / 1000), since_unix_ms=0)
    now_ms = quiet(watch, since_ms=0, minutes=2_000)
    assert Crowd(weight=500, new=Arm(errors=1.0), now_ms=now_ms).live(watch, minutes=20, step_ms=SECOND_MS)


@pytest.mark.parametrize(("final_share", "part"), [(0.98, 1), (0.05, 0)])
def test_extended_spends_no_more(final_share: float, part: int) -> None:
    """A term that ends before the rollout is complete opens the next part of alpha; after that, a ledger of its own."""
    short = dataclasses.replace(comparison(), horizon_s=DAY_MS / 1000, final_share=final_share)
    watch = Watch(short, since_unix_ms=0)
    quiet(watch, since_ms=0, minutes=2_000, weight=500)
    again = Watch.restore(short, watch.snapshot())
    for one in (watch, again):
        alpha = next(r.numbers["alpha"] for r in one.readings(0) if r.signal == "error_rate")
        assert alpha == pytest.approx(alpha_of_life(ERRORS.alpha, part))
    assert again.snapshot() == watch.snapshot()
