"""
`sluice demo`: a simulated provider, a real gateway and the real `openai` client, on this machine.

A story in six acts: 5 % of users get a candidate; one edit makes it 50 % while they talk; a broken
file changes nothing; a candidate that breaks some answers is rolled back by itself; a shadow that
answered everything, seen by nobody, is compared; and what was seen is added up. What it claims it has
counted, and it exits with 1 when a claim did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from gateway.cli.demo_cast import Cast, DemoError
from gateway.cli.demo_ledger import Ledger
from gateway.cli.demo_screen import Screen, render_split
from gateway.cli.terminal import warn
from gateway.clock import Clock, SystemClock
from gateway.simulator.population import TrafficPlan
from gateway.tasks import TaskGroup

NAME = "demo"
HELP = "show it all at work on this machine"

DEADLINE_S = 110.0
NOTICED_WITHIN_S = 5.0
MOST_OVERTIME_S = 7.0
ROLLED_BACK_WITHIN_S = 60.0
"""Long before that there is evidence enough; a machine that is very busy takes its time."""

PAIRS_WITHIN_S = 2.0
"""For the last pairs to be judged and stored."""

MIN_KEPT = 3
"""People of the candidate that must have asked before and after the edit for a claim about them."""

ROUTE, MODEL = "support", "sim-small"
ARMS = ("current", "concise")
ROLLOUT_ARMS = ("current", "cheaper")
PLAN = TrafficPlan(route=ROUTE, n_users=200, rate_per_s=40.0, without_user_ratio=0.0, seed=119)

PROVIDER_URL = "http://127.0.0.1:9000/v1"
"""What the text below says; the demo's own provider has a port of its own."""

CONFIG = """\
# What `make demo` runs: a simulated provider on this machine, and no key.
version: 1
default_provider: local

providers:
  local: {base_url: "http://127.0.0.1:9000/v1", timeouts: {connect: 2s, first_byte: 30s, idle: 10s}}

metrics:
  thumbs: {kind: binary, role: satisfaction}       # what POST /v1/feedback may say; true is good

routes:
  support:
    variants:
      current:
        model: sim-small
        system_prompt: {replace: "You are a patient support agent. Explain every step."}
        params: {set: {temperature: 0.7}}
      concise:
        like: current
        system_prompt: {replace: "You are a support agent. Answer in two sentences."}
        params: {set: {temperature: 0.3}}
      bigger: {like: current, model: sim-bigger}
    release:
      name: support-v8
      split: {arms: {current: 95%, concise: 5%}, baseline: current}
    shadows: [{variant: bigger, judge: {route: judge, sample: 25%}}]     # copies; nobody sees what it answers
    samples: {keep: 100%, for: 1d}                   # of these requests the words are kept

  judge:                                             # who compares the answers, asked like any other model
    variants: {only: {model: sim-judge}}
    release: {fixed: {variant: only}}
"""
"""The same as configs/demo.yaml."""

BROKEN_SHARE = 0.08
_LIVELY = "latency_ms: 60, ttft_ms: 90, spread_ratio: 0.25, tokens_per_s: 250, shows_quality: true"
BEHAVIOUR = f"""\
default: {{{_LIVELY}, quality: 0.6}}
models:
  sim-shaky: {{{_LIVELY}, quality: 0.6, error_rate: {BROKEN_SHARE}}}
  sim-bigger: {{{_LIVELY}, quality: 0.85, output_tokens: 36}}
  sim-judge: {{latency_ms: 30, tokens_per_s: 1000, judge: {{accuracy: 0.9, position_bias: 0.1}}}}
"""
"""How the simulated provider behaves: one of its models breaks some of its answers, one answers better and longer."""

SPLIT = """\
      name: support-v8
      split: {arms: {current: 95%, concise: 5%}, baseline: current}
"""
ROLLOUT = """\
      name: support-v9
      rollout:
        baseline: current
        candidate: cheaper
        change_type: model_swap_same_tier
        stages: [{at: 20%, min_duration: 2d}, {at: 100%}]
"""
CHEAPER = """\
      cheaper: {like: current, model: sim-shaky}
"""

_SMALL, _HALF, _BROKEN, _ROLLOUT, _AFTER = "small", "half", "broken", "rollout", "after"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="how long each act lasts, 2 to 10 (8)")


