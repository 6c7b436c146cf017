"""The main job: each user gets one arm and keeps it, and the provider sees exactly what that arm writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest

from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.http import HttpClient, Reply
from tests.flows.rig.load import CHAT, problem_of
from tests.flows.rig.population import MODES, arms_by_real_client, arms_of, users
from tests.flows.rig.provider import ProviderProcess

N_USERS = 2_000
N_ASKING = 24

CONFIG = """version: 1
default_provider: local
providers:
  local: {{base_url: "{base_url}", auth: none}}
identity:
  user: [header:x-user-id, body:safety_identifier, body:user, body:metadata.user_id]
  internal_users: [ana@example.com]
  segments:
    plan: header:x-plan
    medical: {{match: "(?i)diagnos|dosage", source: last_user_message}}
routes:
  support:
    variants: &variants
      current: {{model: model-a, system_prompt: {{replace: "Be patient."}}, params: {{set: {{temperature: 0.7}}}}}}
      concise:
        model: model-b
        system_prompt: {{replace: "Be brief."}}
        params: {{set: {{temperature: 0.3}}, unset: [top_p], rename: {{max_tokens: max_completion_tokens}}}}
    release: {{name: support-v8, split: {{arms: {{current: {baseline}%, concise: {candidate}%}}, baseline: current}}}}
    on_edit: allow
  paying:
    variants: *variants
    release: {{audience: {{plan: [paid]}}, split: {{arms: {{current: 0%, concise: 100%}}, baseline: current}}}}
    on_edit: allow
  ill:
    variants: *variants
    release: {{audience: {{medical: ["true"]}}, split: {{arms: {{current: 0%, concise: 100%}}, baseline: current}}}}
    on_edit: allow
"""


def config(sim: ProviderProcess, candidate: int = 50) -> str:
    """Give the file in which the candidate has so many percent."""
    return CONFIG.format(base_url=sim.base_url, baseline=100 - candidate, candidate=candidate)


@pytest.fixture(name="running", scope="module")
def _running(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give one gateway for the whole file; who changes its configuration puts it back."""
    with gateway(tmp_path_factory.mktemp("split"), config(sim)) as running:
        yield running


@pytest.fixture(name="told", scope="module")
def _told(running: GatewayProcess) -> dict[str, str]:
    """Give each of the 2,000 users' arms, asked for once at the beginning."""
    return arms_of(running.port, users(N_USERS))


def test_half_and_half(told: dict[str, str]) -> None:
    """Of 2,000 users half get each arm, within three points."""
    counts = Counter(told.values())
    assert set(counts) == {"current", "concise"}
    assert abs(counts["concise"] / N_USERS - 0.5) < 0.03


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_real_client_gets_same(running: GatewayProcess, told: dict[str, str], mode: Any) -> None:
    """Through the official client, chat and responses, streamed and not, each user gets the same arm."""
    some = users(N_USERS)[MODES.index(mode) :: 8]
    arms = asyncio.run(arms_by_real_client(running.base_url, some, mode))
    assert arms == {user: told[user] for user in some}


def test_provider_saw_the_arm(running: GatewayProcess, sim: ProviderProcess, told: dict[str, str]) -> None:
    """Every request at the provider bears prompt, model and parameters of its user's arm, and no other."""
    before = sim.stats().n_requests
    assert arms_of(running.port, users(N_USERS), names_user_in_body=True) == told
    seen = {entry.json["user"]: entry.json for entry in sim.received(after=before)}
    written = {"current": ("model-a", "Be patient.", 0.7), "concise": ("model-b", "Be brief.", 0.3)}
    got = {user: (body["model"], body["messages"][0]["content"], body["temperature"]) for user, body in seen.items()}
    assert got == {user: written[arm] for user, arm in told.items()}


ODD = b'"x_unknown": {"a":1.0, "b":[1e5, 0.10, 123456789012345678901234567890],"a":2} ,"t\\u00f6p":null'
KEPT = b'"x_unknown":{"a":1.0, "b":[1e5, 0.10, 123456789012345678901234567890],"a":2},"t\xc3\xb6p":null'
"""Top-level names are spelt anew, the values below them are not touched."""

USER = b'{"role":"user","content":"h\\u00e9 \\/ x" , "name":"a"}'
BODIES = {
    ("/v1/chat/completions", "current"): (
        b'{"model": "support",\n "messages" : [{"role":"system","content":"old"}, ' + USER + b'], "top_p":0.50, '
        + ODD + b"}",
        b'{"model":"model-a","messages":[{"role":"system","content":"Be patient."},' + USER + b'],"top_p":0.50,' + KEPT
        + b',"temperature":0.7}',
    ),
    ("/v1/chat/completions", "concise"): (
        b'{"messages": [' + USER + b'] , "model": "support","top_p":1,"temperature":1.50,"max_tokens":7, ' + ODD + b"}",
        b'{"messages":[{"role":"system","content":"Be brief."},' + USER + b'],"model":"model-b","temperature":0.3'
        b',"max_completion_tokens":7,' + KEPT + b"}",
    ),
    ("/v1/responses", "current"): (
        b'{"instructions":"old" ,"input" : [ ' + USER + b' ],"model": "support", ' + ODD + b"}",
        b'{"instructions":"Be patient.","input":[ ' + USER + b' ],"model":"model-a",' + KEPT + b',"temperature":0.7}',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "arm"), BODIES, ids=str)
