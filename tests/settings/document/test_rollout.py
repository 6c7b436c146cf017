"""The section `rollout`."""

from __future__ import annotations

from gateway.settings.document.rollout import RolloutSection, SignalSection, parse_stage

_WRITTEN_OUT = {
    "baseline": "current",
    "candidate": "concise",
    "change_type": "prompt_wording",
    "quality_metrics": ["thumbs"],
    "control": "rest",
    "holdback": {"share": "2%", "for": "30d"},
    "stages": [{"at": "internal", "min_duration": "1d", "approve": True}, {"at": "10%", "gates": ["errors"]}],
    "gates": {"errors": {"ratio": 2, "pass_mode": "no_evidence", "on_fail": "rollback"}},
    "on_insufficient": "extend",
    "signals": {
        "error_rate": "off",
        "thumbs_down": {"metric": "thumbs", "ratio": 1.5, "window": "2h", "action": {"step_back": "5%"}},
    },
}


def test_everything_may_be_written() -> None:
    """The long form of the contract is read whole."""
    rollout = RolloutSection.model_validate(_WRITTEN_OUT)
    assert [stage.at for stage in rollout.stages or []] == ["internal", 1_000]
    assert (rollout.signals["error_rate"], rollout.holdback.held_for) == ("off", 30 * 86_400)
    assert isinstance(rollout.signals["thumbs_down"], SignalSection)


def test_stages_are_shares_or_names() -> None:
    """Shares become buckets."""
    assert [parse_stage(value) for value in ("internal", "shadow", "0.5%")] == ["internal", "shadow", 50]