def run(args: argparse.Namespace) -> int:
    """Show it. 0 when everything it claims held, 1 when not, 130 when interrupted."""
    screen = Screen()
    # A company's proxy is not for this machine, and a terminal without Unicode gets question marks.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    with Cast() as cast, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        story = Story(cast, screen, act_s=min(10.0, max(2.0, args.seconds)), clock=SystemClock())
        try:
            return runner.run(_played(story))
        except asyncio.CancelledError:
            warn("interrupted; ending what was started")
            return 130
        except TimeoutError:
            warn(f"sluice: the demo did not end within {DEADLINE_S:g} s; is this machine very busy?")
            return 1
        except DemoError as error:
            warn(f"sluice: {error}")
            return 1


async def _played(story: Story) -> int:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: task and task.cancel())
    async with asyncio.timeout(DEADLINE_S):
        return await story.play()


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the demo says, and whether it was seen to hold."""

    text: str
    is_so: bool


class Story:
    """
    The acts, in order.

    Attributes:
        claims: What is said at the end.
    """

    def __init__(self, cast: Cast, screen: Screen, *, act_s: float, clock: Clock) -> None:
        self.claims: list[Claim] = []
        self._cast = cast
        self._screen = screen
        self._act_s = act_s
        self._clock = clock
        self._ledger = Ledger()
        self._heard = asyncio.Event()
        self._served_ms = 0.0
        self._gone_after_s = 0.0
        self._report_file = Path()

    async def play(self) -> int:
        """Play it to the end; give the exit code."""
        self._screen.say("Sluice demo: a gateway that decides, per user, which prompt answers.", "bold")
        self._screen.say("No key, no network. It ends by itself in about a minute.", "dim")
        await self._cast.open(config_for, behaviour=BEHAVIOUR)
        tasks = TaskGroup()
        try:
            traffic = tasks.spawn(self._make_traffic())
            await self._begin(traffic)
            await self._show_split()
            await self._edit()
            await self._break()
            await self._roll_out()
            # Nobody asks any more: both renderings of the report are of the same pairs.
            self._ledger.begin("", self._clock.now_s())
            traffic.cancel()
            await self._compare()
        finally:
            await tasks.close()
        return self._tell()

    async def _make_traffic(self) -> None:
        # Imported late: the client takes a second to load, and the processes start meanwhile.
        from gateway.simulator.traffic import drive

        await drive(PLAN, base_url=f"{self._cast.gateway_url}/v1", on_result=self._note)

    def _note(self, result: Any) -> None:
        self._ledger.note(result, self._clock.now_s())
        self._heard.set()

    async def _begin(self, traffic: asyncio.Task[None]) -> None:
        """Say who plays, and wait until people talk."""
        say = self._screen.say
        say()
        say(f"provider  {self._cast.provider_url}  simulated")
        say(f"gateway   {self._cast.gateway_url}     sluice serve, 2 workers")
        say(f"app       {PLAN.n_users} users through the openai client, {PLAN.rate_per_s:g} requests/s")
        say(f"          base_url={self._cast.gateway_url}/v1  model={ROUTE!r}")
        heard = asyncio.ensure_future(self._heard.wait())
        await asyncio.wait((heard, traffic), return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        if traffic.done() and (error := traffic.exception()) is not None:
            raise error

    async def _show_split(self) -> None:
        self._screen.title(1, "The file gives 5 % of users another prompt")
        await self._watch(_SMALL, until=lambda: self._ledger.arms(_SMALL, ARMS)[ARMS[1]].n_users >= MIN_KEPT)
        received = await asyncio.to_thread(self._cast.received, 400)
        prompts = prompts_of(received)
        self._screen.say("the app sends one prompt; the provider gets, per user:", "dim")
        for temperature, prompt in prompts:
            self._screen.say(f"  temperature {temperature}  {prompt!r}", "dim")
        share = self._share_of_candidate(_SMALL)
        self._claim(f"a small share of users had {ARMS[1]!r}: {share:.1%}", 0 < share < 0.15)
        self._claim("the provider saw two prompts, neither of them the app's own", len(prompts) == 2)

    async def _edit(self) -> None:
        self._screen.title(2, "One edit, saved while they talk: 5 % becomes 50 %")
        before = config_for(self._cast.provider_url)
        after = before.replace("current: 95%, concise: 5%", "current: 50%, concise: 50%")
        self._screen.diff(before, after)
        took_ms = self._served_ms = await self._save(after, _is_served_anew(self._cast.status()["config_hash"]))
        self._screen.say(f"served by every worker {took_ms:.0f} ms after the save", "green")
        await self._watch(_HALF, until=lambda: self._ledger.moves(_SMALL, _HALF, ARMS[1]).n_kept >= MIN_KEPT)
        moves = self._ledger.moves(_SMALL, _HALF, ARMS[1])
        self._screen.say(
            f"of those who had asked before: {moves.n_kept} kept {ARMS[1]!r}, {moves.n_joined} joined them, "
            f"{moves.n_lost} lost it",
            "dim",
        )
        share = self._share_of_candidate(_HALF)
        self._claim(f"after the edit {share:.0%} of those who asked had it", 0.35 < share < 0.65)
        self._claim("nobody who had it lost it", not moves.n_lost and moves.n_kept > 0)

    async def _break(self) -> None:
        self._screen.title(3, "A broken file, saved on purpose")
        served = self._cast.config.read_text(encoding="utf-8")
        broken = served.replace("like: current", "like: curent", 1).replace("concise: 50%", "concise: 60%")
        self._screen.diff(served, broken)
        status = self._cast.status()
        await self._save(broken, lambda now: bool(now["findings"]))
        now = self._cast.status()
        for finding in now["findings"]:
            self._screen.wrap(finding["text"].replace(f"{self._cast.folder}/", ""), "red", hang="  ")
        await self._watch(_BROKEN, for_s=self._act_s / 2)
        is_kept = now["config_hash"] == status["config_hash"]
        answered = self._ledger.n_answered(_BROKEN)
        self._claim("the broken file was refused by line and column, the table before went on", is_kept)
        self._claim(f"{answered} more answers while it was broken", answered > 0)

    async def _roll_out(self) -> None:
        self._screen.title(4, f"A rollout to a cheaper model, which breaks {BROKEN_SHARE:.0%} of its answers")
        before = config_for(self._cast.provider_url)
        self._screen.diff(before, after := rollout_of(before))
        await self._save(after, _is_served_anew(self._cast.status()["config_hash"]))
        begun_s = self._clock.now_s()
        self._ledger.begin(_ROLLOUT, begun_s)
        draw = partial(render_split, self._ledger, _ROLLOUT, ROLLOUT_ARMS, bar_cells=self._screen.bar_cells)
        with self._screen.picture(draw):
            rollout = await self._until_rolled_back(begun_s)
        self._gone_after_s = self._clock.now_s() - begun_s
        share = self._ledger.arms(_ROLLOUT, ROLLOUT_ARMS)["cheaper"].user_ratio
        self._claim(f"{share:.0%} of users were in the first stage", 0.05 < share < 0.4)
        if rollout is None:
            self._claim("the candidate was rolled back", is_so=False)
            return
        entry = await asyncio.to_thread(self._cast.newest_entry, "rolled_back")
        self._screen.say("from the journal:", "dim")
        self._screen.wrap(f"{entry['id']}: {entry['sentence']}", "yellow", hang="  ")
        self._claim(f"rolled back by {entry['who']} after {self._gone_after_s:.0f} s", entry["who"] == "controller")
        await self._watch(_AFTER, for_s=self._act_s / 2, arms=ROLLOUT_ARMS)
        after_it = self._ledger.arms(_AFTER, ROLLOUT_ARMS)
        self._claim(
            "from then on everybody had the baseline", after_it["cheaper"].n_users == 0 < after_it["current"].n_users
        )

    async def _until_rolled_back(self, begun_s: float) -> dict[str, Any] | None:
        while self._clock.now_s() < begun_s + ROLLED_BACK_WITHIN_S:
            rollout = await asyncio.to_thread(self._cast.rollout, "support-v9")
            if rollout.get("phase") == "rolled_back":
                return rollout
            await asyncio.sleep(0.2)
        return None

    async def _compare(self) -> None:
        self._screen.title(5, "A shadow: a bigger model answered everything too, and nobody saw it")
        await asyncio.sleep(PAIRS_WITHIN_S)
        report, file = await asyncio.to_thread(self._cast.report_shadow, ROUTE)
        (shadow,) = report["shadows"]
        self._screen.wrap(shadow["headline"], "yellow")
        for finding in shadow["findings"]:
            if finding["is_worse"] or finding["is_better"]:
                self._screen.wrap(f"- {finding['sentence']}", "dim", hang="  ")
        self._report_file = file
        state, n_pairs = shadow["state"], shadow["n_pairs"]
        self._claim(f"{n_pairs} pairs of answers compared: {state.replace('_', ' ')}", state != "insufficient")

    def _tell(self) -> int:
        """Add up, and say what comes next."""
        good = (_SMALL, _HALF, _BROKEN, _AFTER)
        n_torn = sum(self._ledger.n_torn(act) for act in good)
        n_failed = sum(self._ledger.n_failed(act) for act in good)
        n_asked = sum(self._ledger.n_answered(act) for act in good) + n_failed
        self._claim("every user had one prompt throughout an act", not n_torn)
        self._claim(f"{n_asked} requests without that candidate, {n_failed or 'none'} failed", not n_failed)
        self._screen.title(6, "What was seen")
        for claim in self.claims:
            self._screen.tick(claim.text, is_so=claim.is_so)
        self._screen.say()
        held = all(claim.is_so for claim in self.claims)
        self._screen.wrap(
            sentence_for(self._served_ms, self._gone_after_s)
            if held
            else "Not everything held: see what is marked above.",
            "bold",
        )
        if held:
            self._screen.say()
            self._screen.say(f"The shadow's report, with answers side by side: {self._report_file}")
            self._screen.say(next_steps(sys.argv[0], has_checkout=Path("configs/openai.yaml").is_file()))
        return 0 if held else 1

    # Within.

    async def _watch(
        self,
        act: str,
        *,
        for_s: float | None = None,
        until: Callable[[], bool] | None = None,
        arms: tuple[str, ...] = ARMS,
    ) -> None:
        """Begin an act and show its split as it fills; for longer where a slow machine has nothing to see yet."""
        self._ledger.begin(act, self._clock.now_s())
        draw = partial(render_split, self._ledger, act, arms, bar_cells=self._screen.bar_cells)
        with self._screen.picture(draw):
            await asyncio.sleep(self._act_s if for_s is None else for_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_OVERTIME_S):
                    while until is not None and not until():
                        self._heard.clear()
                        await self._heard.wait()

    async def _save(self, text: str, is_so: Callable[[dict[str, Any]], bool]) -> float:
        """Save, and give the milliseconds until the gateway says so; answers from within belong to no act."""
        self._ledger.begin("", self._clock.now_s())
        saved_s = self._clock.now_s()
        self._cast.save(text)
        while not is_so(await asyncio.to_thread(self._cast.status)):
            if self._clock.now_s() > saved_s + NOTICED_WITHIN_S:
                message = f"the gateway did not notice the save:\n{self._cast.log_of('serve')}"
                raise DemoError(message)
        return (self._clock.now_s() - saved_s) * 1000

    def _share_of_candidate(self, act: str) -> float:
        return self._ledger.arms(act, ARMS)[ARMS[1]].user_ratio

    def _claim(self, text: str, is_so: bool) -> None:
        self.claims.append(Claim(text, is_so))


def sentence_for(served_ms: float, gone_after_s: float) -> str:
    """Give what happened, for somebody who reads two sentences."""
    return (
        f"Saving a file moved a new prompt from 5 % to 50 % of users within {served_ms:.0f} ms; nobody who had it "
        "lost it, and a broken file changed nothing. A model that broke one answer in twelve was taken back by "
        f"itself after {gone_after_s:.0f} s, before most users met it."
    )


def rollout_of(config: str) -> str:
    """Give the demo's configuration with a rollout to a model that breaks some of its answers."""
    return config.replace("    release:\n", f"{CHEAPER}    release:\n", 1).replace(SPLIT, ROLLOUT)


