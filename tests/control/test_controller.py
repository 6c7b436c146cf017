"""The controller: the order of things, what survives what, and who may clear a latch."""

from __future__ import annotations

import asyncio

import pytest

from gateway.control.rollout import Command, CommandKind
from gateway.domain.rollout import Action, Stage, StageKind
from gateway.errors import StateError
from gateway.gates.facts import Facts
from tests.fakes.drill import (
    Drill,
    Happens,
    after,
    answered,
    asked,
    closed_outside,
    disk_refuses,
    edited,
    gates,
    journal,
    log,
    phase,
    restarted,
    resumes,
    stage,
    store_away,
    trips,
    weight,
)
from tests.fakes.rollouts import Killed, ScriptedHealth, latch_by, plan_of, share, split_of, trip_of, variant_of

PROMOTION = Command(CommandKind.PROMOTE, "ana")


def test_climbs_on_evidence(drill: Drill) -> None:
    """Gates that pass take it from stage to stage, to 98 % and a holdback, and then to everybody."""
    drill >> gates(errors="pass") >> after(hours=1) << weight(1_000)
    drill >> after(days=1) << weight(5_000) << journal("promoted")
    drill >> after(days=1) << weight(9_800) << phase("complete") << journal("completed")
    drill >> after(days=30) << weight(10_000) << phase("finished") << journal("finished")


def test_trip_is_latched(drill: Drill) -> None:
    """A tripped candidate gets nothing, however long it waits and whatever restarts; only a person lets it go on."""
    drill >> trips("error_rate") << weight(0) << phase("rolled_back")
    drill >> gates(errors="pass") >> after(days=2) >> restarted() << weight(0) << phase("rolled_back")
    drill >> after(days=30) >> restarted() << weight(0)
    drill >> asked("resume") << answered("done") << weight(1_000) << resumes(1)


def test_order_when_tripping(drill: Drill) -> None:
    """The latch is on disk before the table changes; rollouts, journal and alerts come after."""
    drill >> trips("error_rate") << log("latches", "published", "rollouts", "journal", "alert")


def test_order_when_promoting(drill: Drill) -> None:
    """What gives the candidate more is on disk before anybody gets it."""
    drill >> gates(errors="pass") >> after(days=1) << weight(5_000)
    drill << log("rollouts", "published", "journal", "alert")


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("call", range(1, 4))
def test_survives_a_kill_while_tripping(drill: Drill, call: int, is_after: bool) -> None:
    """Killed between any two steps of a rollback, it is rolled back or trips again, and has one line in the journal."""
    drill.keeper.dies_at, drill.keeper.dies_after = drill.keeper.n_calls + call, is_after
    with pytest.raises(Killed):
        drill >> trips("error_rate")
    if call == 1 and not is_after:
        drill >> restarted() >> trips("error_rate")
    drill >> restarted() >> after(days=3) << weight(0) << phase("rolled_back")
    kinds = [str(entry.kind) for entry in drill.keeper.journal]
    assert kinds.count("rolled_back") == 1
    ids = [entry.id for entry in drill.keeper.journal]
    assert len(ids) == len(set(ids))
    assert drill.keeper.journal[-1].evidence["e_value"] == 812.0


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("call", range(1, 3))
def test_survives_a_kill_while_promoting(drill: Drill, call: int, is_after: bool) -> None:
    """Killed between any two steps of a promotion, every weight has its one line in the journal."""
    drill >> gates(errors="pass") >> after(hours=23) << weight(1_000)
    drill.keeper.dies_at, drill.keeper.dies_after = drill.keeper.n_calls + call + 1, is_after
    with pytest.raises(Killed):
        drill >> after(hours=1)
    drill >> restarted() >> after(hours=2) << weight(5_000)
    assert [str(entry.kind) for entry in drill.keeper.journal].count("promoted") == 1


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("call", range(1, 4))
def test_survives_a_kill_while_resuming(drill: Drill, call: int, is_after: bool) -> None:
    """Killed in the middle of a resume, it is at 0 or resumed, never something between, and resuming again works."""
    drill >> trips("error_rate") << weight(0)
    drill.keeper.dies_at, drill.keeper.dies_after = drill.keeper.n_calls + call, is_after
    with pytest.raises(Killed):
        drill >> asked("resume", key="k1")
    drill >> restarted() >> asked("resume", key="k1") << weight(1_000) << phase("progressing")
    assert drill.controller.latches == ()
    drill >> restarted() << weight(1_000)


