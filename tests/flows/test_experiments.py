"""Experiments end to end: people ask, say late what they think, and the report says what is true, and no sooner."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

from tests.flows.rig.experiments import ask_all, report_of, say_all
from tests.flows.rig.gateway import gateway
from tests.flows.rig.population import users
from tests.flows.rig.provider import ProviderProcess

N_USERS = 5_000
WINDOW_S = 20.0
CONFIG = """
version: 1
providers:
  local: {{base_url: "{base_url}", auth: none}}
metrics:
  thumbs: {{kind: binary, role: satisfaction, attribution: {window_s:g}s}}
  faithfulness: {{kind: score, range: [0, 1], good: 0.7, catastrophic: 0.2, attribution: {window_s:g}s}}
routes:
  support:
    variants: {{current: {{model: a}}, concise: {{model: b}}}}
    release:
      split:
        arms: {{current: 50%, concise: 50%}}
        primary_metric: thumbs
        min_duration: 1s
        min_users: 1000
"""


def opinion(arm: str, chance: Random) -> list[tuple[str, float]]:
    """Five points more like `concise`; and of its answers one in twenty is a catastrophe."""
    likes = 0.85 if arm == "concise" else 0.80
    is_broken = arm == "concise" and chance.random() < 0.05
    return [("thumbs", float(chance.random() < likes)), ("faithfulness", 0.1 if is_broken else 0.9)]


def test_says_what_is_true(home: Path, sim: ProviderProcess) -> None:
    """Before it can know it says to keep running; then that five points were won, and that a tail is broken."""
    with gateway(home, CONFIG.format(base_url=sim.base_url, window_s=WINDOW_S)) as running:
        early = asyncio.run(ask_all(running.port, users(300)))
        asyncio.run(say_all(running.port, early, opinion))
        before = report_of(running)
        assert before["verdict"]["recommendation"] == "keep_running"
        later = asyncio.run(ask_all(running.port, users(N_USERS)[300:]))
        asyncio.run(say_all(running.port, later, opinion))
        time.sleep(WINDOW_S + 2)
        report = report_of(running)
    effects = {effect["metric"]: effect for effect in report["effects"]}
    thumbs, tail = effects["thumbs"], effects["faithfulness:catastrophic"]
    assert sum(arm["n_units"] for arm in report["arms"]) == N_USERS
    assert thumbs["is_better"] and thumbs["low"] < 0.05 < thumbs["high"]
    assert tail["is_worse"] and tail["low"] < 0.05 < tail["high"]
    assert report["verdict"]["recommendation"] == "repair"
    assert not report["ratio_check"]["is_alarm"]
