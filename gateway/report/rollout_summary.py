"""
What happened in a rollout, on what evidence, to how many users: everything a report says, worked out and worded.

It is made of what the operators' port gives (`/api/rollouts/{release}`, `/api/journal`), or of the same from a state
directory. Where a release is gone from the file, the journal alone has to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.report.rollout_timeline import Timeline, lay_out
from gateway.report.words import duration, evidence_words, moment, number, one_line, share

Json = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """
    One journal entry.

    Attributes:
        number: Its place in this report, from 1, oldest first.
        id: What `sluice explain` takes.
        at_unix_ms: When.
        at: The same in words.
        kind: What was decided, in words.
        tone: `good`, `bad` or `plain`: how a renderer may colour it.
        who: A person, or `controller`.
        sentence: What was decided and why.
        why: A person's own words; empty otherwise.
        rule: What decided.
        change: The weight before and after, in words; empty where it stayed.
        evidence: What it stood on, in words.
    """

    number: int
    id: str
    at_unix_ms: int
    at: str
    kind: str
    tone: str
    who: str
    sentence: str
    why: str
    rule: str
    change: str
    evidence: Pairs


@dataclass(frozen=True, slots=True)
class Line:
    """
    A gate or a signal.

    Attributes:
        name: Which.
        state: In a word or two.
        tone: As a decision's.
        value: What it reads; empty where there is no single number.
        threshold: Beyond which it acts; likewise.
        sentence: For a person.
        evidence: In words.
    """

    name: str
    state: str
    tone: str
    value: str
    threshold: str
    sentence: str
    evidence: Pairs


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """
    One rollout.

    Attributes:
        title: Route, candidate and baseline.
        headline: What, how sure, what next; for a product owner.
        generated_unix_ms: When this was put together.
        facts: Pairs of words: who has it, since when, how many users.
        timeline: Weights over time with the decisions marked.
        decisions: Oldest first.
        gates: As they answered last.
        signals: As they read last.
        latches: One sentence each.
        notes: What a reader has to know to believe it; one sentence each.
    """

    title: str
    headline: str
    generated_unix_ms: int
    generated: str
    facts: Pairs
    timeline: Timeline
    decisions: tuple[Decision, ...]
    gates: tuple[Line, ...] = ()
    signals: tuple[Line, ...] = ()
    latches: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


_TONES = {
    "rolled_back": "bad",
    "stopped": "bad",
    "stepped_back": "bad",
    "alerted": "bad",
    "promoted": "good",
    "completed": "good",
    "finished": "good",
    "approved": "good",
    "pass": "good",
    "fail": "bad",
}


def summarize(rollout: Json | None, entries: Sequence[Json], *, now_unix_ms: int) -> RolloutSummary:
    """
    Give the summary.

    Args:
        rollout: As `/api/rollouts/{release}` gives it; None where the release is gone.
        entries: Its journal, in any order.
        now_unix_ms: The end of the timeline.

    Raises:
        ValueError: Neither a rollout nor an entry: there is nothing to report.
    """
    told = sorted(entries, key=lambda entry: (entry["at_unix_ms"], _number_of(entry)))
    if rollout is None and not told:
        msg = "there is neither a rollout nor a journal entry of it"
        raise ValueError(msg)
    decisions = tuple(_decision(index, entry) for index, entry in enumerate(told, 1))
    return RolloutSummary(
        title=_title_of(rollout, told),
        headline=_headline(rollout, decisions),
        generated_unix_ms=now_unix_ms,
        generated=moment(now_unix_ms),
        facts=_facts(rollout, told, now_unix_ms),
        timeline=lay_out(rollout, told, now_unix_ms=now_unix_ms),
        decisions=decisions,
        gates=tuple(_gate(one) for one in (rollout or {}).get("gates", ())),
        signals=tuple(_signal(one) for one in (rollout or {}).get("signals", ())),
        latches=tuple(one_line(latch["sentence"]) for latch in (rollout or {}).get("latches", ())),
        notes=_notes(rollout),
    )


def _decision(index: int, entry: Json) -> Decision:
    before, after = entry.get("from_weight", 0), entry.get("to_weight", 0)
    return Decision(
        number=index,
        id=entry["id"],
        at_unix_ms=entry["at_unix_ms"],
        at=moment(entry["at_unix_ms"]),
        kind=str(entry["kind"]).replace("_", " "),
        tone=_TONES.get(str(entry["kind"]), "plain"),
        who=one_line(entry["who"]),
        sentence=one_line(entry["sentence"]),
        why=one_line(entry.get("why", "")),
        rule=one_line(entry["rule"]).replace("_", " "),
        change="" if before == after else f"{share(before / 100)} → {share(after / 100)}",
        evidence=evidence_words(entry.get("evidence", {})),
    )


def _title_of(rollout: Json | None, entries: Sequence[Json]) -> str:
    if rollout is not None:
        return f"{rollout['route']}: {rollout['candidate']} against {rollout['baseline']}"
    return f"{entries[-1]['route']}: release {entries[-1]['release']}"


def _headline(rollout: Json | None, decisions: Sequence[Decision]) -> str:
    """Give what, how sure, what next."""
    if rollout is None:
        return f"{decisions[-1].sentence} The release is no longer in the file."
    sentence = one_line(rollout["sentence"])
    last = next((each for each in reversed(decisions) if each.change), None)
    stood_on = last.sentence if last is not None and last.sentence.rstrip(".") not in sentence else ""
    seen = _seen_by(rollout)
    waits = f"It waits for {one_line(rollout['waits_for']).rstrip('.')}."
    return " ".join(part for part in (sentence, stood_on, seen, waits) if part)


def _seen_by(rollout: Json) -> str:
    users = rollout.get("users")
    if not users:
        return ""
    n_users = users["candidate"]
    return f"At least {number(n_users)} {'user has' if n_users == 1 else 'users have'} had {rollout['candidate']}."


def _facts(rollout: Json | None, entries: Sequence[Json], now_unix_ms: int) -> Pairs:
    if rollout is None:
        return (
            ("first decision", moment(entries[0]["at_unix_ms"])),
            ("last decision", moment(entries[-1]["at_unix_ms"])),
        )
    stage, users = rollout["stage"], rollout.get("users")
    began = rollout["started_unix_ms"]
    ended = rollout["phase"] in ("rolled_back", "finished")
    until = entries[-1]["at_unix_ms"] if ended and entries else now_unix_ms
    pairs = [
        ("phase", rollout["phase"].replace("_", " ")),
        ("stage", f"{stage['label']}, {stage['index'] + 1} of {stage['of']}"),
        (f"{rollout['candidate']} gets", share(rollout["weight_pct"])),
        ("change", rollout["change_type"].replace("_", " ")),
        ("began", moment(began)),
        ("took" if ended else "running for", duration((until - began) / 1000)),
        ("in this stage", duration(rollout["dwelt_s"])),
        ("waits for", one_line(rollout["waits_for"])),
    ]
    if users:
        pairs += [(f"users of {rollout[role]}", f"at least {number(n)}") for role, n in users.items()]
    if rollout["n_resumes"]:
        pairs.append(("resumed", f"{rollout['n_resumes']} ×"))
    if rollout["n_step_backs"]:
        pairs.append(("stepped back", f"{rollout['n_step_backs']} × ({', '.join(rollout['stepped_back_by'])})"))
    return tuple((one_line(name), value) for name, value in pairs)


def _gate(gate: Json) -> Line:
    verdict = str(gate["verdict"])
    return Line(
        name=str(gate["gate"]),
        state={"pass": "passes", "fail": "fails"}.get(verdict, "too little data"),
        tone=_TONES.get(verdict, "plain"),
        value="",
        threshold="",
        sentence=one_line(gate["sentence"]),
        evidence=evidence_words(gate.get("evidence", {})),
    )


def _signal(signal: Json) -> Line:
    inactive = signal.get("inactive")
    return Line(
        name=one_line(str(signal["signal"])),
        state="not judged now" if inactive else "watched",
        tone="plain",
        value=_measure(signal.get("value")),
        threshold=_measure(signal.get("threshold")),
        sentence=one_line(". ".join(text.rstrip(".") for text in (signal["state"], inactive) if text)),
        evidence=(("does", str(signal["action"]).replace("_", " ")), *evidence_words(signal.get("numbers") or {})),
    )


def _measure(value: Any) -> str:
    if value is None:
        return "–"
    return number(value) if isinstance(value, int | float) else one_line(str(value))


def _notes(rollout: Json | None) -> tuple[str, ...]:
    notes = ["A user counts once their first request was sent, whatever came back; internal users are not analysed."]
    if rollout is None:
        notes.append("The release is no longer in the file; this is what the journal kept.")
    elif rollout.get("users") is None:
        notes.append("How many users there were could not be read: the store did not answer.")
    else:
        notes.append("Users of stages overlap, so the number is that of the largest stretch: at least so many.")
    return tuple(notes)


def _number_of(entry: Json) -> int:
    digits = str(entry["id"]).rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
