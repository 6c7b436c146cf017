"""
From the file to a routing table, or to everything that is wrong with it.

Nothing is changed on the way: the caller publishes the result and writes down its allocations, or does
neither. Pure but for reading the named files, and quick enough for a reload (see docs/performance.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.domain.alert import AlertTarget
from gateway.domain.edit import EditRule
from gateway.domain.identity import Identity, Segment, WithoutUser
from gateway.domain.provider import Provider
from gateway.domain.rollout import Plan
from gateway.domain.route import Route
from gateway.domain.table import TableHead
from gateway.errors import ConfigError, Finding
from gateway.settings import names, not_yet
from gateway.settings.allocations import Allocations
from gateway.settings.compile_alert import compile_alerts
from gateway.settings.compile_flags import check_flag_keys
from gateway.settings.compile_judge import check_judges, compile_judged, judges_of
from gateway.settings.compile_metric import compile_metrics
from gateway.settings.compile_plan import check_internal
from gateway.settings.compile_price import warn_of_unknown
from gateway.settings.compile_provider import compile_providers
from gateway.settings.compile_route import Known, compile_routes
from gateway.settings.compile_shadow import warn_of_budgets
from gateway.settings.document.identity import IdentitySection, source_of
from gateway.settings.edits import Serving, compile_edits, refuse_edits
from gateway.settings.files import NamedFiles
from gateway.settings.findings import Findings
from gateway.settings.memo import Memo, spell_routes
from gateway.settings.prices import PriceList
from gateway.settings.scope import Scope
from gateway.settings.shape import parse_document
from gateway.settings.yaml_tree import parse_yaml


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    A file that is right.

    Attributes:
        head: The table's head.
        routes: In file order.
        files: Everything read: the YAML and all it names.
        warnings: What is accepted but worth saying, in file order.
        allocations: To be written down by whoever publishes the table.
        fingerprint: Like `head.config_hash`, but secrets count too, keyed: the same fingerprint means
            there is nothing to publish. Never leaves the machine.
        plans: Of rollouts and splits, by release name.
        edits: What an edit of the served variant does, by the name of each `fixed` release.
        alerts: Who is told about what.
        text: The file itself. Never leaves the control process but to operators.
    """

    head: TableHead
    routes: tuple[Route, ...]
    files: frozenset[Path]
    warnings: tuple[Finding, ...]
    allocations: Allocations
    fingerprint: str = field(repr=False)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    edits: Mapping[str, EditRule] = field(default_factory=dict)
    alerts: tuple[AlertTarget, ...] = ()
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Standpoint:
    """
    What a file is compiled for, beside its own words.

    Attributes:
        environ: Where `api_key_env` and `{env: NAME}` are looked up.
        version: The table's version.
        seal_key: 32 bytes.
        previous: How releases were divided last.
        memo: What was compiled before.
        serving: By release, by arm: the content that is served now; None for none.
        allows_edits: Edits of what is served are taken at once, whatever the file says.
    """

    environ: Mapping[str, str] = field(repr=False)
    version: int
    seal_key: bytes = field(repr=False)
    previous: Allocations
    memo: Memo | None
    serving: Serving | None
    allows_edits: bool


def compile_config(
    path: Path,
    *,
    environ: Mapping[str, str],
    version: int,
    seal_key: bytes,
    previous: Allocations,
    memo: Memo | None = None,
    serving: Serving | None = None,
    allows_edits: bool = False,
) -> Compiled:
    """
    Give the table that the file at `path` describes.

    Args:
        path: The YAML file; what it names is looked for beside it.
        environ: Where `api_key_env` and `{env: NAME}` are looked up.
        version: The table's version.
        seal_key: 32 bytes.
        previous: How releases were divided last; users move only as far as weights require.
        memo: What was compiled before, for a caller who compiles again and again; the result is the same.
        serving: By release, by arm: the content hash that is served now. Edits of it that could not be rolled out are
            refused; None refuses none.
        allows_edits: `serve --dev`: edits of what is served are taken at once, whatever the file says.

    Raises:
        ConfigError: The file is wrong; holds every finding.
    """
    try:
        raw = NamedFiles(path.parent).read_bytes(path.name) if path.name else b""
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or 'unreadable').lower()}"
        raise ConfigError([Finding(str(path), 1, 1, "", problem, "`sluice init` writes one")]) from None
    standpoint = Standpoint(environ, version, seal_key, previous, memo, serving, allows_edits)
    return _compile(raw, str(path), path.parent, {path}, standpoint)


def compile_text(
    text: str,
    *,
    name: str,
    folder: Path,
    environ: Mapping[str, str],
    version: int,
    seal_key: bytes,
    previous: Allocations,
    memo: Memo | None = None,
    serving: Serving | None = None,
    allows_edits: bool = False,
) -> Compiled:
    """
    Give the table that `text` describes, as if it were a file called `name` in `folder`.

    Raises:
        ConfigError: The text is wrong; holds every finding.
    """
    raw = text.encode("utf-8", "surrogatepass")
    standpoint = Standpoint(environ, version, seal_key, previous, memo, serving, allows_edits)
    return _compile(raw, name, folder, set(), standpoint)


