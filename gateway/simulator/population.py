"""
Who asks what and when: a described population, drawn from a seed and from nothing else.

A few people ask a lot and most ask little (Zipf), everyone keeps their id, plan and locale, and a share
of requests comes without a user, as real traffic has it.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import log1p
from random import Random

from gateway.simulator.chance import share_of

PLANS = (("free", 0.6), ("plus", 0.3), ("business", 0.1))
LOCALES = (("en-US", 0.5), ("de-DE", 0.2), ("fr-FR", 0.15), ("ja-JP", 0.15))

SYSTEM_PROMPT = "You are the support assistant of a small web shop. Be friendly and precise."

QUESTIONS = (
    "Where is my order?",
    "How do I change the address of a delivery that is on its way?",
    "My voucher is not accepted. What now?",
    "Can I return shoes that I wore once?",
    "Das Paket kam beschädigt an — was soll ich tun?",
    "Comment puis-je annuler mon abonnement ?",
    "請求書はどこでダウンロードできますか？",
    "Do you ship to Norway, and what does it cost?",
    "I was charged twice. Please help!",
    "Which size should I take if I am between 41 and 42?",
)

_LONGEST = 0.999
"""Nobody thinks longer than these of people do: seven times the mean."""


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """
    What traffic to make.

    Attributes:
        route: Sent as `model`.
        n_users: People there are.
        rate_per_s: Arrivals per second, open loop: nobody waits for an earlier answer.
        duration_s: How long to go on; None goes by `n_requests` alone.
        n_requests: How many to send; None goes by `duration_s` alone.
        stream_ratio: Share of streamed requests.
        responses_ratio: Share that uses the responses API; the others use chat.
        without_user_ratio: Share that does not say who asks.
        feedback_ratio: Share of answers that get a thumb, of people who give any; 0 gives none.
        raters_ratio: Share of people who give any; the others never do.
        feedback_delay_s: How long after its answer a thumb comes, in the mean; most come sooner, some much later.
        feedback_metric: The metric that thumbs are given for; a binary one.
        max_in_flight: Requests at once; arrivals beyond that are counted as not sent.
        timeout_s: For one answer, from the request to its end.
        system_prompt: Sent by the client, as apps do.
        seed: Everything is drawn from it.
    """

    route: str
    n_users: int = 200
    rate_per_s: float = 20.0
    duration_s: float | None = None
    n_requests: int | None = None
    stream_ratio: float = 0.3
    responses_ratio: float = 0.0
    without_user_ratio: float = 0.05
    feedback_ratio: float = 0.0
    raters_ratio: float = 1.0
    feedback_delay_s: float = 0.0
    feedback_metric: str = "thumbs"
    max_in_flight: int = 200
    timeout_s: float = 60.0
    system_prompt: str = SYSTEM_PROMPT
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Someone behind the client: a lasting id and the segments they are in."""

    user_id: str
    plan: str
    locale: str


@dataclass(frozen=True, slots=True)
class Planned:
    """
    One request to be made.

    Attributes:
        number: Counts from 0.
        at_s: When, from the start.
        person: Who asks; None does not say.
        question: What.
        is_stream: Whether streamed.
        is_responses: Whether by the responses API.
    """

    number: int
    at_s: float
    person: Person | None
    question: str
    is_stream: bool
    is_responses: bool


def people_of(plan: TrafficPlan) -> tuple[Person, ...]:
    """Give everyone there is; the same person for the same seed however many others there are."""
    return tuple(_person(plan.seed, number) for number in range(plan.n_users))


def plan_requests(plan: TrafficPlan) -> Iterator[Planned]:
    """Give the requests in the order of their times: Poisson arrivals, heavy users more often."""
    chance = Random(f"{plan.seed}/traffic")
    people = people_of(plan)
    # 1/(rank + 5): one person in two hundred asks about a twentieth of everything.
    shares = tuple(accumulate(1 / (rank + 5) for rank in range(len(people))))
    number, at_s = 0, 0.0
    while plan.n_requests is None or number < plan.n_requests:
        at_s += chance.expovariate(plan.rate_per_s)
        if plan.duration_s is not None and at_s > plan.duration_s:
            return
        who = people[min(bisect(shares, chance.random() * shares[-1]), len(people) - 1)]
        yield Planned(
            number=number,
            at_s=at_s,
            person=None if chance.random() < plan.without_user_ratio else who,
            question=chance.choice(QUESTIONS),
            is_stream=chance.random() < plan.stream_ratio,
            is_responses=chance.random() < plan.responses_ratio,
        )
        number += 1


def choose_thumb(plan: TrafficPlan, planned: Planned, quality: float) -> bool | None:
    """Give the thumb for the answer to a request: up with probability `quality`, None is no feedback."""
    # Who does not say who they are still is somebody: a new person each time.
    who = planned.number if planned.person is None else planned.person.user_id
    if share_of("rates", plan.seed, who) >= plan.raters_ratio:
        return None
    if share_of("speaks", plan.seed, planned.number) >= plan.feedback_ratio:
        return None
    return share_of("thumb", plan.seed, planned.number) < quality


def delay_s_of(plan: TrafficPlan, planned: Planned) -> float:
    """Give how long after its answer the thumb for a request comes: exponential, so that a few come late."""
    share = min(share_of("delay", plan.seed, planned.number), _LONGEST)
    return -plan.feedback_delay_s * log1p(-share)


def _person(seed: int, number: int) -> Person:
    return Person(
        user_id=f"user-{seed}-{number:05d}",
        plan=_drawn(PLANS, share_of("plan", seed, number)),
        locale=_drawn(LOCALES, share_of("locale", seed, number)),
    )


def _drawn(shares: tuple[tuple[str, float], ...], chance: float) -> str:
    for name, share in shares:
        chance -= share
        if chance < 0:
            return name
    return shares[-1][0]
