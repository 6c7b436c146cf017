"""Flags and requests agree: the real OpenFeature client, real processes, and the arm that requests get."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError
from openfeature.flag_evaluation import Reason

from gateway.assign.choose import choose
from gateway.settings.allocations import Allocations
from gateway.settings.compile import compile_text
from tests.flows.rig.gateway import GatewayProcess, gateway
from tests.flows.rig.population import arms_of, users
from tests.flows.rig.provider import ProviderProcess

N_USERS = 10_000
N_ASKING = 300
N_CLIENTS = 2
URL = "/ofrep/v1/evaluate/flags"
CONFIG = """version: 1
providers:
  local: {{base_url: "{base_url}", auth: none}}
routes:
  support:
    variants:
      current: {{model: model-a}}
      concise: {{model: model-b}}
    flags: {{rag: {{current: {{top_k: 5}}, concise: {{top_k: 8}}}}}}
    release: {{name: support-v8, {release}}}
"""
SPLIT = "split: {arms: {current: 60%, concise: 40%}, baseline: current}"
ROLLOUT = "rollout: {baseline: current, candidate: concise, stages: [{at: 50%, min_duration: 1d}, {at: 100%}]}"
TOP_K = {"current": 5, "concise": 8}


@pytest.fixture(name="running", scope="module")
def _running(sim: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Give one gateway of two workers for the whole file."""
    home = tmp_path_factory.mktemp("ofrep")
    with gateway(home, CONFIG.format(base_url=sim.base_url, release=SPLIT)) as running:
        yield running


def chosen(home: Path, some: list[str]) -> dict[str, str]:
    """Give each user's arm as the pure chooser has it."""
    text = CONFIG.format(base_url="http://127.0.0.1:9/v1", release=SPLIT)
    options: dict[str, Any] = {"name": "s.yaml", "folder": home, "environ": {}, "version": 1, "seal_key": bytes(32)}
    (route,) = compile_text(text, previous=Allocations(), **options).routes
    release = route.release
    return {user: release.arms[choose(release, user, user=user, segments={}).arm].name for user in some}


def told(url: str, some: list[str]) -> dict[str, str]:
    """Give each user's arm as the real client reads it; the value must be that arm's."""
    provider = OFREPProvider(url)
    provider.session.trust_env = False  # Looking for proxies and .netrc is half of a request's time.
    arms: dict[str, str] = {}
    for user in some:
        details = provider.resolve_object_details("support.rag", {}, EvaluationContext(user))
        assert isinstance(details.value, dict) and details.reason is Reason.SPLIT and details.variant is not None
        assert details.value["top_k"] == TOP_K[details.variant]
        arms[user] = details.variant
    provider.session.close()
    return arms


def bulk(address: str, user: str, headers: dict[str, str] | None = None) -> tuple[int, str, Any]:
    """Give status, tag and JSON of all flags of a user, on a connection of its own."""
    connection = HTTPConnection(address, timeout=30)
    try:
        body = orjson.dumps({"context": {"targetingKey": user}})
        connection.request("POST", URL, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        raw = response.read()
        return response.status, response.headers.get("ETag", ""), orjson.loads(raw) if raw else None
    finally:
        connection.close()


@pytest.mark.timeout(300)
def test_same_arm_for_all(running: GatewayProcess, tmp_path: Path) -> None:
    """The real client gets the chooser's arm for 10,000 users, and requests of the first 300 get it too."""
    some = users(N_USERS)
    public = running.base_url.removesuffix("/v1")
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        parts = pool.map(lambda start: told(public, some[start::N_CLIENTS]), range(N_CLIENTS))
        arms = {user: arm for part in parts for user, arm in part.items()}
    assert arms == chosen(tmp_path, some)
    assert arms_of(running.port, some[:N_ASKING]) == {user: arms[user] for user in some[:N_ASKING]}


def test_ports_agree(running: GatewayProcess) -> None:
    """Both ports give the same bytes and the same tag, and 304 for it."""
    public = f"127.0.0.1:{running.port}"
    for user in users(40):
        status, tag, flags = bulk(public, user)
        assert (status, [flag["key"] for flag in flags["flags"]]) == (200, ["support", "support.rag"])
        assert bulk(running.operators, user) == (status, tag, flags)
        for address in (public, running.operators):
            assert bulk(address, user, {"If-None-Match": tag}) == (304, tag, None)


def test_client_understands_refusals(running: GatewayProcess) -> None:
    """An unknown flag is the client's own error; a user who is not named gets the baseline by default."""
    provider = OFREPProvider(f"http://{running.operators}")
    with pytest.raises(FlagNotFoundError, match="there is no flag 'rag'"):
        provider.resolve_object_details("rag", {}, EvaluationContext("ana"))
    details = provider.resolve_string_details("support", "", EvaluationContext())
    assert (details.value, details.reason) == ("current", Reason.DEFAULT)
    provider.session.close()


def test_rollback_reaches_flags(sim: ProviderProcess, home: Path) -> None:
    """After a rollback nobody is told the candidate, on either port, and who had it is told DISABLED."""
    some = users(60)
    with gateway(home, CONFIG.format(base_url=sim.base_url, release=ROLLOUT)) as running:
        ports = f"127.0.0.1:{running.port}", running.operators

        def candidates() -> list[str]:
            flags = [(user, bulk(port, user)[2]["flags"][0]) for port in ports for user in some]
            return [user for user, flag in flags if flag["value"] == "concise"]

        before = candidates()
        assert len(before) > 15
        assert running.sluice("rollback", "support", "--state", str(running.state), "--who", "ana").returncode == 0
        deadline_s = time.monotonic() + 20.0
        while candidates():
            assert time.monotonic() < deadline_s, running.log()
        for user in before:
            flag = bulk(ports[0], user)[2]["flags"][1]
            assert (flag["reason"], flag["value"]) == ("DISABLED", {"top_k": 5})
