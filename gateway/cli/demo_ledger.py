"""Who got which arm, act by act: the counts the demo shows and the claims it makes. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway.simulator.tally import UNNAMED, Result


@dataclass(frozen=True, slots=True)
class ArmCount:
    """
    One arm's part of an act.

    Attributes:
        n_users: Different people.
        n_requests: Answered.
        user_ratio: Of the act's people, in [0, 1].
    """

    n_users: int
    n_requests: int
    user_ratio: float


@dataclass(frozen=True, slots=True)
class Moves:
    """
    What became of people between two acts, counting those who asked in both.

    Attributes:
        n_kept: Had the arm, and have it.
        n_joined: Have it now.
        n_lost: Had it, and got another.
    """

    n_kept: int
    n_joined: int
    n_lost: int


@dataclass(slots=True)
class _Act:
    arms_by_user: dict[str, set[str]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class Ledger:
    """Results by the act in which they were asked; answers to what was asked before an act belong to none."""

    def __init__(self) -> None:
        self._acts: dict[str, _Act] = {}
        self._begun: list[tuple[float, str]] = []
        self.n_results = 0
        self.errors: Counter[str] = Counter()

    def begin(self, act: str, now_s: float) -> None:
        """Let what is asked from `now_s` on belong to `act`; "" to none."""
        self._acts.setdefault(act, _Act())
        self._begun.append((now_s, act))

    def note(self, result: Result, now_s: float) -> None:
        """Count a result that is whole at `now_s`."""
        self.n_results += 1
        if result.error is not None:
            self.errors[result.error] += 1
        asked_s = now_s - result.duration_ms / 1000
        name = next((name for begun_s, name in reversed(self._begun) if asked_s >= begun_s), "")
        act = self._acts.setdefault(name, _Act())
        if result.error is not None:
            act.errors[result.error] += 1
        elif result.variant != UNNAMED:
            act.requests[result.variant] += 1
            if result.planned.person is not None:
                act.arms_by_user.setdefault(result.planned.person.user_id, set()).add(result.variant)

    def arms(self, act: str, names: tuple[str, ...]) -> dict[str, ArmCount]:
        """Give each arm's part, in the order of `names`."""
        seen = self._acts.get(act, _Act())
        n_users = len(seen.arms_by_user)
        counts = {name: sum(name in arms for arms in seen.arms_by_user.values()) for name in names}
        return {
            name: ArmCount(count, seen.requests[name], count / n_users if n_users else 0.0)
            for name, count in counts.items()
        }

    def n_answered(self, act: str) -> int:
        """Give how many were answered."""
        return sum(self._acts.get(act, _Act()).requests.values())

    def n_failed(self, act: str) -> int:
        """Give how many were not."""
        return sum(self._acts.get(act, _Act()).errors.values())

    def n_torn(self, act: str) -> int:
        """Give how many people saw more than one arm within an act."""
        return sum(len(arms) > 1 for arms in self._acts.get(act, _Act()).arms_by_user.values())

    def moves(self, before: str, after: str, arm: str) -> Moves:
        """Give what became of the people of `arm`."""
        earlier, later = self._acts.get(before, _Act()).arms_by_user, self._acts.get(after, _Act()).arms_by_user
        both = [(earlier[user], later[user]) for user in earlier if user in later]
        return Moves(
            n_kept=sum(arm in was and now == {arm} for was, now in both),
            n_joined=sum(arm not in was and arm in now for was, now in both),
            n_lost=sum(arm in was and now != {arm} for was, now in both),
        )
