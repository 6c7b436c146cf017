"""From a YAML file to a Scenario, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from gateway.errors import ConfigError, Finding
from gateway.settings.document.metrics import Number
from gateway.settings.document.scalars import Duration, Name, Share, shown
from gateway.settings.document.section import Section
from gateway.settings.findings import Findings, nearest_of
from gateway.settings.yaml_tree import KeyPath, parse_yaml
from gateway.simulator.world.expectation import EXAMPLE, parse_expectation
from gateway.simulator.world.scenario import BOTH, Fault, Opinion, People, Population, Scenario, Treatment

_DAY_S = 86_400.0


class OpinionSection(Section):
    """What people say of a metric; what is left out is as the baseline's."""

    good: Share | None = Field(default=None, description="Share of answers that are good.")
    catastrophic: Share | None = Field(default=None, description="Share that are catastrophes; scores only.")
    said: Share | None = Field(default=None, description="Share of requests that anything is said about.")
    after: Duration | None = Field(default=None, description="How long after the request, in the mean.")


class LatencySection(Section):
    """How long answers take: a lognormal distribution."""

    p50: Duration = Field(description="Half are faster.")
    p95: Duration = Field(description="95 % are faster.")


class DifferenceSection(Section):
    """How an arm, or a fault, treats people; what is left out stays as it is."""

    errors: Share | None = Field(default=None, description="Share of requests that fail.")
    unsafe: Share | None = Field(default=None, description="Share with a safety incident.")
    latency: LatencySection | None = None
    cost_usd: Number | None = Field(default=None, gt=0, description="Mean cost of a request.")
    metrics: dict[Name, OpinionSection] = Field(default_factory=dict, description="By metric name or role.")


class TreatmentSection(DifferenceSection):
    """How an arm treats people."""

    segments: dict[str, DifferenceSection] = Field(
        default_factory=dict, description="By `name=value`: what is different for these people."
    )


class UsersPerDaySection(Section):
    """Requests by the people who make them."""

    users_per_day: int = Field(ge=1)
    requests_per_user: Number = Field(gt=0)


class LikenessSection(Section):
    """How alike one person's requests are: intraclass correlations."""

    errors: Number = Field(default=0.02, ge=0, lt=1)
    opinions: Number = Field(default=0.1, ge=0, lt=1)


class PersistentSection(Section):
    """People who fail whatever the arm."""

    share: Share = Field(description="Of the people.")
    errors: Share = Field(default=0.5, description="Of their requests.")


class DailySection(Section):
    """The day's pattern."""

    peak: Duration = Field(default=15 * 3600.0, description="The busiest hour, as 15h.")
    swing: Share = Field(default=0.5, description="How far the day swings around its mean.")


class PopulationSection(Section):
    """The people."""

    rate_per_s: Number | None = Field(default=None, gt=0, description="Requests per second, the day's mean.")
    arrivals: UsersPerDaySection | None = Field(default=None, description="Instead of rate_per_s and users.")
    users: int | None = Field(default=None, ge=1, description="People there are at any time.")
    returns: Share = Field(default=0.5, gt=0, description="Share of them who are there on a given day.")
    stays: Duration = Field(default=30 * _DAY_S, gt=0, description="How long one stays, in the mean.")
    heaviness: Number = Field(default=1.0, ge=0, le=10, description="How unequal their appetites are.")
    daily: DailySection = DailySection()
    segments: dict[Name, dict[str, Share]] = Field(
        default_factory=dict, description="By name, the share of each value."
    )
    streams: Share = Field(default=0.3, description="Share of streamed requests.")
    raters: Share = Field(default=0.4, gt=0, description="Share of people who ever say what they think.")
    alike: LikenessSection = LikenessSection()
    persistent: PersistentSection | None = None
    internal_per_day: Number = Field(default=80.0, ge=0, description="Requests of internal users, in their stage.")


class AbusiveSection(Section):
    """One person of the candidate whose requests all fail."""

    errors: int = Field(ge=1, le=1_000_000)
    within: Duration = Field(default=600.0, ge=60)


class FaultSection(DifferenceSection):
    """Something that goes wrong."""

    at: Duration = Field(description="From the hour in which the candidate first gets users.")
    lasts: Duration | None = Field(default=None, gt=0, description="Without it, for good.")
    on: Literal["baseline", "candidate", "both"] = "candidate"
    abusive_user: AbusiveSection | None = None


class PeopleSection(Section):
    """What the persons in charge do; `never` waits for ever."""

    approve_after: Duration | Literal["never"] = 3600.0
    resume_after: Duration | Literal["never"] = "never"
    promote_after: Duration | Literal["never"] = "never"