def test_latch_that_cannot_be_kept(drill: Drill) -> None:
    """A disk that takes nothing keeps nobody on a bad candidate; once it does again everything is written."""
    drill >> disk_refuses("latches", "rollouts", "journal") >> trips("error_rate") << weight(0)
    assert drill.keeper.kept.latches == () and drill.alerts[-1].rule == "e_process"
    drill >> disk_refuses() >> after(seconds=1) << journal("rolled_back")
    drill >> restarted() << weight(0)


def test_nothing_unkept_is_promoted(drill: Drill) -> None:
    """What cannot be written down is not given to more users; with room again it is."""
    drill >> gates(errors="pass") >> disk_refuses("rollouts") >> after(days=2) << weight(1_000)
    drill >> asked("promote") << answered("unkept") << weight(1_000)
    drill >> disk_refuses() >> after(hours=2) << weight(5_000)


def test_resume_that_cannot_be_kept(drill: Drill) -> None:
    """A latch that cannot be taken off the disk stays on."""
    drill >> trips("error_rate") >> disk_refuses("rollouts") >> asked("resume") << answered("unkept") << weight(0)
    drill >> disk_refuses("latches") >> asked("resume") << answered("unkept") << weight(0)
    drill >> disk_refuses() >> restarted() << weight(0)


def test_store_away_promotes_nothing(drill: Drill) -> None:
    """Missing data is no data: it neither promotes nor rolls back nor clears (flagger #1581, argo-rollouts #1905)."""
    drill >> store_away() >> gates(errors="pass") >> after(days=9) << weight(1_000) << phase("progressing")
    drill >> store_away(False) >> after(hours=1) << weight(5_000)
    drill >> trips("error_rate") >> store_away() >> after(days=9) << weight(0)


def test_silent_gate_does_not_pass(drill: Drill) -> None:
    """A gate that answers nothing, as one of a misspelt metric, has not passed (flagger #1581)."""
    drill >> gates(quality="pass") >> after(days=9) << weight(1_000)


def test_trips_while_waiting_for_approval() -> None:
    """A person who is at lunch stands in no rollback's way (flagger #1801)."""
    drill = Drill(plan_of(stages=(share(1_000, needs_approval=True), share(10_000))))
    drill >> gates(errors="pass") >> after(days=1) << phase("awaiting_approval") << weight(1_000)
    drill >> trips("error_rate") << weight(0) << phase("rolled_back")
    drill.finish()


@pytest.mark.parametrize("reached", ["paused", "holding", "complete", "finished"])
def test_trips_in_every_phase(drill: Drill, reached: str) -> None:
    """A rollback comes whatever the rollout is waiting for."""
    ways = {
        "paused": [asked("pause")],
        "holding": [edited(plan_of(stages=(share(1_000, max_duration_s=90_000.0), share(10_000)))), after(days=2)],
        "complete": [asked("promote", to_weight=10_000)],
        "finished": [asked("promote", to_weight=10_000), after(days=31)],
    }
    for way in ways[reached]:
        drill >> way
    drill << phase(reached) >> trips("error_rate") << weight(0) << phase("rolled_back")


def test_aborted_is_not_retried(drill: Drill) -> None:
    """Reading the same file again does not bring the bad version back (argo-rollouts #2929)."""
    drill >> trips("error_rate") >> edited(plan_of()) << weight(0)
    drill >> edited(None) >> edited(plan_of()) << weight(0) << phase("rolled_back")


