"""The fast alarm on failing requests."""

from random import Random

from gateway.gates.alarm import FastAlarm

N_STARTS = 3_024
ALPHA = 0.004


def test_busy_users_alarm() -> None:
    """A dozen users who run into it again and again alarm."""
    alarm = FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=list(range(12)) * 3, baseline=10)
    alarmed = alarm.alarmed(ALPHA)
    assert alarmed is not None
    assert (alarmed.users, alarmed.candidate, alarmed.trimmed) == (9, 27, 9)


def test_three_users_do_not() -> None:
    """Three users with 500 failing requests each are left out, and nothing is left."""
    alarm = FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=[1, 2, 3] * 500, baseline=10)
    assert alarm.alarmed(ALPHA) is None


def test_outage_of_both() -> None:
    """Failures as the shares have them alarm nobody, however many."""
    alarm = FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=range(500), baseline=9_500)
    assert alarm.alarmed(ALPHA) is None


def test_hour_is_over() -> None:
    """After an hour it is forgotten."""
    alarm = FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=range(30), baseline=0)
    alarm.turn(59 * 60_000)
    assert alarm.alarmed(ALPHA) is not None
    alarm.turn(61 * 60_000)
    assert alarm.alarmed(ALPHA) is None


def test_share_changes() -> None:
    """Requests of another share are no evidence under this one."""
    alarm = FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=range(30), baseline=0)
    alarm.note(0, share=0.5, candidate=[], baseline=1)
    assert alarm.alarmed(ALPHA) is None


def test_healthy_days() -> None:
    """A hundred healthy days, 1 % of users failing most of their requests: no alarm."""
    random, alarms = Random(5), 0
    for _ in range(100):
        alarm, bad = FastAlarm(N_STARTS), [(user, random.random() < 0.05) for user in range(200)]
        for step in range(0, 144, 3):
            failing = [random.choice(bad) for _ in range(60)]
            ours = [user for user, is_ours in failing if is_ours]
            alarm.note(step * 600_000, share=0.05, candidate=ours, baseline=60 - len(ours))
            alarm.turn(step * 600_000)
            alarms += alarm.alarmed(ALPHA) is not None
    assert alarms == 0


def test_alarm_dumped() -> None:
    """What was dumped goes on the same."""
    alarm, again = FastAlarm(N_STARTS), FastAlarm(N_STARTS)
    alarm.note(0, share=0.05, candidate=[1, 1, 2, 3, 4, 5], baseline=1)
    again.load(alarm.dump())
    for one in (alarm, again):
        one.note(600_000, share=0.05, candidate=range(30), baseline=0)
    assert again.alarmed(ALPHA) == alarm.alarmed(ALPHA) is not None
