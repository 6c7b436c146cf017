"""A rollout that was promoted, paused, resumed and rolled back, as the operators' port tells it."""

from __future__ import annotations

from typing import Any

DAY_MS = 86_400_000
BEGAN = 1_763_800_000_000
NOW = BEGAN + 2 * DAY_MS

E_PROCESS: dict[str, Any] = {
    "signal": "error_rate",
    "e_value": 311.2,
    "e_value_needed": 250.0,
    "alpha": 0.004,
    "ratio_allowed": 2.0,
    "min_failing_users": 3,
    "over": "15 min",
    "candidate_failing_users": 14,
    "candidate_requests": 60,
    "baseline_failing_users": 3,
    "baseline_requests": 61,
    "baseline_floor": 0.002,
    "ratio": 4.74,
}


def entry(number: int, days: float, kind: str, sentence: str, **changes: Any) -> dict[str, Any]:
    """Give a journal entry so many days after the beginning."""
    return {
        "id": f"support-v8-{number}",
        "at_unix_ms": int(BEGAN + days * DAY_MS),
        "kind": kind,
        "route": "support",
        "release": "support-v8",
        "arm": "concise",
        "who": "controller",
        "sentence": sentence,
        "rule": "gates",
        "why": "",
        "from_weight": 0,
        "to_weight": 0,
        "from_stage": "",
        "to_stage": "",
        "epoch": number,
        "config_version": 3,
        "config_hash": "abc123",
        "evidence": {},
        **changes,
    }


def entries() -> list[dict[str, Any]]:
    """Give its journal, newest first, as the port gives it."""
    told = [
        entry(8, 0.0, "started", "concise begins on support with 10 % of users.", to_weight=1000, rule="file"),
        entry(9, 1.0, "promoted", "concise goes from 10% to 50 %.", from_weight=1000, to_weight=5000),
        entry(10, 1.5, "paused", "Paused by ana.", from_weight=5000, to_weight=5000, who="ana", why="<b>lunch</b>"),
        entry(11, 1.502, "resumed", "concise goes on.", from_weight=5000, to_weight=5000, who="ana", rule="command"),
        entry(
            12,
            1.75,
            "rolled_back",
            "14 users failed against 3.",
            from_weight=5000,
            rule="e_process",
            evidence=E_PROCESS,
        ),
    ]
    return told[::-1]


def epoch(number: int, days: float, weight_pct: float, candidate: int, baseline: int) -> dict[str, Any]:
    """Give a stretch of constant weight."""
    return {
        "epoch": number,
        "since_unix_ms": int(BEGAN + days * DAY_MS),
        "weight_pct": weight_pct,
        "control_pct": 100 - weight_pct,
        "users": {"candidate": candidate, "baseline": baseline},
    }


def rollout(**changes: Any) -> dict[str, Any]:
    """Give it as it stands after the rollback."""
    return {
        "release": "support-v8",
        "route": "support",
        "baseline": "current",
        "candidate": "concise",
        "change_type": "prompt_wording",
        "phase": "rolled_back",
        "stage": {"index": 1, "label": "50%", "of": 3},
        "weight_pct": 0.0,
        "epoch": 2,
        "version": 9,
        "sentence": "concise on support was rolled back by controller and gets nobody: 14 users failed against 3.",
        "waits_for": "a person (sluice resume support) or a changed concise",
        "started_unix_ms": BEGAN,
        "dwelt_s": 64_800.0,
        "n_resumes": 1,
        "n_step_backs": 1,
        "stepped_back_by": ["thumbs_down"],
        "gates": [
            {"gate": "errors", "verdict": "pass", "sentence": "Nothing speaks against it.", "evidence": {"ratio": 2}},
            {"gate": "quality", "verdict": "insufficient", "sentence": "651 users wanted, 10 seen.", "evidence": {}},
        ],
        "signals": [
            {
                "signal": "error_rate",
                "arm": "concise",
                "action": "rollback",
                "value": 4.74,
                "threshold": 2.0,
                "state": "Evidence 311 of 250 needed.",
                "inactive": None,
                "numbers": {"candidate_failing_users": 14},
            },
            {
                "signal": "cost",
                "arm": "concise",
                "action": "alert",
                "value": None,
                "threshold": 1.5,
                "state": "No cost is known.",
                "inactive": "the price list does not know the model",
                "numbers": {},
            },
        ],
        "latches": [{"sentence": "14 users failed against 3."}],
        "epochs": [epoch(0, 0.0, 10.0, 3211, 28002), epoch(1, 1.0, 50.0, 14120, 14003), epoch(2, 1.75, 0.0, 0, 2000)],
        "users": {"candidate": 14120, "baseline": 28002},
        **changes,
    }