def test_changed_content_is_another_candidate(drill: Drill) -> None:
    """A changed variant begins anew and is not held by the old one's latch; the old one coming back is."""
    drill >> trips("error_rate") >> edited(plan_of("bbbbbbbbbbbb")) << weight(1_000) << phase("progressing")
    assert drill.controller.latches == ()
    drill >> edited(plan_of()) << weight(0) << phase("rolled_back")
    assert [one.cause for one in drill.keeper.kept.latches or ()] == ["error_rate"]
    drill >> restarted() << weight(0)


def test_lost_latch_of_what_comes_back(drill: Drill) -> None:
    """Whose latch was lost while it was away is latched anew, once, and nobody gets it."""
    drill >> trips("error_rate") >> edited(plan_of("bbbbbbbbbbbb")) << weight(1_000)
    drill.keeper.keep_latches(())
    drill >> restarted() >> edited(plan_of()) << weight(0) << phase("rolled_back") << journal("returned")
    assert len(drill.controller.latches) == 1
    drill >> asked("resume") << weight(1_000)


def test_changed_threshold_is_not(drill: Drill) -> None:
    """Another threshold neither restarts a rollout nor clears a latch."""
    drill >> gates(errors="pass") >> after(days=1) >> edited(plan_of(signals=())) << weight(5_000)
    drill << journal("promoted", "replanned")
    drill >> trips("error_rate") >> edited(plan_of()) << weight(0)


def test_resume_after_trip_restarts_watch(drill: Drill) -> None:
    """The k-th life after a trip has its own share of alpha, and the facts of before do not trip it again."""
    drill >> trips("error_rate") >> asked("resume") << resumes(1)
    assert "restarted 1" in drill.controller.readings("support")


def test_latch_from_outside(drill: Drill) -> None:
    """`sluice rollback` without this process is a rollback with a name and a reason; a changed release clears it."""
    drill >> closed_outside("bob") << weight(0) << phase("rolled_back") << journal("rolled_back")
    assert (drill.keeper.journal[-1].who, drill.keeper.journal[-1].why) == ("bob", "it answers in French")
    drill >> restarted() << weight(0)
    drill >> edited(plan_of("bbbbbbbbbbbb")) << weight(1_000)


def test_latch_from_outside_while_away(drill: Drill) -> None:
    """What was closed while the control process was dead is closed when it comes back."""
    drill.keeper.keep_latches([latch_by("bob")])
    drill >> restarted() << weight(0) << phase("rolled_back") << journal("rolled_back")


def test_unreadable_latches_close_everything(drill: Drill) -> None:
    """When nobody can say what was closed, everything is, loudly; and each is opened by a person."""
    drill.keeper.unread_latches()
    drill >> restarted() << weight(0) << phase("rolled_back")
    drill >> after(days=3) >> restarted() << weight(0)
    drill >> asked("resume") << weight(1_000)
    drill >> restarted() << weight(1_000)


def test_deleted_latches_open_nothing(drill: Drill) -> None:
    """A latch file that is gone opens nobody: it is written anew."""
    drill >> trips("error_rate")
    drill.keeper.keep_latches(())
    drill >> restarted() << weight(0)
    assert [latch.arm for latch in drill.controller.latches] == ["concise"]


def test_one_bad_watch_stops_no_other() -> None:
    """A fault in one place neither stops the loop nor promotes."""
    drill = Drill(plan_of(), split_of())
    drill.rules.is_broken = True
    drill >> gates(errors="pass") >> after(hours=1) << weight(1_000)
    drill.rules.is_broken = False
    drill >> trips("error_rate", arm="two") << weight(0, "chat", "two") << weight(3_000, "chat", "one")
    drill.finish()


def test_split_arm_is_stopped_and_resumed() -> None:
    """An arm of a split that does harm gets nothing; its users get the baseline; a person brings it back."""
    drill = Drill(split_of())
    drill >> trips("safety", arm="one") << weight(0, "chat", "one") << weight(7_000, "chat", "current")
    drill >> restarted() >> after(days=9) << weight(0, "chat", "one") << journal("stopped")
    drill >> asked("promote", release="chat") << answered("refused")
    drill >> asked("resume", release="chat") << weight(3_000, "chat", "one") << journal("resumed")
    drill >> asked("rollback", release="chat", arm="two") << weight(0, "chat", "two")
    drill >> asked("resume", release="chat", arm="one") << answered("already")
    drill.finish()