def test_unknown_fields_untouched(running: GatewayProcess, sim: ProviderProcess, path: str, arm: str) -> None:
    """What no variant names arrives byte for byte, and what one names arrives as it says."""
    sent, expected = BODIES[path, arm]
    before = sim.stats().n_requests
    asked = HttpClient(running.port, keeps=False).post(path, sent, {"x-sluice-force-variant": arm})
    assert asyncio.run(asked).status == 200
    (entry,) = sim.received(after=before)
    assert entry.body == expected
    assert not [name for name in entry.headers if name.startswith(("x-sluice", "x-user"))]


def test_same_after_restarts(running: GatewayProcess, sim: ProviderProcess, told: dict[str, str]) -> None:
    """A rolling restart, a reload and a full stop and start move nobody."""
    some = users(N_USERS)[::4]
    expected = {user: told[user] for user in some}
    assert running.restart()["problem"] == ""
    assert arms_of(running.port, some) == expected
    running.apply(config(sim).replace("Be brief.", "Be very brief."))
    assert arms_of(running.port, some) == expected
    assert running.stop() == 0
    running.start()
    assert arms_of(running.port, some) == expected
    running.apply(config(sim))


def test_growing_takes_nobody_out(running: GatewayProcess, sim: ProviderProcess) -> None:
    """From 5 to 25 to 50 % and over a restart, whoever has the candidate keeps it; down and up again too."""
    everyone = users(N_USERS)
    grown: list[set[str]] = []
    for share in (5, 25, 50, 25, 50):
        running.apply(config(sim, candidate=share))
        if len(grown) == 2:
            running.restart()
        grown.append({user for user, arm in arms_of(running.port, everyone).items() if arm == "concise"})
        assert abs(len(grown[-1]) / N_USERS - share / 100) < 0.03
    five, quarter, half, back, again = grown
    assert five < quarter < half
    assert five <= back < half
    assert again >= back


def ask(running: GatewayProcess, body: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
    """Ask a route once."""
    whole = {"model": "support", "messages": [{"role": "user", "content": "Where is it?"}]} | body
    reply = asyncio.run(HttpClient(running.port, keeps=False).post(CHAT, whole, headers or {}))
    assert problem_of(reply, is_stream=False) == ""
    return reply


def test_nobody_gets_baseline(running: GatewayProcess) -> None:
    """Requests without a user get the baseline, and the status says how many there are."""

    def n_without() -> int:
        return sum(worker["counts"]["without_user"] for worker in running.status()["workers"])

    before = n_without()
    arms = {ask(running, {"seed": number}).headers["x-sluice-variant"] for number in range(20)}
    assert arms == {"current"}
    running.until(lambda _: n_without() == before + 20)


@pytest.mark.parametrize(
    "named",
    [{"safety_identifier": "user-{n}"}, {"user": "user-{n}"}, {"metadata": {"user_id": "user-{n}"}}],
    ids=lambda named: next(iter(named)),
)
def test_user_in_body(running: GatewayProcess, told: dict[str, str], named: dict[str, Any]) -> None:
    """However an app names its user, it is the same user."""
    for number in range(12):
        body = orjson.loads(orjson.dumps(named).replace(b"{n}", b"%d" % number))
        assert ask(running, body).headers["x-sluice-variant"] == told[f"user-{number}"]


def test_audience_by_header(running: GatewayProcess) -> None:
    """Outside the audience there is only the baseline."""
    plans = {
        plan: ask(running, {"model": "paying"}, {"x-user-id": "u", "x-plan": plan}).headers["x-sluice-variant"]
        for plan in ("free", "paid")
    }
    assert plans == {"free": "current", "paid": "concise"}


def test_audience_by_pattern(running: GatewayProcess) -> None:
    """A pattern on the last user message is a segment like any other."""
    texts = {
        text: ask(running, {"model": "ill", "messages": [{"role": "user", "content": text}]}, {"x-user-id": "u"})
        for text in ("What DOSAGE?", "What time?")
    }
    assert [reply.headers["x-sluice-variant"] for reply in texts.values()] == ["concise", "current"]


def test_explain_agrees(running: GatewayProcess, told: dict[str, str]) -> None:
    """What the operators' port explains is what fifty users got; the command says the same."""
    some = users(N_USERS)[:50]
    explained = {user: running.ask_operators(f"/api/explain?route=support&user={user}")[1]["arm"] for user in some}
    assert explained == {user: told[user] for user in some}
    where = ("--config", str(running.config), "--state", str(running.state), "--json")
    for user in some[:3]:
        done = running.sluice("explain", "--route", "support", "--user", user, *where)
        assert orjson.loads(done.stdout)["arm"] == told[user], done


def test_unknown_model_goes_unsplit(running: GatewayProcess, sim: ProviderProcess) -> None:
    """A model that is no route goes to the default provider as it was sent."""
    with openai.OpenAI(base_url=running.base_url, api_key="k", max_retries=0) as client:
        answer = client.chat.completions.create(model="model-z", messages=[{"role": "user", "content": "hi"}])
    assert answer.model == "model-z"
    assert sim.received()[-1].json == {"model": "model-z", "messages": [{"role": "user", "content": "hi"}]}


def test_state_is_kept_apart(sim: ProviderProcess, home: Path, told: dict[str, str]) -> None:
    """Another gateway with another state and the same release gives the same users the same arms."""
    some = users(N_USERS)[:200]
    with gateway(home, config(sim)) as other:
        assert arms_of(other.port, some) == {user: told[user] for user in some}