def _compile(raw: bytes, name: str, folder: Path, files: set[Path], given: Standpoint) -> Compiled:
    memo = given.memo
    tree = parse_yaml(raw, name=name)
    findings = Findings(name, tree)
    prices = PriceList() if memo is None else memo.prices
    known = Known() if memo is None else Known(memo.kept, spell_routes(tree.root), tree.root)
    document = parse_document(tree, findings, known=known.sections)
    if document is None:
        findings.raise_errors()
        raise ConfigError([Finding(name, 1, 1, "", "the file has the wrong shape", "see `sluice schema`")])
    if findings.has_errors:
        # The document was read without what is wrong in it: these are not the routes as they are written.
        memo, known = None, Known()
    scope = Scope(document, findings, NamedFiles(folder), given.environ, prices=prices)
    providers = compile_providers(scope)
    identity = _compile_identity(scope, document.identity)
    scope = replace(scope, metrics=compile_metrics(scope), judges=judges_of(document))
    scope = replace(scope, judged=compile_judged(scope))
    names.check_document(scope)
    not_yet.check_document(scope)
    check_flag_keys(scope)
    alerts = compile_alerts(scope)
    compiled = compile_routes(scope, given.previous, known)
    if memo is not None:
        memo.kept = {name: one for name, one in compiled.items() if one.written}
    routes = tuple(one.route for one in compiled.values())
    plans = {one.release_name: one.plan for one in compiled.values() if one.plan is not None}
    warn_of_unknown(scope, routes)
    warn_of_budgets(scope, routes)
    check_judges(scope, routes)
    check_internal(scope, plans.values())
    if given.serving is not None and not given.allows_edits:
        refuse_edits(scope, routes, given.serving)
    allocations = {one.release_name: one.allocation for one in compiled.values()}
    seen = frozenset(files | scope.files.seen)
    findings.raise_errors(str(path) for path in seen)
    config_hash = _config_hash_of(raw, scope.files)
    return Compiled(
        head=_head_of(scope, config_hash, providers, identity, routes, given),
        routes=routes,
        files=seen,
        warnings=findings.warnings,
        allocations=given.previous.updated(allocations),
        fingerprint=_fingerprint_of(config_hash, scope, given.seal_key, alerts),
        plans=plans,
        edits=compile_edits(scope, routes, allows_edits=given.allows_edits),
        alerts=alerts,
        text=raw.decode("utf-8", "replace"),
    )


def _head_of(
    scope: Scope,
    config_hash: str,
    providers: Mapping[str, Provider],
    identity: Identity,
    routes: Sequence[Route],
    given: Standpoint,
) -> TableHead:
    max_body_bytes = max(route.max_body_bytes for route in routes)
    default = scope.document.default_provider
    return TableHead(
        version=given.version,
        config_hash=config_hash,
        providers=providers,
        default_provider=default,
        identity=identity,
        seal_key=given.seal_key,
        max_body_bytes=max_body_bytes,
        metrics=scope.metrics,
        copied=tuple(route.name for route in routes if route.shadows or route.judged),
    )


def _compile_identity(scope: Scope, section: IdentitySection) -> Identity:
    segments = []
    for name, value in section.segments.items():
        if isinstance(value, str):
            segments.append(Segment(name, source_of(value)))
            continue
        names.check_pattern(scope, ("identity", "segments", name, "match"), value.match)
        segments.append(Segment(name, source_of(value.source), value.match))
    return Identity(
        user=tuple(source_of(text) for text in section.user),
        without_user=WithoutUser(section.without_user),
        conversation=tuple(source_of(text) for text in section.conversation),
        internal_users=frozenset(section.internal_users),
        segments=tuple(segments),
    )


def _config_hash_of(raw: bytes, files: NamedFiles) -> str:
    digest = hashlib.blake2b(raw, digest_size=6, person=b"sluice-config")
    for name in sorted(files.contents):
        digest.update(b"\0" + name.encode("utf-8", "replace") + b"\0" + hashlib.sha256(files.contents[name]).digest())
    return digest.hexdigest()


def _fingerprint_of(config_hash: str, scope: Scope, seal_key: bytes, alerts: Iterable[AlertTarget]) -> str:
    digest = hashlib.blake2b(config_hash.encode(), key=seal_key[:64], digest_size=16)
    for name in sorted(scope.files.secrets):
        digest.update(hashlib.sha256(scope.files.secrets[name]).digest())
    for alert in alerts:
        digest.update(hashlib.sha256(f"{alert.url}\0{alert.secret}".encode()).digest())
    if scope.prices.was_missed:
        digest.update(b"\0without prices")
    return digest.hexdigest()