def test_last_arm_is_kept() -> None:
    """The baseline answers whatever trips (Envoy #26877, #27909)."""
    drill = Drill(split_of())
    drill >> trips("error_rate", arm="one") >> trips("error_rate", arm="two") >> trips("error_rate", arm="current")
    drill << weight(10_000, "chat", "current")
    drill.finish()


def test_unpublished_is_tried_again(drill: Drill) -> None:
    """A table that could not be handed over is, at the next tick; the latch holds meanwhile."""
    drill.published.is_broken = True
    drill >> trips("error_rate")
    assert not drill.controller.is_kept and drill.keeper.kept.latches
    drill.published.is_broken = False
    drill >> after(seconds=1) << weight(0)


def test_reload_between_decision_and_table(drill: Drill) -> None:
    """A file that comes in while a table is being published is in that table: nothing stale goes out."""
    changed = plan_of("bbbbbbbbbbbb")

    def reload() -> None:
        drill.published.before = lambda: None
        drill.controller.admit({changed.release: changed})

    drill.published.before = reload
    drill >> trips("error_rate") << weight(1_000)


def test_reload_between_two_promotions() -> None:
    """A file that comes in while one candidate is promoted keeps what was decided about another's old content."""
    first, second = plan_of(), plan_of(release="second", route="second")
    drill = Drill(first, second)

    def reload() -> None:
        drill.published.before = lambda: None
        changed = plan_of("bbbbbbbbbbbb", release="second", route="second")
        drill.controller.admit({"support": first, "second": changed})

    drill >> gates(errors="pass") >> after(hours=23) << weight(1_000)
    drill.published.before = reload
    drill >> after(hours=1) << weight(5_000) << weight(1_000, "second")
    assert drill.controller.rollouts["second"].plan.content == "bbbbbbbbbbbb"
    drill.finish()


def test_alert_speaks_now_and_then(drill: Drill) -> None:
    """A signal that only alerts is heard a few times a day, not every second, and changes nothing."""
    drill.rules.trips = [trip_of(Action.ALERT, signal="cost")]
    drill >> after(seconds=1) >> after(seconds=1) >> after(hours=1) << weight(1_000)
    assert [str(entry.kind) for entry in drill.alerts] == ["started", "alerted"]
    drill >> after(hours=6) << journal("alerted", "alerted")


def test_broken_comparison_decides_nothing(drill: Drill) -> None:
    """With users missing from an arm no gate passes or fails; that is said once a day."""
    drill.rules.health = [ScriptedHealth()]
    drill >> gates(errors="pass") >> after(days=1) >> after(hours=5) << weight(1_000) << stage(0)
    told = [entry.rule for entry in drill.alerts if entry.rule.startswith("health")]
    assert told == ["health:srm"]


def test_late_evidence_is_thrown_away(drill: Drill) -> None:
    """What was read for a stage that a person left meanwhile moves nothing."""
    drill >> gates(errors="pass") >> after(hours=23)
    drill.clock.advance(3_700)
    drill >> asked("pause") >> after(days=1) << weight(1_000) << phase("paused")


def test_commands_are_idempotent(drill: Drill) -> None:
    """Asked twice under one key it is done once, also after a restart; another version is a conflict."""
    drill >> asked("promote", key="a") << weight(5_000) << answered("done")
    drill >> restarted() >> asked("promote", key="a") << weight(5_000) << answered("already")
    drill >> asked("promote", expected_version=1) << weight(5_000) << answered("conflict")
    drill >> asked("rollback", release="nobody's") << answered("unknown")


def test_time_survives_a_restart(drill: Drill) -> None:
    """Time in a stage is kept; the time a dead process did not see does not count."""
    drill >> gates(errors="pass") >> after(hours=20) >> restarted()
    drill.clock.advance(86_400.0)
    drill >> restarted() >> after(hours=3) << weight(1_000)
    drill >> after(hours=2) << weight(5_000)


