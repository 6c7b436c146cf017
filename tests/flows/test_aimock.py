"""A provider that nobody here wrote, aimock: chat and responses through it, streamed and not, rewritten on the way."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai
import orjson
import pytest

from tests.flows.rig.gateway import gateway
from tests.flows.rig.parts import DRIVERS, node_folder

ANSWER = "Hi there, this is a mock with words enough for some chunks."
CONFIG = """version: 1
default_provider: mock
providers:
  mock: {{base_url: "{base_url}/v1", auth: none}}
routes:
  support:
    variants:
      current: {{model: gpt-4o, system_prompt: {{replace: "Be patient."}}, params: {{set: {{temperature: 0.7}}}}}}
    release: {{fixed: {{variant: current}}}}
"""


@dataclass(frozen=True, slots=True)
class Mocked:
    """aimock behind the gateway, and a client in front."""

    url: str
    client: openai.OpenAI

    def last_body(self, path: str) -> dict[str, Any]:
        """Give the last request that aimock says it received on a path."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request("GET", f"/__aimock/journal?path={path}")
            entries = orjson.loads(connection.getresponse().read())
        finally:
            connection.close()
        return dict(entries[-1]["body"])


@pytest.fixture(name="mocked", scope="module")
def _mocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mocked]:
    folder = node_folder("@copilotkit/aimock@1")
    command = ["node", str(DRIVERS / "aimock.mjs"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            with (
                gateway(tmp_path_factory.mktemp("aimock"), CONFIG.format(base_url=url), workers=1) as running,
                openai.OpenAI(base_url=running.base_url, api_key="k", max_retries=0, timeout=20) as client,
            ):
                yield Mocked(url, client)
        finally:
            process.stdin.close()
            process.wait(10)


def test_chat(mocked: Mocked) -> None:
    """A whole chat answer passes, and the mock saw the rewritten request."""
    messages: Any = [{"role": "system", "content": "old"}, {"role": "user", "content": "hello"}]
    whole = mocked.client.chat.completions.create(model="support", messages=messages)
    assert whole.choices[0].message.content == ANSWER
    body = mocked.last_body("/v1/chat/completions")
    assert (body["model"], body["temperature"]) == ("gpt-4o", 0.7)
    assert body["messages"] == [{"role": "system", "content": "Be patient."}, {"role": "user", "content": "hello"}]


@pytest.mark.parametrize("wants_usage", [False, True])
def test_chat_stream(mocked: Mocked, wants_usage: bool) -> None:
    """A chat stream passes to its end, with usage only where it was asked for."""
    more: Any = {"stream_options": {"include_usage": True}} if wants_usage else {}
    messages: Any = [{"role": "user", "content": "hello"}]
    chunks: Any = list(mocked.client.chat.completions.create(model="support", messages=messages, stream=True, **more))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == ANSWER
    assert choices[-1].finish_reason == "stop"
    assert sum(chunk.usage is not None for chunk in chunks) == wants_usage


def test_responses(mocked: Mocked) -> None:
    """A whole response passes; the system prompt is in the place this API has for it."""
    whole = mocked.client.responses.create(model="support", input="hello", instructions="old")
    assert (whole.status, whole.output_text) == ("completed", ANSWER)
    assert "Be patient." in orjson.dumps(mocked.last_body("/v1/responses")).decode()


def test_responses_stream(mocked: Mocked) -> None:
    """A response's stream passes event by event to its end."""
    events = list(mocked.client.responses.create(model="support", input="hello", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert events[-1].type == "response.completed"


def test_unknown_question(mocked: Mocked) -> None:
    """What the mock has no answer for is an error of its own, passed on as such."""
    with pytest.raises(openai.APIStatusError) as caught:
        mocked.client.chat.completions.create(model="support", messages=[{"role": "user", "content": "unheard of"}])
    assert caught.value.status_code in (404, 503)


def test_unrouted_passes(mocked: Mocked) -> None:
    """A model that is no route goes to the mock as it is."""
    whole = mocked.client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "hello"}])
    assert whole.choices[0].message.content == ANSWER
    assert mocked.last_body("/v1/chat/completions")["model"] == "gpt-4.1"
