"""The status begins with one sentence a person understands."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.status import render_status

WORKER: dict[str, Any] = {
    "slot": 0,
    "pid": 7,
    "state": "serving",
    "version": 3,
    "in_flight": 1,
    "uptime_s": 5.0,
    "restarts": 0,
    "counts": {},
}
BODY: dict[str, Any] = {
    "config_hash": "ab12",
    "version": 3,
    "routes": 2,
    "findings": [],
    "warnings": [{"text": "s.yaml:1:1: unwise"}],
    "workers": [WORKER],
    "n_slots": 1,
    "is_ready": True,
    "is_draining": False,
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "All is well: 1 of 1 workers serve."),
        ({"is_ready": False, "workers": []}, "Not ready: 0 of 1 workers serve."),
        ({"is_draining": True}, "Going down: 1 of 1 workers serve and finish what they have."),
        (
            {"findings": [{"text": "s.yaml:2:1: wrong"}]},
            "The configuration file is refused and the one before goes on; 1 of 1 workers serve.",
        ),
    ],
)
def test_begins_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    """The first line says how it stands."""
    assert render_status(BODY | changes).splitlines()[0] == sentence


def test_shows_what_is_wrong() -> None:
    """Findings, warnings and workers have a line each."""
    shown = render_status(BODY | {"findings": [{"text": "s.yaml:2:1: wrong"}]})
    assert "  s.yaml:2:1: wrong\n" in shown and "warning: s.yaml:1:1: unwise" in shown
    assert "worker 0  pid 7  serving  table v3  1 in flight  up 5 s  0 restarts" in shown


def test_says_who_names_no_user() -> None:
    """The share of requests without a user is told, over all workers, once there are any."""
    workers = [
        WORKER | {"counts": {"routed": routed, "without_user": without}} for routed, without in ((60, 3), (40, 2))
    ]
    shown = render_status(BODY | {"workers": workers})
    assert "5.0% of 100 routed requests name no user and get the baseline\n" in shown
    assert "name no user" not in render_status(BODY)


def test_says_where_facts_are() -> None:
    """What was accepted and where it is; why the store is away, and that nobody waits for it."""
    facts = {"accepted": 12, "stored": 4, "queued": 3, "spooled": 2, "dropped": {"spool_full": 2, "unfit": 1}}
    shown = render_status(BODY | {"facts": facts | {"store": "degraded", "store_error": "database is locked"}})
    assert "12 accepted, 4 stored, 3 queued, 2 spooled, 3 dropped (spool_full 2, unfit 1)" in shown
    assert "store degraded: database is locked; requests are served all the same" in shown
    assert "store" not in render_status(BODY | {"facts": facts | {"store": "ok", "store_error": None}}).splitlines()[-1]
    assert "facts" not in render_status(BODY)


def test_says_how_rollouts_stand() -> None:
    """Every rollout and split has a line in words; what is latched beside them is named."""
    steering = {
        "rollouts": [{"release": "support-v8", "sentence": "concise is at 10 %.", "waits_for": "14 h more"}],
        "splits": [
            {
                "release": "sales",
                "route": "sales",
                "arms": [
                    {"arm": "old", "weight_pct": 50.0, "is_stopped": False},
                    {"arm": "new", "weight_pct": 50.0, "is_stopped": True},
                ],
            }
        ],
        "latches": [
            {"release": "gone", "arm": "", "sentence": "rolled\nback"},
            {"release": "sales", "arm": "new", "sentence": "unsafe"},
        ],
        "facts_left_out": {"beyond_bounds": 7, "of_unknown_epochs": 0},
    }
    shown = render_status(BODY | {"steering": steering}).splitlines()
    assert "facts that no watch was told: 7 beyond bounds" in shown
    assert "support-v8: concise is at 10 %. It waits for 14 h more." in shown
    assert "sales: sales is split between old 50 %, new stopped." in shown
    assert "latched: gone, every candidate: rolled back" in shown and not any("unsafe" in line for line in shown)
