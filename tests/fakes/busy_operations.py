"""A gateway with something going on: four routes, a rollout, a split, live numbers, and a real desk for commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from gateway.admin.operations import ConfigTexts
from gateway.errors import Finding
from gateway.processes.rollout_operations import RolloutDesk
from tests.fakes.quiet_operations import QuietOperations
from tests.processes.rollout_toys import ToyController, ToyJournal

Json = dict[str, Any]

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"
"""A name that would run if anybody took it for markup."""

FILE = "routes:\n  support:\n    variants:\n      current: {provider: acme, model: m-1}\n"


def arm_of(arm: str, role: str, weight_pct: float, **numbers: Any) -> Json:
    """Give an ARM of live numbers; what is not said is unknown."""
    unknown = (
        "n_requests requests_per_s error_pct safety_pct ttft_p50_ms ttft_p95_ms latency_p50_ms latency_p95_ms "
        "cost_usd_per_1k tokens_in tokens_out against_baseline"
    )
    facts: Json = {"arm": arm, "role": role, "weight_pct": weight_pct, "is_stopped": False, "feedback": {}}
    return facts | dict.fromkeys(unknown.split()) | numbers


def numbers_of(n_requests: int, error_pct: float, *, error_ratio: float | None = None) -> Json:
    """Give an arm's live numbers, told apart by its errors."""
    against = {"error_ratio": error_ratio, "safety_ratio": 1.0, "latency_ratio": 0.8, "cost_ratio": 0.7}
    return {
        "n_requests": n_requests, "requests_per_s": n_requests / 900, "error_pct": error_pct, "safety_pct": 0.1,
        "ttft_p50_ms": 210.0, "ttft_p95_ms": 640.0, "latency_p50_ms": 900.0, "latency_p95_ms": 2_345.0,
        "cost_usd_per_1k": 1.8, "tokens_in": n_requests * 210, "tokens_out": n_requests * 96,
        "feedback": {"thumbs": {"n": n_requests // 10, "good_pct": 81.5}},
        "against_baseline": None if error_ratio is None else against,
    }  # fmt: skip


class Silence:
    """Implements `admin.live_operations.Listening`; there is nothing to hear."""

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> Json:
        """Wait for what never comes."""
        await asyncio.Event().wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Do nothing."""


class LiveFacts:
    """Implements `admin.live_operations.LiveOperations` from what it is given."""

    def __init__(self, *routes: Json, providers: list[Json] | None = None) -> None:
        self._routes = {one["route"]: one for one in routes}
        self._providers = providers or []

    def overview(self) -> Json:
        """Give every route."""
        facts = {"at_unix_ms": 1_790_000_000_000, "window_s": 900, "routes": list(self._routes.values())}
        return facts | {"providers": self._providers}

    def route(self, name: str) -> Json | None:
        """Give one."""
        return self._routes.get(name)

    def marks(self) -> Mapping[str, tuple[int, str]]:
        """Say that nothing changes."""
        return {}

    def tail(self, route: str | None) -> Silence:
        """Give nothing: no request finishes."""
        return Silence()


def live_route(route: str, *arms: Json, **changes: Any) -> Json:
    """Give a ROUTE with a quarter of an hour behind it."""
    series = [
        {"unix_s": 1_790_000_000 + 15 * index, "n_requests": 40 + (index * 7) % 23, "n_errors": int(index % 9 == 4)}
        for index in range(60)
    ]
    facts: Json = {"route": route, "arms": list(arms), "series": series, "warnings": [], "without_user_pct": 0.0}
    return facts | changes


def configured(release: str, kind: str, *arms: tuple[str, str, float]) -> Json:
    """Give a route as the configuration in use tells it."""
    return {
        "release": {
            "name": release,
            "kind": kind,
            "unit": "user",
            "epoch": 4,
            "arms": [{"variant": arm, "role": role, "weight_pct": weight} for arm, role, weight in arms],
        },
        "variants": {arm: {"provider": "acme", "model": "m-1", "content_hash": "0123456789ab"} for arm, _, _ in arms},
        "fallback": [],
    }


class BusyOperations(QuietOperations):
    """
    Four routes: a rollout (support), a split (sales), and two that are as they are.

    Attributes:
        controller: What commands reach; set its rollouts, latches and reply.
        texts: The file in use and on disk.
        findings: What is wrong with the file.
    """

    def __init__(self, controller: ToyController | None = None, *, journal: Any = None) -> None:
        self.controller = controller or ToyController()
        self.steering = RolloutDesk(self.controller, journal or ToyJournal(), served=self._served)
        self.texts = ConfigTexts(FILE, FILE)
        self.findings: list[Json] = []
        self.routes: Json = {
            "support": configured("support-v8", "rollout", ("current", "baseline", 90), ("concise", "candidate", 10)),
            "sales": configured(
                "sales", "split", ("old", "control", 50), ("new", "treatment", 30), ("newer", "treatment", 20)
            ),
            "search": configured("search", "fixed", ("only", "baseline", 100)),
            HOSTILE: configured("odd", "fixed", (HOSTILE, "baseline", 100)),
        }

    async def _served(self) -> tuple[int, int, int]:
        return 9, 2, 2

    def status(self) -> Json:
        """Give version nine."""
        reloaded = {"at_unix_ms": 1_790_000_000_000}
        return {"version": 9, "findings": self.findings, "warnings": [], "last_reload": reloaded}

    def config(self) -> Json:
        """Give the routes."""
        provider = {"base_url": "https://acme.example/v1", "auth": "bearer", "max_connections": 100, "timeouts": {}}
        return {
            "config_file": "/etc/sluice/sluice.yaml", "files": ["/etc/sluice/sluice.yaml"], "version": 9,
            "config_hash": "feedc0ffee12", "default_provider": "acme", "providers": {"acme": provider},
            "routes": self.routes, "findings": self.findings,
        }  # fmt: skip

    async def config_texts(self) -> ConfigTexts:
        """Give what it is set to."""
        return self.texts

    async def validate(self, text: str) -> list[Finding]:
        """Find a fault in the second line of whatever says `wrong`."""
        return [Finding("sluice.yaml", 2, 3, "routes", HOSTILE, "mend it")] if "wrong" in text else []


def live_numbers(*, providers: list[Json] | None = None, **changes: Any) -> LiveFacts:
    """Give live numbers of the rollout and the split, and providers that are left out; `changes` are the rollout's."""
    rollout = live_route(
        "support",
        arm_of("current", "baseline", 90, **numbers_of(2_200, 1.1)),
        arm_of("concise", "candidate", 10, **numbers_of(240, 1.4, error_ratio=1.27)),
        **changes,
    )
    split = live_route(
        "sales",
        arm_of("old", "control", 50, **numbers_of(500, 0.4)),
        arm_of("new", "treatment", 30, **numbers_of(310, 0.2, error_ratio=0.5)),
        arm_of("newer", "treatment", 20, **numbers_of(190, 0.6, error_ratio=1.5)),
    )
    return LiveFacts(rollout, split, providers=providers)
