"""
From a request to what is sent back: which endpoint, which answer, which fault. No I/O.

Paths are taken under `/v1`, and also under `/openai/v1` as Azure and Bedrock have it.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import unquote

import orjson

from gateway.errors import BadRequestError
from gateway.simulator.answers import Answer, answer, choose_error_status, quality_of, time_ms_of
from gateway.simulator.chance import share_of
from gateway.simulator.chat_shape import chat_events, render_chat
from gateway.simulator.describe import Behaviour, ModelBehaviour
from gateway.simulator.fault import Order
from gateway.simulator.faults import FAULTS, parse_order, peek_order
from gateway.simulator.journal import Received
from gateway.simulator.other_shapes import (
    peek_upload,
    refusal_of,
    render_embeddings,
    render_error,
    render_file,
    render_model,
    render_models,
    render_moderation,
)
from gateway.simulator.question import Api, Question, parse_question
from gateway.simulator.responses_shape import render_response, response_events
from gateway.simulator.script import Pause, Reply, Send, Step, play_of

MAX_FILES = 64
"""Uploads kept; the oldest go first."""

_APIS = {"/chat/completions": Api.CHAT, "/responses": Api.RESPONSES, "/completions": Api.COMPLETIONS}
_UNDESCRIBED_MODELS = ("gpt-4.1", "gpt-4.1-mini", "gpt-5.1", "reasoner-1", "text-embedding-3-small")


@dataclass(frozen=True, slots=True)
class Treatment:
    """
    What a request gets.

    Attributes:
        reply: The healthy reply, or the refusal.
        steps: What is played instead of the reply; None plays the reply itself.
        model: The model asked, or "".
        fault: The fault as ordered, or None.
        fault_status: The status `steps` send, or None.
    """

    reply: Reply
    steps: Iterator[Step] | None = None
    model: str = ""
    fault: str | None = None
    fault_status: int | None = None

    @property
    def status(self) -> int | None:
        """The status that goes out; None when none does."""
        return self.reply.status if self.steps is None else self.fault_status

    @property
    def script(self) -> Iterator[Step]:
        """What is played."""
        return play_of(self.reply) if self.steps is None else self.steps


class Endpoints:
    """All under `/v1`. Holds the described behaviour, which may be exchanged at any time, and uploaded files."""

    __slots__ = ("_files", "behaviour", "seed")

    def __init__(self, behaviour: Behaviour, *, seed: int) -> None:
        self.behaviour = behaviour
        self.seed = seed
        self._files: OrderedDict[str, tuple[dict[str, Any], bytes]] = OrderedDict()

    def treat(self, received: Received) -> Treatment:
        """Give what `received` gets. Never raises: what is wrong with a request is an answer too."""
        headers = received.headers
        if not self._has_key(received.key):
            message = "Incorrect API key provided. You can find your API key in the simulator's --key."
            return Treatment(self._reply(401, render_error(401, message), received))
        path = received.path.removeprefix("/openai").removeprefix("/v1")
        if not received.path.startswith(("/v1/", "/openai/v1/")):
            return Treatment(self._not_found(received))
        order = headers.get("x-sim-fault")
        try:
            api = _APIS.get(path) if received.method == "POST" else None
            if api is not None:
                return self._text(api, _object_of(received.body), order, received)
            reply, model = self._other(path, headers, received)
            return self._faulty(reply, peek_order(order, model, ""), Api.CHAT, model)
        except BadRequestError as error:
            body = render_error(error.status, error.message, code=error.code, param=error.param)
            return Treatment(self._reply(error.status, body, received))

    def _text(self, api: Api, body: dict[str, Any], header: str | None, received: Received) -> Treatment:
        """Give an answer in words, or what comes instead of one."""
        question = parse_question(api, body)
        order = peek_order(header, question.model, question.system_text)
        model = self.behaviour.model(question.model) or (self.behaviour.default if order else None)
        if model is None:
            return Treatment(self._no_model(question.model, received), model=question.model)
        if (refusal := refusal_of(question, model)) is not None:
            return Treatment(self._reply(400, refusal, received), model=question.model)
        if (status := choose_error_status(model, self.seed, received.serial)) is not None:
            return Treatment(self._reply(status, render_error(status), received), model=question.model)
        if order is None and model.fault and share_of("fault", self.seed, received.serial) < model.fault_rate:
            order = model.fault
        plain = answer(
            question, self.behaviour, seed=self.seed, serial=received.serial, unix_ms=received.arrived_unix_ms
        )
        fault = FAULTS[_order_of(order).name] if order else None
        if fault is not None and fault.change is not None:
            plain = fault.change(plain)
        return self._faulty(self._shaped(question, plain, model, received), order, api, question.model)

    def _faulty(self, reply: Reply, order: str | None, api: Api, model: str) -> Treatment:
        if order is None:
            return Treatment(reply, model=model)
        parsed = _order_of(order)
        fault = FAULTS[parsed.name]
        is_fitting = fault.script is not None and (reply.is_stream or len(fault.modes) > 1)
        steps = fault.script(reply, parsed, api) if fault.script is not None and is_fitting else None
        if steps is None:
            return Treatment(reply, model=model, fault=order)
        first = next(steps)
        status = reply.status if isinstance(first, Pause) else _status_of(first)
        return Treatment(reply, chain((first,), steps), model=model, fault=order, fault_status=status)

    def _shaped(self, question: Question, plain: Answer, model: ModelBehaviour, received: Received) -> Reply:
        """Give `plain` in the API's shape, with the times the model takes."""
        spread, labels = model.spread_ratio, (self.seed, received.serial)
        latency_ms = time_ms_of(model.latency_ms, spread, "latency", *labels)
        gap_s = 1 / model.tokens_per_s if model.tokens_per_s else 0.0
        more = (("x-sim-quality", f"{plain.quality:.3f}"), ("openai-processing-ms", str(round(latency_ms))))
        is_typed = question.api is Api.RESPONSES
        if not question.is_stream:
            body = render_response(question, plain) if is_typed else render_chat(question, plain)
            reply = self._reply(200, body, received, more)
            return replace(reply, wait_s=latency_ms / 1000 + gap_s * len(plain.tokens))
        pieces, n_start, n_end = (response_events if is_typed else chat_events)(question, plain)
        ttft_ms = time_ms_of(model.ttft_ms, spread, "ttft", *labels)
        return Reply(
            status=200,
            headers=self._headers(received, "text/event-stream; charset=utf-8", (*more, ("cache-control", "no-cache"))),
            pieces=pieces,
            is_stream=True,
            n_start=n_start,
            n_end=n_end,
            wait_s=latency_ms / 1000,
            first_s=max(0.0, ttft_ms - latency_ms) / 1000,
            gap_s=gap_s,
        )

    def _other(self, path: str, headers: dict[str, str], received: Received) -> tuple[Reply, str]:
        """Give what is not an answer in words, and the model it was asked of."""
        if received.method == "POST" and path in ("/embeddings", "/moderations"):
            body = _object_of(received.body)
            is_embedding = path == "/embeddings"
            rendered = render_embeddings(body) if is_embedding else render_moderation(body, serial=received.serial)
            return self._reply(200, rendered, received), str(body.get("model", ""))
        if received.method == "POST" and path == "/files":
            return self._upload(headers.get("content-type", ""), received), ""
        if received.method == "GET" and path == "/models":
            return self._reply(200, render_models(self._model_names()), received), ""
        if received.method == "GET" and path.startswith("/models/"):
            name = unquote(path.removeprefix("/models/"))
            if self.behaviour.model(name) is None:
                return self._no_model(name, received), name
            return self._reply(200, orjson.dumps(render_model(name)), received), name
        if received.method == "GET" and path.startswith("/files/"):
            return self._download(path.removeprefix("/files/"), received), ""
        return self._not_found(received), ""

    def _upload(self, content_type: str, received: Received) -> Reply:
        found = peek_upload(content_type, received.body)
        if found is None:
            return self._reply(400, render_error(400, "'file' is a required property", param="file"), received)
        file_id = f"file-sim{received.serial:08d}"
        described = render_file(file_id, found[1], found[0], unix_ms=received.arrived_unix_ms)
        self._files[file_id] = (described, found[1])
        if len(self._files) > MAX_FILES:
            self._files.popitem(last=False)
        return self._reply(200, orjson.dumps(described), received)

    def _download(self, rest: str, received: Received) -> Reply:
        file_id, _, what = rest.partition("/")
        found = self._files.get(file_id)
        if found is None or what not in ("", "content"):
            return self._not_found(received)
        if not what:
            return self._reply(200, orjson.dumps(found[0]), received)
        return Reply(200, self._headers(received, "application/octet-stream", ()), (found[1],))

    def _reply(self, status: int, body: bytes, received: Received, more: tuple[tuple[str, str], ...] = ()) -> Reply:
        return Reply(status, self._headers(received, "application/json", more), (body,))

    def _headers(
        self, received: Received, content_type: str, more: tuple[tuple[str, str], ...]
    ) -> tuple[tuple[str, str], ...]:
        return (
            ("content-type", content_type),
            ("x-request-id", f"req_sim{self.seed:04x}{received.serial:012x}"),
            ("openai-version", "2020-10-01"),
            *more,
        )

    def _not_found(self, received: Received) -> Reply:
        message = f"Invalid URL ({received.method} {received.path})"
        return self._reply(404, render_error(404, message, code="unknown_url"), received)

    def _no_model(self, name: str, received: Received) -> Reply:
        message = f"The model `{name}` does not exist or you do not have access to it."
        return self._reply(404, render_error(404, message, code="model_not_found", param="model"), received)

    def _model_names(self) -> list[str]:
        described = [name for name in self.behaviour.models if not set(name) & set("*?[")]
        return described or list(_UNDESCRIBED_MODELS)

    def _has_key(self, key: str | None) -> bool:
        wanted = self.behaviour.key
        return wanted is None or (key is not None and hmac.compare_digest(key.encode(), wanted.encode()))

    def quality(self, model: str, system_text: str) -> float:
        """Give the latent quality of a model with a system prompt, for demos that say what was hidden."""
        return quality_of(self.behaviour, model, system_text)


def _status_of(step: Step) -> int | None:
    if isinstance(step, Send) and step.data.startswith(b"HTTP/1.1 "):
        return int(step.data[9:12])
    return None


def _order_of(text: str) -> Order:
    try:
        return parse_order(text)
    except ValueError as error:
        raise BadRequestError(str(error), code="unknown_fault") from error


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"We could not parse the JSON body of your request. ({error})"
        raise BadRequestError(message, code="invalid_json") from error
    if not isinstance(parsed, dict):
        message = "The body must be a JSON object."
        raise BadRequestError(message, code="invalid_json")
    return parsed
