"""Experiments end to end: people ask, say late what they think, and the report says what is true, and no sooner."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

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


KINDS = """
version: 1
providers:
  local: {{base_url: "{base_url}", auth: none}}
metrics:
  thumbs: {{kind: binary, role: satisfaction, attribution: 1s}}
routes:
  tried:
    variants: {{a: {{model: a}}, b: {{model: b}}, c: {{model: c}}}}
    release: {{bandit: {{arms: [a, b, c], reward: thumbs}}}}
  climbed:
    variants: {{a: {{model: a}}, b: {{model: b}}, c: {{model: c}}}}
    release: {{ladder: {{champion: a, challengers: [b, c], primary_metric: thumbs}}}}
  crossed:
    variants: {{a: {{model: a}}}}
    release:
      factorial:
        base: a
        primary_metric: thumbs
        factors: {{model: {{small: a, big: b}}, temperature: {{low: 0.1, high: 0.9}}}}
"""
CELLS = [f"model={model},temperature={heat}" for model in ("small", "big") for heat in ("low", "high")]


def test_every_kind_divides_and_reports(home: Path, sim: ProviderProcess) -> None:
    """Each kind divides its users and is reported on; an arm that is stopped is gone."""
    arms: dict[str, Counter[str]] = {}
    with gateway(home, KINDS.format(base_url=sim.base_url)) as running:
        for route in ("tried", "climbed", "crossed"):
            answered = asyncio.run(ask_all(running.port, users(400), route=route))
            asyncio.run(say_all(running.port, answered, lambda arm, chance: [("thumbs", float(chance.random() < 0.8))]))
            arms[route] = Counter(one.arm for one in answered)
        assert sorted(arms["tried"]) == ["a", "b", "c"] and min(arms["tried"].values()) > 80
        assert sorted(arms["climbed"]) == ["a", "b"]
        assert sorted(arms["crossed"]) == sorted(CELLS) and min(arms["crossed"].values()) > 60
        stopped = running.sluice("rollback", "tried", "--arm", "b", "--state", str(running.state), "--who", "ana")
        assert stopped.returncode == 0, stopped.stderr
        running.until(lambda status: _weights_of(status, "tried")["b"] == 0, 60.0)
        after = asyncio.run(ask_all(running.port, users(400), route="tried"))
        assert sorted({one.arm for one in after}) == ["a", "c"]
        for route, kind in (("tried", "bandit"), ("climbed", "ladder"), ("crossed", "factorial")):
            report = report_of(running, route)
            assert (report["kind"], report[kind] is not None) == (kind, True)
            assert sum(arm["n_units"] for arm in report["arms"]) > (20 if kind == "bandit" else 399)
        assert "b was removed" in report_of(running, "tried")["verdict"]["headline"]


def _weights_of(status: dict[str, Any], release: str) -> dict[str, float]:
    """Give percent by arm."""
    [found] = [one for one in status["steering"]["splits"] if one["release"] == release]
    return {arm["arm"]: arm["weight_pct"] for arm in found["arms"]}
