"""A gateway's public port with a judge behind it, as the judge's desk sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[[dict[str, Any], int], tuple[int, dict[str, Any]]]


def said(text: str, *, refusal: str | None = None) -> dict[str, Any]:
    """Give a chat completion that says this, for 100 and 10 tokens."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}


def verdict(winner: str, reason: str = "kinder") -> dict[str, Any]:
    """Give a verdict as a completion."""
    return said(orjson.dumps({"reason": reason, "winner": winner}).decode())


def shown_first(body: dict[str, Any]) -> str:
    """Give the text that the judge was shown as answer 1."""
    found = re.search(r"<<<\w+ ANSWER 1\n(.*?)\n<<<\w+ END OF ANSWER 1", body["messages"][1]["content"], re.DOTALL)
    assert found is not None
    return found[1]


def prefer(wanted: str) -> Answer:
    """Give a judge that prefers answers that hold this word, wherever they stand."""
    return lambda body, n: (200, verdict("1" if wanted in shown_first(body) else "2"))


class FakeJudge:
    """
    Listens while it is entered.

    Attributes:
        asked: Bodies of questions.
        told: Bodies of feedback.
        url: Where it is.
    """

    def __init__(self, answer: Answer, *, feedback_status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.url = ""
        self._answer = answer
        self._feedback_status = feedback_status
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._judge)
        app.router.add_post("/v1/feedback", self._take)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> FakeJudge:
        """Listen."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self._runner.cleanup()

    async def _judge(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.asked.append(body)
        status, answer = self._answer(body, len(self.asked))
        headers = {"x-sluice-variant": "only"}
        return web.Response(status=status, body=orjson.dumps(answer), content_type="application/json", headers=headers)

    async def _take(self, request: web.Request) -> web.Response:
        self.told.append(orjson.loads(await request.read()))
        return web.json_response({}, status=self._feedback_status)
