"""What a report says."""

from __future__ import annotations

import pytest

from gateway.report.rollout_summary import RolloutSummary, summarize
from tests.report import story


def summary(**changes: object) -> RolloutSummary:
    """Give the summary of the story."""
    return summarize(story.rollout(**changes), story.entries(), now_unix_ms=story.NOW)


def test_headline_says_it_all() -> None:
    """What, how sure, to how many, what next: in that order."""
    assert summary().headline == (
        "concise on support was rolled back by controller and gets nobody: 14 users failed against 3. "
        "At least 14,120 users have had concise. "
        "It waits for a person (sluice resume support) or a changed concise."
    )


def test_headline_gives_the_grounds() -> None:
    """Where the standing itself does not say why, the last decision that changed a weight does."""
    told = summary(sentence="concise on support is at 50 %.").headline
    assert told.startswith("concise on support is at 50 %. 14 users failed against 3. At least")


def test_decisions_are_in_order() -> None:
    """Oldest first and numbered, with the weight they changed and whose they were."""
    decisions = summary().decisions
    assert [(one.number, one.id) for one in decisions] == [(n, f"support-v8-{n + 7}") for n in range(1, 6)]
    assert [one.change for one in decisions] == ["0 % → 10 %", "10 % → 50 %", "", "", "50 % → 0 %"]
    assert (decisions[2].who, decisions[2].why, decisions[4].tone) == ("ana", "<b>lunch</b>", "bad")


def test_evidence_is_kept() -> None:
    """What a decision stood on is in it, by plain names."""
    evidence = dict(summary().decisions[-1].evidence)
    assert evidence["e value"] == "311.2" and evidence["candidate failing users"] == "14"


def test_gates_and_signals() -> None:
    """Every gate and signal has a line, and what cannot be judged says why."""
    told = summary()
    assert [(gate.name, gate.state) for gate in told.gates] == [("errors", "passes"), ("quality", "too little data")]
    assert [(one.name, one.state, one.value) for one in told.signals] == [
        ("error_rate", "watched", "4.74"),
        ("cost", "not judged now", "–"),
    ]
    assert told.signals[1].sentence == "No cost is known. the price list does not know the model"


def test_users_may_be_unknown() -> None:
    """A store that is away costs the numbers of users and nothing else, and that is said."""
    told = summary(users=None)
    assert "users" not in told.headline.partition("It waits")[0].replace("14 users failed", "")
    assert any("store did not answer" in note for note in told.notes)


def test_one_user() -> None:
    """One user is no users."""
    assert "At least 1 user has had concise." in summary(users={"candidate": 1, "baseline": 2}).headline


def test_release_is_gone() -> None:
    """With the journal alone there still is a report, and it says so."""
    told = summarize(None, story.entries(), now_unix_ms=story.NOW)
    assert told.title == "support: release support-v8"
    assert told.headline == "14 users failed against 3. The release is no longer in the file."


def test_nothing_is_no_report() -> None:
    """Neither rollout nor journal is an error, not an empty page."""
    with pytest.raises(ValueError, match="neither a rollout nor a journal"):
        summarize(None, [], now_unix_ms=0)
