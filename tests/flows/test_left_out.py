"""A provider that is down, with the real processes: users are answered by the fallback, and operators are told."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.request import urlopen

import openai

from gateway.proxy.upstream.ejection import AFTER
from tests.flows.rig.gateway import gateway
from tests.flows.rig.provider import provider

CONFIG = """\
version: 1
providers:
  down: {{base_url: "http://127.0.0.1:{port}/v1"}}
  up: {{base_url: {base_url}}}
routes:
  support:
    variants:
      current: {{provider: down, model: sim-small}}
      spare: {{provider: up, model: sim-small}}
    fallback: [spare]
    release: {{fixed: {{variant: current}}}}
"""


def test_operators_see_it(tmp_path: Path) -> None:
    """Everybody is answered; after five failures nobody waits for the dead one; overview and metrics name it."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # Bound, and nobody listens.
        with provider() as sim:
            text = CONFIG.format(port=dead.getsockname()[1], base_url=sim.base_url)
            with gateway(tmp_path, text, workers=1) as running:
                client = openai.OpenAI(base_url=running.base_url, api_key="x", max_retries=0)
                for number in range(AFTER + 5):
                    answer = client.chat.completions.with_raw_response.create(
                        model="support",
                        messages=[{"role": "user", "content": "hi"}],
                        extra_headers={"x-user-id": f"u{number}"},
                    )
                    assert (answer.status_code, answer.headers["x-sluice-served"]) == (200, "spare")
                status = running.until(lambda now: "left_out:down" in now["workers"][0]["counts"])
                assert 1 <= status["workers"][0]["counts"]["left_out:down"] <= 30
                (told,) = running.ask_operators("/api/overview")[1]["providers"]
                assert (told["provider"], told["state"]) == ("down", "in 1 of 1 workers")
                with urlopen(f"http://{running.operators}/metrics", timeout=10) as response:
                    assert b'sluice_provider_left_out{sluice_provider="down"} 1' in response.read()