def test_facts_reach_the_watch(drill: Drill) -> None:
    """What happened is counted before anything is decided; a restart goes on with what was counted."""
    drill.source.waiting = [Facts("support", 1, {}, 0, 77, {})]
    drill >> after(hours=1) << weight(1_000)
    assert drill.controller.readings("support") == ["begun 0", "facts 77"]
    drill >> restarted() << weight(1_000)
    assert drill.controller.readings("support")[0] == "restored (begun 0; facts 77)"


def test_killed_after_a_resume(drill: Drill) -> None:
    """What a signal acted upon before a person resumed it is not counted again, though a kill lost what came since."""
    drill >> after(seconds=61) >> trips("error_rate") >> after(seconds=61) >> asked("resume") >> restarted()
    drill << resumes(1)
    assert drill.controller.readings("support") == ["begun 1"]


def test_key_outlives_the_content(drill: Drill) -> None:
    """A command that is sent again after an edit was meant for the content before it."""
    drill >> asked("promote", key="k1") << weight(5_000)
    drill >> edited(plan_of("bbbbbbbbbbbb")) >> asked("promote", key="k1") << answered("already") << weight(1_000)


def test_command_that_is_cut_off() -> None:
    """Whoever stops waiting for a table leaves it to the next tick."""
    drill = Drill(plan_of())

    async def cut_off() -> None:
        drill.published.hangs = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(drill.controller.command("support", PROMOTION), 0.01)
        drill.published.hangs = False

    drill >> Happens("nobody waits for a promotion", lambda _: cut_off()) >> after(seconds=1) << weight(5_000)
    drill.finish()


def test_resuming_one_arm_of_a_closed_split() -> None:
    """Who closed a whole split without the control process did not mean one arm: each is resumed for itself."""
    drill = Drill(split_of())
    drill >> closed_outside(release="chat") << weight(0, "chat", "one") << weight(0, "chat", "two")
    drill >> asked("resume", release="chat", arm="one") << weight(3_000, "chat", "one") << weight(0, "chat", "two")
    drill >> restarted() << weight(0, "chat", "two")
    drill.finish()


def test_unreadable_latches_before_any_file() -> None:
    """Latches that cannot be read stay as they are until it is known whom they close."""
    drill = Drill(split_of())
    drill >> asked("rollback", release="chat", arm="one") << weight(0, "chat", "one")
    drill.keeper.unread_latches()
    drill >> Happens("another life, whose file is refused", Drill.restart_refused)
    assert drill.keeper.kept.latches is None
    drill >> restarted() << weight(0, "chat", "one") << weight(0, "chat", "two")
    drill.finish()


def test_lost_content_is_no_edit_for_everybody() -> None:
    """With the content lost that an edit comes from, the file is refused: else everybody would have the edit."""
    drill = Drill(plan_of(is_edit=True))
    drill >> trips("error_rate") << phase("rolled_back")
    with pytest.raises(StateError, match=r"contents\.msgpack"):
        drill.controller.baseline_of("support", variant_of("bbbbbbbbbbbb"))
    drill.finish()


def test_trips_while_the_file_is_broken(drill: Drill) -> None:
    """A process that comes back to a file it cannot read watches what was under way, and rolls it back."""
    drill >> Happens("another life, whose file is refused", Drill.restart_refused) << weight(1_000)
    drill >> trips("error_rate") << weight(0) << phase("rolled_back") << journal("rolled_back")


def test_unreadable_latches_beside_a_kept_rollout() -> None:
    """A latch file that cannot be read is kept as it is while the file cannot be read either; then it closes all."""
    drill = Drill(plan_of(), split_of())
    drill >> asked("rollback", release="chat", arm="one") << weight(0, "chat", "one")
    drill.keeper.unread_latches()
    drill >> Happens("another life, whose file is refused", Drill.restart_refused)
    assert drill.keeper.kept.latches is None
    drill >> restarted() << weight(0, "chat", "one") << weight(0, "chat", "two")
    drill.finish()