class ScenarioSection(Section):
    """A scenario file."""

    describes: str = Field(description="One sentence.")
    lasts: Duration = Field(default=28 * _DAY_S, gt=0)
    settles: Duration = Field(default=_DAY_S, ge=0, description="How long it is watched after it is complete.")
    population: PopulationSection = PopulationSection()
    baseline: TreatmentSection = TreatmentSection()
    candidate: TreatmentSection = TreatmentSection()
    arms: dict[str, TreatmentSection] = Field(
        default_factory=dict, description="Of an experiment: by arm, or by `factor=level`; what differs from baseline."
    )
    faults: list[FaultSection] = Field(default_factory=list)
    people: PeopleSection = PeopleSection()
    expect: dict[str, str] = Field(default_factory=dict, description="Bounds, as rolled_back: '>= 95%'.")


def read_scenario(path: Path) -> Scenario:
    """
    Give the scenario that a file describes.

    Raises:
        ConfigError: It cannot be read, or is wrong; holds every finding.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or 'unreadable').lower()}"
        remedy = "scenarios to begin with are in configs/scenarios"
        raise ConfigError([Finding(str(path), 1, 1, "", problem, remedy)]) from None
    return parse_scenario(raw, name=str(path))


def parse_scenario(raw: bytes, *, name: str) -> Scenario:
    """
    Give the scenario that YAML describes; `name` is the file's.

    Raises:
        ConfigError: It is wrong; holds every finding.
    """
    tree = parse_yaml(raw, name=name)
    findings = Findings(name, tree)
    try:
        section = ScenarioSection.model_validate(tree.root)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _note(detail, findings, tree.root)
        findings.raise_errors()
        raise
    _check(section, findings)
    findings.raise_errors()
    return _scenario_of(section, Path(name).stem)


def _note(detail: ErrorDetails, findings: Findings, root: Any) -> None:
    path = _path_of(detail["loc"], root)
    if detail["type"] == "extra_forbidden":
        findings.refuse(
            path, f"unknown key {shown(path[-1])}", nearest_of(str(path[-1]), _known_keys(), "key"), key=True
        )
    elif detail["type"] == "missing":
        findings.refuse(path, f"`{detail['loc'][-1]}` is missing", "add it")
    else:
        context = detail.get("ctx", {})
        problem = str(context.get("problem", f"{shown(detail['input'])}: {detail['msg'].lower()}"))
        findings.refuse(path, problem, str(context.get("remedy", "see docs/simulate.md")))


def _path_of(loc: tuple[str | int, ...], root: Any) -> KeyPath:
    """Give the part of pydantic's location that is in the file: it names union members too."""
    path: list[str | int] = []
    for step in loc:
        is_there = step in root if isinstance(root, dict) else isinstance(root, list) and step in range(len(root))
        if is_there:
            root = root[step]
            path.append(step)
    return tuple(path)


def _known_keys() -> list[str]:
    sections: list[type[Section]] = [
        ScenarioSection,
        *DifferenceSection.__subclasses__(),
        PopulationSection,
        PeopleSection,
        OpinionSection,
    ]
    return sorted({key for section in sections for key in section.model_fields})


def _check(section: ScenarioSection, findings: Findings) -> None:
    _check_population(section.population, findings)
    population = section.population
    known = [f"{name}={value}" for name, shares in population.segments.items() for value in shares]
    for arm in ("baseline", "candidate"):
        for segment in getattr(section, arm).segments:
            if segment not in known:
                findings.refuse_unknown((arm, "segments", segment), "segment", segment, known, key=True)
    for path, latency in _latencies_of(section):
        if latency.p95 < latency.p50 or latency.p50 <= 0:
            findings.refuse(path, "p95 is below p50" if latency.p50 else "p50 is 0", "let p95 be the longer one")
    for quantity, bound in section.expect.items():
        parsed = parse_expectation(quantity, bound)
        if isinstance(parsed, str):
            findings.refuse(("expect", quantity), parsed, f"write it like {EXAMPLE}")


def _check_population(population: PopulationSection, findings: Findings) -> None:
    for name, shares in population.segments.items():
        if abs(sum(shares.values()) - 1.0) > 1e-9:
            problem = f"shares add up to {100 * sum(shares.values()):g}%"
            findings.refuse(("population", "segments", name), problem, "make them 100%")
    if population.arrivals is not None and (population.rate_per_s is not None or population.users is not None):
        findings.refuse(("population", "arrivals"), "it says rate and users twice", "take one of them out", key=True)