def config_for(provider_url: str) -> str:
    """Give the demo's configuration, for a provider at `provider_url`."""
    return CONFIG.replace(PROVIDER_URL, provider_url)


def prompts_of(received: list[dict[str, Any]]) -> list[tuple[float, str]]:
    """Give the (temperature, system prompt) pairs that a provider got, most common first."""
    seen: dict[tuple[float, str], int] = {}
    for entry in received:
        body = entry.get("json") or {}
        if body.get("model") == MODEL and "temperature" in body:
            pair = (body["temperature"], str(body["messages"][0]["content"]))
            seen[pair] = seen.get(pair, 0) + 1
    return sorted(seen, key=lambda pair: -seen[pair])


def next_steps(program: str, *, has_checkout: bool) -> str:
    """Give the commands to go on with; `program` is how this one was called."""
    sluice = program if Path(program).name == "sluice" else "sluice"
    if not has_checkout:
        start = f"{sluice} init && OPENAI_API_KEY=… {sluice} serve"
        return f"Next, with your own key:\n  {start}\nand every command: {sluice} --help"
    return (
        "Next, with your own key:\n"
        f"  OPENAI_API_KEY=… {sluice} serve --config configs/openai.yaml\n"
        'then in your app: OPENAI_BASE_URL=http://127.0.0.1:8080/v1, model="support"\n'
        "What a file may say: docs/configuration.md. How to run it: docs/operating.md."
    )


def _is_served_anew(config_hash: str) -> Callable[[dict[str, Any]], bool]:
    """Give whether every worker serves another configuration than this one."""

    def is_so(status: dict[str, Any]) -> bool:
        workers = status["workers"]
        is_everywhere = bool(workers) and all(worker["version"] == status["version"] for worker in workers)
        return is_everywhere and status["config_hash"] != config_hash

    return is_so