def test_pause_outlives_leaving_the_file(drill: Drill) -> None:
    """Who takes a paused rollout out of the file, restarts and puts it back finds it paused, where it stood."""
    drill >> gates(errors="pass") >> after(days=1) << weight(5_000)
    drill >> asked("pause", why="slow") >> edited(None) >> restarted() >> after(days=20) >> edited(plan_of())
    drill << weight(5_000) << phase("paused") << stage(1) << journal("paused", "ended", "returned")
    drill >> asked("resume") >> after(days=1) << weight(9_800)


def test_step_back_outlives_another_wording(drill: Drill) -> None:
    """a, b and a again: what a signal stepped back is not given more for having been away."""
    drill >> trips("thumbs_down", Action.STEP_BACK, step_back_to=500) << weight(500) << phase("paused")
    drill >> edited(plan_of("bbbbbbbbbbbb")) << weight(1_000) << phase("progressing")
    drill >> edited(plan_of()) << weight(500) << phase("paused") << journal("ended", "returned")
    drill >> asked("resume") >> trips("thumbs_down", Action.STEP_BACK, step_back_to=500) << phase("rolled_back")


def test_away_for_too_long(drill: Drill) -> None:
    """After 30 days nobody remembers: it begins anew."""
    drill >> asked("promote") >> asked("pause") >> edited(None) >> after(days=31) >> edited(plan_of())
    drill << weight(1_000) << phase("progressing") << journal("ended", "started")


def test_evidence_outlives_leaving_the_file(drill: Drill) -> None:
    """What was counted goes on being counted: to leave the file is no way to more alpha."""
    drill.source.waiting = [Facts("support", 1, {}, 0, 77, {})]
    drill >> after(seconds=61) >> edited(None) >> after(seconds=61) >> restarted() >> edited(plan_of()) << stage(0)
    assert drill.controller.readings("support") == ["restored (begun 0; facts 77)"]


def test_split_while_the_file_is_broken() -> None:
    """A process that comes back to a file it cannot read knows its splits: they are watched, and can be stopped."""
    drill = Drill(split_of())
    drill >> Happens("another life, whose file is refused", Drill.restart_refused)
    drill >> trips("stop_on_safety", arm="one") << weight(0, "chat", "one") << weight(3_000, "chat", "two")
    drill >> asked("rollback", release="chat", arm="two") << answered("done") << weight(0, "chat", "two")
    drill.finish()


def test_split_spends_alpha_once() -> None:
    """Each resume of an arm is another life of it, with less of alpha, whatever is killed; other arms go on."""
    drill = Drill(split_of())
    for _ in range(2):
        drill >> trips("error_rate", arm="one") >> asked("resume", release="chat") << weight(3_000, "chat", "one")
    assert drill.controller.readings("chat") == ["begun 0", "restarted 1", "restarted 2", "begun 0"]
    drill >> restarted() << weight(3_000, "chat", "one")
    assert drill.controller.readings("chat")[0] == "restored (begun 0; restarted 1; restarted 2)"
    drill.finish()


def test_split_ledger_is_renewed() -> None:
    """A split that runs for months has alpha again every 30 days, also over restarts."""
    drill = Drill(split_of())
    drill >> after(days=20) >> restarted() >> after(days=9) << weight(3_000, "chat", "one")
    assert "restarted 0" not in drill.controller.readings("chat")
    drill >> after(days=2) << weight(3_000, "chat", "one")
    assert drill.controller.readings("chat").count("restarted 0") == 2
    drill.finish()


def test_resume_to_internal_opens_the_latch() -> None:
    """Resumed at a stage without weight it is resumed: its internal users get it, and a restart closes nothing."""
    drill = Drill(plan_of(stages=(Stage(StageKind.INTERNAL, 0, min_duration_s=90_000.0), share(1_000), share(10_000))))
    drill >> trips("error_rate") << phase("rolled_back") >> asked("resume") << stage(0) << phase("progressing")
    assert drill.controller.latches == () and drill.published.standings["support"].internal_arm == "concise"
    drill >> restarted() << phase("progressing")
    drill.finish()