def _latencies_of(section: ScenarioSection) -> Iterator[tuple[KeyPath, LatencySection]]:
    for arm in ("baseline", "candidate"):
        treated: TreatmentSection = getattr(section, arm)
        found: list[tuple[KeyPath, LatencySection | None]] = [((arm, "latency"), treated.latency)]
        found += [((arm, "segments", name, "latency"), each.latency) for name, each in treated.segments.items()]
        yield from ((path, latency) for path, latency in found if latency is not None)
    for index, fault in enumerate(section.faults):
        if fault.latency is not None:
            yield ("faults", index, "latency"), fault.latency


def _scenario_of(section: ScenarioSection, name: str) -> Scenario:
    baseline = _treatment_of(section.baseline, Treatment())
    candidate = _treatment_of(section.candidate, baseline)
    faults = sorted((_fault_of(each, candidate) for each in section.faults), key=lambda fault: fault.at_s)
    people = section.people
    return Scenario(
        name=name,
        describes=section.describes,
        lasts_s=section.lasts,
        settles_s=section.settles,
        population=_population_of(section.population),
        baseline=baseline,
        candidate=candidate,
        arms={arm: _treatment_of(each, baseline) for arm, each in section.arms.items()},
        faults=tuple(faults),
        people=People(_maybe(people.approve_after), _maybe(people.resume_after), _maybe(people.promote_after)),
        expect=dict(section.expect),
    )


def _maybe(waits: float | str) -> float | None:
    return waits if isinstance(waits, float) else None


def _population_of(section: PopulationSection) -> Population:
    rate_per_s, n_users = section.rate_per_s or 10.0, section.users or 20_000
    if section.arrivals is not None:
        rate_per_s = section.arrivals.users_per_day * section.arrivals.requests_per_user / _DAY_S
        n_users = max(1, round(section.arrivals.users_per_day / section.returns))
    persistent = section.persistent
    return Population(
        rate_per_s=rate_per_s,
        n_users=n_users,
        returns=section.returns,
        stays_s=section.stays,
        heaviness=section.heaviness,
        peak_hour=section.daily.peak / 3600.0,
        swing=min(section.daily.swing, 0.99),
        segments={name: tuple(shares.items()) for name, shares in section.segments.items()},
        streams=section.streams,
        raters=section.raters,
        icc_errors=section.alike.errors,
        icc_opinions=section.alike.opinions,
        persistent=0.0 if persistent is None else persistent.share,
        persistent_errors=0.0 if persistent is None else persistent.errors,
        internal_per_day=section.internal_per_day,
    )


def _treatment_of(section: TreatmentSection, like: Treatment) -> Treatment:
    changes = _changes_of(section, like)
    opinions = {**like.opinions, **changes.pop("opinions", {})}
    treated = Treatment(**{**_plain(like), **changes, "opinions": opinions})
    segments = {name: dict(changed) for name, changed in like.segments.items()}
    for name, each in section.segments.items():
        segments[name] = {**segments.get(name, {}), **_changes_of(each, treated)}
    return Treatment(**{**_plain(treated), "segments": segments})


def _plain(treated: Treatment) -> dict[str, Any]:
    return {name: getattr(treated, name) for name in Treatment.__dataclass_fields__}


def _changes_of(section: DifferenceSection, like: Treatment) -> dict[str, Any]:
    """Give the fields of Treatment that a section writes."""
    changes: dict[str, Any] = {
        name: value for name in ("errors", "unsafe", "cost_usd") if (value := getattr(section, name)) is not None
    }
    if section.latency is not None:
        changes |= {"p50_ms": 1000 * section.latency.p50, "p95_ms": 1000 * section.latency.p95}
    if section.metrics:
        changes["opinions"] = {name: _opinion_of(each, like.opinions, name) for name, each in section.metrics.items()}
    return changes


def _opinion_of(section: OpinionSection, like: Mapping[str, Opinion], name: str) -> Opinion:
    before = like.get(name, Opinion(good=0.8))
    return Opinion(
        good=before.good if section.good is None else section.good,
        catastrophic=before.catastrophic if section.catastrophic is None else section.catastrophic,
        said=before.said if section.said is None else section.said,
        after_s=before.after_s if section.after is None else section.after,
    )


def _fault_of(section: FaultSection, like: Treatment) -> Fault:
    abusive = section.abusive_user
    lasts_s = float("inf") if section.lasts is None else section.lasts
    return Fault(
        at_s=section.at,
        lasts_s=lasts_s if abusive is None else abusive.within,
        arm=BOTH if section.on == "both" else section.on,
        changes=_changes_of(section, like),
        abusive_errors=0 if abusive is None else abusive.errors,
    )
